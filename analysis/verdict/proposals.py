"""The cheapest trials that would settle an inconclusive verdict, as data."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from mutransfer.analysis.fit.curve import Fit
from mutransfer.analysis.fit.optimum import Optimum
from mutransfer.analysis.table.slice import log2_of
from mutransfer.analysis.transfer.regret import regret
from mutransfer.analysis.verdict.evidence import Fits
from mutransfer.analysis.verdict.hp import HPVerdict
from mutransfer.analysis.verdict.question import TransferQuestion

MAX_MORE_SEEDS = 8
BEYOND_STEPS = 2


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """Trials of one slice, all values with all seeds.

    Attributes:
        cause: Code of the reason it would settle.
        hp: The varied HP; the others stay as in that slice.
        arm: ``mup``.
        axis_value: Place on the axis.
        at_target: The others are those of the transferred set, not of the ladder's centre.
        log2_x: log2 of the values.
        seeds: Seeds.
        n_trials: How many that is.
        flops: What they cost, by the mean of the runs of that width; None if unknown.
        settles: Whether they should do, if the curve is as it looks now; False: they help, but
            the most that is proposed at once will not do; None: cannot be foretold.
        text: The same in a sentence.
    """

    cause: str
    hp: str
    arm: str
    axis_value: int
    at_target: bool
    log2_x: tuple[float, ...]
    seeds: tuple[int, ...]
    n_trials: int
    flops: float | None
    settles: bool | None
    text: str


def proposals(
    df: pd.DataFrame,
    entries: Sequence[HPVerdict],
    evidence: Mapping[str, Fits],
    question: TransferQuestion,
) -> tuple[Proposal, ...]:
    """Return the trials that would settle the verdict; none for a PASS or a FAIL.

    Values come first: open ends of optima and slices too narrow to show that the HP matters.
    Only where nothing is open, more seeds at the target, on every slice there, since a seed
    counts only where all values have it. Each look at more trials is judged more strictly than
    the one before, so that all together pass wrongly in at most 5 % (`Question.level`).
    """
    if question.transferred is None or any(e.word == "FAIL" for e in entries):
        return ()
    wanted = [e for e in entries if e.word != "PASS" and not e.harmless]
    found = [p for e in wanted for p in _values(df, e, evidence[e.hp], question)]
    if not found and (wanted or len(entries) > 1):
        found = _seeds(df, entries, evidence, question)
    return tuple(found)


def _values(
    df: pd.DataFrame, entry: HPVerdict, evidence: Fits, question: TransferQuestion
) -> list[Proposal]:
    codes = {c.code for c in entry.causes}
    search = evidence.ladder["mup", question.search_at]
    searched = [o for o in entry.optima if (o.arm, o.axis_value) == ("mup", question.search_at)]
    places = [(search, searched[0], False)] if searched else []
    if evidence.target is not None and entry.target is not None:
        places.append((evidence.target, entry.target, True))
    found = []
    for fitted, place, at_target in places:
        more: dict[str, list[float]] = {}
        if "not_bracketed" in codes and not place.bracketed:
            more["not_bracketed"] = _beyond(fitted, place)
        if at_target and "insensitive" in codes:
            more["insensitive"] = _outwards(fitted, left=True, right=True)
        if at_target and codes & {"too_few_values", "no_regret"}:
            more["too_few_values"] = _between(fitted)
        found += [
            _proposal(df, question, code, fitted, at_target, values, None)
            for code, values in more.items()
            if values
        ]
    return found


def _beyond(fitted: Fit, place: Optimum) -> list[float]:
    """Values on the open sides, or half steps round the best where no end lacks values."""
    flags = set(place.flags)
    outwards = _outwards(fitted, left="censored_left" in flags, right="censored_right" in flags)
    return outwards or _between(fitted)


def _outwards(fitted: Fit, *, left: bool, right: bool) -> list[float]:
    x, step = fitted.slice.log2_x, fitted.spacing_log2
    if not x.size:
        return []
    steps = range(1, BEYOND_STEPS + 1)
    below = [float(x[0] - k * step) for k in steps] if left else []
    free = right and not fitted.slice.diverged[x >= fitted.center].any()
    return [*below, *([float(x[-1] + k * step) for k in steps] if free else [])]


def _between(fitted: Fit) -> list[float]:
    """Half and quarter steps round the best value that have not been run."""
    step, center = fitted.spacing_log2, fitted.center
    near = [center + k * step for k in (-0.5, 0.5, -0.25, 0.25)]
    return [x for x in near if not math.isnan(x) and fitted.slice.index(x) is None][:2]


def _seeds(
    df: pd.DataFrame,
    entries: Sequence[HPVerdict],
    evidence: Mapping[str, Fits],
    question: TransferQuestion,
) -> list[Proposal]:
    """As few more seeds at the target as bring the sum of the bounds under the tolerance."""
    targets = {e.hp: fit for e in entries if (fit := evidence[e.hp].target) is not None}
    last = max(question.target_seeds)
    enough = next(
        (k for k in range(1, MAX_MORE_SEEDS + 1) if _do(k, entries, targets, question)), 0
    )
    seeds = tuple(range(last + 1, last + 1 + (enough or MAX_MORE_SEEDS)))
    return [
        _proposal(
            df,
            question,
            "regret_uncertain",
            fitted,
            True,
            [float(x) for x in fitted.slice.log2_x[~fitted.slice.diverged]],
            enough > 0,
            seeds,
        )
        for fitted in targets.values()
    ]


def _do(
    more: int, entries: Sequence[HPVerdict], targets: Mapping[str, Fit], question: TransferQuestion
) -> bool:
    """Whether ``more`` seeds would make a PASS or a FAIL, if the curves are as they look now."""
    total, limits = 0.0, []
    stricter = dataclasses.replace(question, n_interim=question.n_interim + 1).level
    level = 1 - (1 - stricter) / len(entries)
    for entry in entries:
        fitted = targets.get(entry.hp)
        value = (question.transferred or {}).get(entry.hp)
        if fitted is None or not value or not fitted.ok or entry.tolerance_loss is None:
            return False
        n = fitted.n_seeds
        share = n / (n + more)
        df = max(fitted.window.sum() - 1, 1) * (n + more - 1)
        wider = dataclasses.replace(
            fitted, cov=fitted.cov * share, variance=fitted.variance * share, df=float(df)
        )
        found = regret(wider, log2_of(value), level=level)
        if found is not None and found.lower > entry.tolerance_loss:
            return True
        total += float("inf") if found is None else found.upper
        limits.append(entry.tolerance_loss)
    return bool(limits) and total < min(limits)


def _proposal(
    df: pd.DataFrame,
    question: TransferQuestion,
    cause: str,
    fitted: Fit,
    at_target: bool,
    log2_x: list[float],
    settles: bool | None,
    seeds: tuple[int, ...] | None = None,
) -> Proposal:
    found = fitted.slice
    own = question.target_seeds if at_target else question.seeds
    used = own if seeds is None else seeds
    each = df[(df[question.axis] == found.axis_value) & (df["status"] == "done")]["flops"].mean()
    n = len(log2_x) * len(used)
    values = ", ".join(f"{x:.4g}" for x in log2_x)
    return Proposal(
        cause=cause,
        hp=found.hp,
        arm=found.arm,
        axis_value=found.axis_value,
        at_target=at_target,
        log2_x=tuple(log2_x),
        seeds=used,
        n_trials=n,
        flops=None if pd.isna(each) else float(each) * n,
        settles=settles,
        text=f"{found.hp} at log2 {values}, {question.at(found.axis_value)}, seeds "
        f"{', '.join(map(str, used))}: {n} trials.",
    )
