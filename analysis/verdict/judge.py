"""The verdict on the transferred set: PASS, FAIL or INCONCLUSIVE, with its figures."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mutransfer.analysis.table.schema import SCHEMA_VERSION
from mutransfer.analysis.transfer.prediction import Prediction
from mutransfer.analysis.verdict.cost import Cost, ReferenceRuns, cost_of_table
from mutransfer.analysis.verdict.evidence import Fits, gather, predictions_at
from mutransfer.analysis.verdict.hp import HPVerdict, Word, judge_hp, unchecked
from mutransfer.analysis.verdict.proposals import Proposal, proposals
from mutransfer.analysis.verdict.question import Tolerance, TransferQuestion
from mutransfer.analysis.verdict.set_verdict import SetVerdict, judge_set, unchecked_set
from mutransfer.words import Axis

# Of verdict.json. 6: predictions. 5: the cost of each stage in target runs. 4: n_collapsed of each
# optimum. 3: search_at, target_at, axis_value and confidence; 2 and before: search_width,
# target_width, width and level, on every axis.
FORMAT = 6


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The verdict with everything that it rests on; `to_dict` gives plain data.

    Attributes:
        verdict: PASS, FAIL or INCONCLUSIVE: the word on the set; PREDICTED where nothing was run at
            the target and the ladder bounds the regret there.
        sentence: The verdict in one English sentence with figures.
        search_at: Axis value of the search.
        target_at: Axis value of the check.
        tolerance: Accepted regret.
        hps: Verdicts on single HPs.
        set: Verdict on the set.
        flags: Flags of the optima at the search and the target and of the transferred values.
        counts: Rows of the table by status.
        cost: The cost of all trials.
        settle: The cheapest trials that would settle an INCONCLUSIVE verdict.
        schema: Version of the table.
        format: Version of this record in verdict.json.
        axis: Axis along which transfer was judged.
        rule: The rule that scales base HPs along it; None: they are kept constant.
        control: The arm of the control, if any.
        predictions: What the ladder predicts of each HP at the production run, or at the target
            where nothing was run there; empty where neither is so.
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
    predictions: tuple[Prediction, ...] = ()

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
    # A bound that is not known has no number in JSON.
    return None if isinstance(value, float) and not math.isfinite(value) else value


def judge(
    df: pd.DataFrame,
    question: TransferQuestion,
    *,
    fits: Mapping[str, Fits] | None = None,
    cost: Cost | None = None,
) -> Verdict:
    """Return the verdict on the transferred set.

    Set PASS: the HPs' upper bounds, each at 1 − 0.05/H, sum to less than the tolerance, and
    every HP is a PASS, or does not matter in its range with a bounded regret while another
    one is a PASS. Set FAIL: an HP fails, or the set's own runs at the target diverged or are
    worse than the best of a target slice by more than the tolerance with 95 % confidence.
    Else INCONCLUSIVE. Missing rows never give a PASS. Without any row at the target the word is
    PREDICTED or INCONCLUSIVE (`set_verdict.unchecked_set`).

    Args:
        df: A validated results table.
        question: What is to be judged.
        fits: The fitted slices, where `gather` has been called already; None: fit them here.
        cost: The cost of the study; None: that of the rows, one target run being the mean of the
            finished ones at the target.

    Raises:
        TableError: as `table.slice.slice_of`.
    """
    fits = gather(df, question) if fits is None else fits
    entries = tuple(judge_hp(fits[hp], question) for hp in question.parameters)
    on_set = judge_set(entries, fits, question)
    has_set = bool(entries) and question.transferred is not None
    is_checked = not has_set or any(of_hp.has_target_runs for of_hp in fits.values())
    predictions: dict[str, Prediction | None] = {}
    if not is_checked:
        predictions = predictions_at(fits, question, question.target_at)
        on_set = unchecked_set(on_set, predictions, question)
        entries = tuple(unchecked(e, predictions[e.hp], on_set.causes) for e in entries)
    elif question.production_at is not None:
        predictions = predictions_at(fits, question, question.production_at)
    counts = df["status"].value_counts().sort_index()
    return Verdict(
        verdict=on_set.word,
        sentence=_sentence(on_set, entries, question)
        if is_checked
        else _predicted_sentence(on_set, predictions, question),
        search_at=question.search_at,
        target_at=question.target_at,
        tolerance=question.tolerance,
        hps=entries,
        set=on_set,
        flags=_flags(entries, question),
        counts={str(k): int(v) for k, v in counts.items()},
        settle=proposals(df, entries, fits, question)
        if on_set.word == "INCONCLUSIVE" and is_checked
        else (),
        cost=cost or cost_of_table(df, ReferenceRuns(target_flops=_target_flops(df, question))),
        axis=question.axis,
        rule=question.rule,
        control=question.control,
        predictions=tuple(p for p in predictions.values() if p is not None),
    )


def _target_flops(df: pd.DataFrame, question: TransferQuestion) -> float | None:
    flops = df[(df[question.axis] == question.target_at) & (df["status"] == "done")]["flops"]
    mean = flops[flops > 0].mean()
    return None if pd.isna(mean) else float(mean)


def _sentence(on_set: SetVerdict, entries: Sequence[HPVerdict], question: TransferQuestion) -> str:
    start = f"{on_set.word}: at {question.at(question.target_at)}"
    names = ", ".join(e.hp for e in entries) or "no HP"
    if on_set.word == "PASS":
        percent = on_set.regret_upper_percent
        scaled = f", scaled by the rule {question.rule}," if question.rule else ""
        figure = (
            ""
            if percent is None
            else f" ({percent:.2g} % of the best {question.tolerance.of} found there)"
        )
        return (
            f"{start} the set tuned at {question.at(question.search_at)} ({names}){scaled} "
            f"loses at most {on_set.regret_upper:.3g}{figure}, with 95 % confidence; accepted: "
            f"{question.tolerance.text}."
        )
    first = on_set.causes[0].text
    n_more = len({c.text for c in on_set.causes}) - 1
    more = f" {n_more} further reason(s)." if n_more else ""
    if on_set.word == "FAIL":
        return f"{start} the set ({names}) does not hold: {first}{more}"
    return f"{start} the set ({names}) is neither shown to hold nor to fail: {first}{more}"


def _predicted_sentence(
    on_set: SetVerdict, predictions: Mapping[str, Prediction | None], question: TransferQuestion
) -> str:
    """The word on a set of which nothing was run at the target, with the figures of its HPs."""
    where = question.at(question.target_at)
    set_ = "the transferred set" if question.arm == "mup" else "the set of predicted optima"
    start = f"{on_set.word}: at {where}, where nothing was run, {set_}"
    values = ", ".join(_optimum_text(p) for p in predictions.values() if p is not None)
    optima = f" Predicted optimum: {values}." if values else ""
    if on_set.word == "PREDICTED":
        return (
            f"{start} ({', '.join(predictions)}) loses at most {on_set.regret_upper:.3g} as the "
            f"ladder predicts, with 95 % confidence; accepted: {question.tolerance.text}.{optima}"
        )
    return f"{start} is not shown to hold: {on_set.causes[0].text}{optima}"


def _optimum_text(predicted: Prediction) -> str:
    ends = (predicted.log2_opt, predicted.log2_low, predicted.log2_high)
    middle, low, high = (f"{2.0**x:.3g}" for x in ends)
    return f"{predicted.hp} {middle} ({low} … {high})"


def _flags(entries: Sequence[HPVerdict], question: TransferQuestion) -> tuple[str, ...]:
    flags: list[str] = []
    for e in entries:
        searched = [
            o for o in e.optima if (o.arm, o.axis_value) == (question.arm, question.search_at)
        ]
        for optimum in (*searched, *([e.target] if e.target else [])):
            where = question.at(optimum.axis_value)
            flags += [f"{e.hp} at {where}: {flag}" for flag in optimum.flags]
        flags += [f"{e.hp} transferred: {flag}" for flag in e.flags]
    return tuple(dict.fromkeys(flags))
