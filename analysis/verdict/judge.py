"""The verdict on the transferred set: PASS, FAIL or INCONCLUSIVE, with its figures."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mutransfer.analysis.table.schema import SCHEMA_VERSION
from mutransfer.analysis.table.slice import log2_of
from mutransfer.analysis.transfer.regret import Regret, regret
from mutransfer.analysis.verdict.causes import Cause
from mutransfer.analysis.verdict.cost import Cost, cost
from mutransfer.analysis.verdict.evidence import Fits, gather
from mutransfer.analysis.verdict.hp import HPVerdict, Word, judge_hp
from mutransfer.analysis.verdict.proposals import Proposal, proposals
from mutransfer.analysis.verdict.question import Tolerance, TransferQuestion
from mutransfer.words import Axis

__all__ = ["HPVerdict", "SetVerdict", "Tolerance", "TransferQuestion", "Verdict", "judge"]

FORMAT = 2


@dataclass(frozen=True, kw_only=True)
class SetVerdict:
    """What the table says about the transferred set as a whole.

    Attributes:
        word: PASS, FAIL or INCONCLUSIVE.
        level: Confidence of the bound of each HP, 1 − 0.05/H for H HPs; less is left to err with
            each look before this one (`Question.level`).
        regret_upper: Sum of the HPs' upper bounds at ``level``, loss; None if one is missing.
            It bounds the set's regret with 95 % confidence if the HPs do not interact.
        regret_upper_percent: The same in % of the best loss at the target.
        excess_lower: Lower bound of the set's own loss minus the best of the target slices.
        tolerance_loss: The smallest tolerance of the HPs, loss.
        best_loss: Lowest fitted loss of the target slices.
        causes: Why there is no PASS.
        notes: What was taken into account without standing against a PASS.
    """

    word: Word
    level: float
    regret_upper: float | None
    regret_upper_percent: float | None
    excess_lower: float | None
    tolerance_loss: float | None
    best_loss: float | None
    causes: tuple[Cause, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The verdict with everything it rests on; `to_dict` gives plain data.

    Attributes:
        verdict: PASS, FAIL or INCONCLUSIVE: the word on the set.
        sentence: The verdict in one English sentence with figures.
        search_at: Place of the search on the axis.
        target_at: Place of the check on the axis.
        tolerance: Accepted regret.
        hps: Verdicts on single HPs.
        set: Verdict on the set.
        flags: Flags of the optima at search and target width and of the transferred values.
        counts: Rows of the table by status.
        cost: FLOPs of the search.
        settle: The cheapest trials that would settle an INCONCLUSIVE verdict.
        schema: Version of the table.
        format: Version of this record, as it stands in verdict.json: 2 since it holds settle,
            alternatives and scaling.
        axis: Along which transfer was asked about.
        rule: The rule that scales base HPs along it; None: they are kept.
        control: The arm of the control, if any.
    """

    verdict: Word
    sentence: str
    search_at: int
    target_at: int
    tolerance: Tolerance
    hps: tuple[HPVerdict, ...]
    set: SetVerdict
    flags: tuple[str, ...]
    counts: dict[str, int]
    cost: Cost
    settle: tuple[Proposal, ...] = ()
    schema: int = SCHEMA_VERSION
    format: int = FORMAT
    axis: Axis = "width"
    rule: str | None = None
    control: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data (dicts, lists, numbers, strings, None), ready for JSON."""
        return _plain(dataclasses.asdict(self))

    def of_hp(self, hp: str) -> HPVerdict:
        """Return the verdict on one HP.

        Raises:
            KeyError: ``hp`` was not sliced.
        """
        return {entry.hp: entry for entry in self.hps}[hp]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value


def judge(
    df: pd.DataFrame, question: TransferQuestion, *, target_flops: float | None = None
) -> Verdict:
    """Return the verdict on the transferred set (design §7).

    Set PASS: the HPs' upper bounds, each at 1 − 0.05/H, sum to less than the tolerance, and
    every HP is a PASS, or does not matter in its range with a bounded regret while another
    one is a PASS. Set FAIL: an HP fails, or the set's own runs at the target diverged or are
    worse than the best of a target slice by more than the tolerance with 95 % confidence.
    Else INCONCLUSIVE. Missing rows never give a PASS.

    Args:
        df: A validated results table.
        question: What is asked.
        target_flops: FLOPs of one target run for the cost; None: the mean of the finished
            runs at the target width.

    Raises:
        TableError: as `analysis.slices.slice_of`.
    """
    evidence = gather(df, question)
    entries = tuple(judge_hp(e, question) for e in evidence.values())
    whole = _judge_set(entries, evidence, question)
    counts = df["status"].value_counts().sort_index()
    return Verdict(
        verdict=whole.word,
        sentence=_sentence(whole, entries, question),
        search_at=question.search_at,
        target_at=question.target_at,
        tolerance=question.tolerance,
        hps=entries,
        set=whole,
        flags=_flags(entries, question),
        counts={str(k): int(v) for k, v in counts.items()},
        settle=proposals(df, entries, evidence, question) if whole.word == "INCONCLUSIVE" else (),
        cost=cost(
            df,
            _target_flops(df, question) if target_flops is None else target_flops,
            f"one run at the target {question.one}",
        ),
        axis=question.axis,
        rule=question.rule,
        control=question.control,
    )


def _target_flops(df: pd.DataFrame, question: TransferQuestion) -> float | None:
    there = df[(df[question.axis] == question.target_at) & (df["status"] == "done")]["flops"]
    mean = there[there > 0].mean()
    return None if pd.isna(mean) else float(mean)


def _judge_set(
    entries: Sequence[HPVerdict], evidence: dict[str, Fits], question: TransferQuestion
) -> SetVerdict:
    level = 1 - (1 - question.level) / max(len(entries), 1)
    curves = [_regret(evidence[e.hp], question, level, pinned=False) for e in entries]
    own = [_regret(evidence[e.hp], question, level, pinned=True) for e in entries]
    uppers = [r.upper for r in curves if r is not None]
    upper = sum(uppers) if uppers and len(uppers) == len(entries) else None
    tolerances = [e.tolerance_loss for e in entries if e.tolerance_loss is not None]
    tolerance = min(tolerances) if tolerances and len(tolerances) == len(entries) else None
    bests = [e.target.loss for e in entries if e.target and e.target.loss is not None]
    best = min(bests, default=None)
    excess = max((r.lower for r in own if r is not None), default=None)
    failed, open_, notes = _set_causes(entries, upper, excess, tolerance, question.one)
    if question.n_interim:
        notes.append(
            f"Look {question.n_interim + 1}: more trials were asked for {question.n_interim} "
            f"time(s), so bounds hold at {100 * question.level:.6g} %, that all looks together "
            "err in 5 %."
        )
    word: Word = "FAIL" if failed else "INCONCLUSIVE" if open_ else "PASS"
    return SetVerdict(
        word=word,
        level=level,
        regret_upper=upper,
        regret_upper_percent=100 * upper / abs(best) if upper is not None and best else None,
        excess_lower=excess,
        tolerance_loss=tolerance,
        best_loss=best,
        causes=(*failed, *open_),
        notes=tuple(notes),
    )


def _regret(
    evidence: Fits, question: TransferQuestion, level: float, *, pinned: bool
) -> Regret | None:
    value = (question.transferred or {}).get(evidence.hp)
    if evidence.target is None or value is None or value <= 0:
        return None
    return regret(evidence.target, log2_of(value), level=level, pinned=pinned)


def _set_causes(
    entries: Sequence[HPVerdict],
    upper: float | None,
    excess: float | None,
    tolerance: float | None,
    one: str,
) -> tuple[list[Cause], list[Cause], list[str]]:
    """Return what makes the set FAIL, what leaves it open, and remarks."""
    failed = [c for e in entries if e.word == "FAIL" for c in e.causes if _is_failure(c)]
    if tolerance is not None and excess is not None and excess > tolerance and not failed:
        failed.append(
            Cause(
                code="set_worse",
                text=f"The transferred set's own runs lose at least {excess:.4g} against the "
                f"best of a target slice, more than the tolerance {tolerance:.4g}.",
                remedy=f"The HPs interact: tune them together at a larger {one}.",
            )
        )
    open_ = [c for e in entries if e.word == "INCONCLUSIVE" and not e.harmless for c in e.causes]
    notes = [f"{e.hp} does not matter in its range and is bounded." for e in entries if e.harmless]
    if not any(e.word == "PASS" for e in entries):
        open_ += [c for e in entries if e.harmless for c in e.causes]
        if not entries:
            open_.append(
                Cause(code="no_hps", text="No HP was sliced.", remedy="Name HPs to slice.")
            )
    bounded = upper is not None and tolerance is not None and upper < tolerance
    if not open_ and not failed and not bounded:
        bound = "unknown" if upper is None else f"{upper:.4g}"
        limit = "unknown" if tolerance is None else f"{tolerance:.4g}"
        open_.append(
            Cause(
                code="sum_uncertain",
                text=f"Each HP passes, but their upper bounds sum to {bound}; "
                f"the tolerance is {limit}.",
                remedy=f"More seeds at the target {one}.",
            )
        )
    return failed, open_, notes


def _is_failure(cause: Cause) -> bool:
    return cause.code in {"regret_too_large", "diverged_at_target"}


def _sentence(whole: SetVerdict, entries: Sequence[HPVerdict], question: TransferQuestion) -> str:
    start = f"{whole.word}: at {question.at(question.target_at)}"
    names = ", ".join(e.hp for e in entries) or "no HP"
    if whole.word == "PASS":
        percent = whole.regret_upper_percent
        scaled = f", scaled by the rule {question.rule}," if question.rule else ""
        figure = "" if percent is None else f" ({percent:.2g} % of the best loss found there)"
        return (
            f"{start} the set tuned at {question.at(question.search_at)} ({names}){scaled} "
            f"loses at most {whole.regret_upper:.3g}{figure}, with 95 % confidence; accepted: "
            f"{question.tolerance.text}."
        )
    first = whole.causes[0].text
    more = len({c.text for c in whole.causes}) - 1
    rest = f" {more} further reason(s) below." if more else ""
    if whole.word == "FAIL":
        return f"{start} the set ({names}) does not hold: {first}{rest}"
    return f"{start} the set ({names}) is neither shown to hold nor to fail: {first}{rest}"


def _flags(entries: Sequence[HPVerdict], question: TransferQuestion) -> tuple[str, ...]:
    flags: list[str] = []
    for e in entries:
        searched = [o for o in e.optima if (o.arm, o.axis_value) == ("mup", question.search_at)]
        for place in (*searched, *([e.target] if e.target else [])):
            flags += [f"{e.hp} at {question.at(place.axis_value)}: {flag}" for flag in place.flags]
        flags += [f"{e.hp} transferred: {flag}" for flag in e.flags]
    return tuple(dict.fromkeys(flags))
