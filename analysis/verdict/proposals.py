"""The cheapest trials that would settle an inconclusive verdict, as data."""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mutransfer.analysis.fit.curve import Fit, with_more_seeds
from mutransfer.analysis.fit.optimum import Optimum
from mutransfer.analysis.table.arguments import listed
from mutransfer.analysis.table.slice import log2_of
from mutransfer.analysis.transfer.regret import regret
from mutransfer.analysis.verdict.evidence import Fits
from mutransfer.analysis.verdict.hp import HPVerdict
from mutransfer.analysis.verdict.question import TransferQuestion
from mutransfer.words import SAME_VALUE

MAX_MORE_SEEDS = 8
# As good as no noise.
MANY_SEEDS = 10_000
# Where values are put between those of a lattice, octaves from the best.
OCTAVES_BETWEEN = (-0.5, 0.5, -0.25, 0.25)
# What is proposed where a star did not decide: a slice of its own at the target, for each HP.
SLICE_STEPS = (-2, -1, 0, 1, 2)
SLICE_SEEDS = (1, 2)
# Lattice steps beyond the outermost value that are proposed at once.
BEYOND_STEPS = 2


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """Trials of one slice: each value with each seed.

    Attributes:
        cause: Code of the cause that it would remove.
        hp: The varied HP; the others stay as in that slice.
        arm: ``mup``.
        axis_value: Axis value of the slice.
        at_target: The other HPs are those of the transferred set, not of the ladder's centre.
        log2_x: log2 of the values.
        seeds: Seeds.
        n_trials: Number of trials.
        flops: Their cost, from the mean of the finished runs at that axis value; None if unknown.
        settles: Whether they should settle the verdict if the curve keeps its present shape;
            False: they help, but the most that is proposed at once is not enough; None: cannot
            be predicted.
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
    fits: Mapping[str, Fits],
    question: TransferQuestion,
) -> tuple[Proposal, ...]:
    """Return the trials that would settle the verdict; none for a PASS or a FAIL.

    Values come first: open ends of optima and slices too narrow to show that the HP matters.
    Only where nothing is open, values at half and quarter octaves about the best one where the
    lattice is the limit, since no number of seeds would settle it (a curve with a kink or a cliff),
    else more seeds at the target, on every slice there, since a seed counts only where all values
    have it. Each interim analysis raises the confidence level of the
    next one, so that all together pass wrongly in at most 5 % (`TransferQuestion.confidence`).

    A star has taken all its looks: slices at the target follow, in which its runs count.
    """
    if question.transferred is None or any(e.word == "FAIL" for e in entries):
        return ()
    unsettled = [e for e in entries if e.word != "PASS" and not e.harmless]
    values = [p for e in unsettled for p in _more_values(df, e, fits[e.hp], question)]
    if question.check == "star":
        whole = [p for of_hp in fits.values() for p in _whole_slice(df, of_hp, question)]
        return (*(p for p in values if not p.at_target), *whole)
    if values or not (unsettled or len(entries) > 1):
        return tuple(values)
    targets = {e.hp: fit for e in entries if (fit := fits[e.hp].target) is not None}
    if not _would_settle(MANY_SEEDS, entries, targets, question):
        values = [p for e in unsettled for p in _closer_values(df, fits[e.hp], question)]
    return tuple(values) or tuple(_more_seeds(df, entries, targets, question))


def _whole_slice(df: pd.DataFrame, fits: Fits, question: TransferQuestion) -> Iterator[Proposal]:
    """What a star lacks of a slice at the target: values of the lattice, then seeds."""
    target, value = fits.target, question.transferred_value(fits.hp)
    if target is None or value is None:
        return
    step, seeds = question.spacing_log2, tuple({*SLICE_SEEDS, *question.target_seeds})
    nearest, apart = round(log2_of(value) / step), math.log2(1 + SAME_VALUE)
    lattice = [step * (nearest + k) for k in SLICE_STEPS]
    run = target.slice.log2_x
    new = [x for x in lattice if (np.abs(run - x) > apart).all()]
    if new:
        yield _proposal(df, question, "star_open", target, at_target=True, log2_x=new, seeds=seeds)
    missing = tuple(s for s in seeds if s not in question.target_seeds)
    if missing and run.size:
        yield _proposal(
            df,
            question,
            "star_open",
            target,
            at_target=True,
            log2_x=[float(x) for x in run],
            seeds=missing,
        )


def _more_values(
    df: pd.DataFrame, entry: HPVerdict, fits: Fits, question: TransferQuestion
) -> Iterator[Proposal]:
    codes = {c.code for c in entry.causes}
    for fit, optimum, at_target in _fits_with_optima(entry, fits, question):
        values: dict[str, list[float]] = {}
        if "not_bracketed" in codes and not optimum.bracketed:
            values["not_bracketed"] = _beyond(fit, optimum)
        if at_target and "insensitive" in codes:
            values["insensitive"] = _outwards(fit, left=True, right=True)
        if at_target and codes & {"too_few_values", "no_regret"}:
            values["too_few_values"] = _between(fit)[:2]
        for cause, log2_x in values.items():
            if log2_x:
                yield _proposal(df, question, cause, fit, at_target=at_target, log2_x=log2_x)


def _fits_with_optima(
    entry: HPVerdict, fits: Fits, question: TransferQuestion
) -> Iterator[tuple[Fit, Optimum, bool]]:
    """The fits at the search and at the target, with their optima, and whether at the target."""
    search = (question.arm, question.search_at)
    at_search = [o for o in entry.optima if (o.arm, o.axis_value) == search]
    if at_search:
        yield fits.ladder[search], at_search[0], False
    if fits.target is not None and entry.target is not None:
        yield fits.target, entry.target, True


def _beyond(fit: Fit, optimum: Optimum) -> list[float]:
    """Values on the open sides, or half octaves about the best where neither end lacks values."""
    flags = set(optimum.flags)
    outwards = _outwards(fit, left="censored_left" in flags, right="censored_right" in flags)
    return outwards or _between(fit)[:2]


def _outwards(fit: Fit, *, left: bool, right: bool) -> list[float]:
    x = fit.slice.log2_x
    if not x.size:
        return []
    step = float(np.median(np.diff(x))) if x.size > 1 else 1.0
    multiples = range(1, BEYOND_STEPS + 1)
    below = [float(x[0] - k * step) for k in multiples] if left else []
    is_free = right and not fit.slice.walls[x >= fit.center].any()
    return [*below, *([float(x[-1] + k * step) for k in multiples] if is_free else [])]


def _between(fit: Fit) -> list[float]:
    """Half and quarter octaves about the best value, apart from the values that have been run."""
    if math.isnan(fit.center):
        return []
    apart = math.log2(1 + SAME_VALUE)
    near = [fit.center + octaves for octaves in OCTAVES_BETWEEN]
    return [x for x in near if (np.abs(fit.slice.log2_x - x) > apart).all()]


def _closer_values(df: pd.DataFrame, fits: Fits, question: TransferQuestion) -> Iterator[Proposal]:
    """Half and quarter octaves about the best value at the target."""
    if fits.target is not None and (log2_x := _between(fits.target)):
        yield _proposal(
            df, question, "regret_uncertain", fits.target, at_target=True, log2_x=log2_x
        )


def _more_seeds(
    df: pd.DataFrame,
    entries: Sequence[HPVerdict],
    targets: Mapping[str, Fit],
    question: TransferQuestion,
) -> list[Proposal]:
    """The fewest seeds at the target that bring the sum of the bounds under the tolerance."""
    last = max(question.target_seeds)
    enough = next(
        (k for k in range(1, MAX_MORE_SEEDS + 1) if _would_settle(k, entries, targets, question)), 0
    )
    return [
        _proposal(
            df,
            question,
            "regret_uncertain",
            fit,
            at_target=True,
            log2_x=[float(x) for x in fit.slice.log2_x[~fit.slice.walls]],
            settles=enough > 0,
            seeds=tuple(range(last + 1, last + 1 + (enough or MAX_MORE_SEEDS))),
        )
        for fit in targets.values()
    ]


def _would_settle(
    more: int, entries: Sequence[HPVerdict], targets: Mapping[str, Fit], question: TransferQuestion
) -> bool:
    """Whether ``more`` seeds would give a PASS or a FAIL if the curves keep their present shape."""
    total, limits = 0.0, []
    next_level = dataclasses.replace(question, n_interim=question.n_interim + 1).confidence
    confidence = 1 - (1 - next_level) / len(entries)
    for entry in entries:
        fit, value = targets.get(entry.hp), question.transferred_value(entry.hp)
        if fit is None or value is None or not fit.ok or entry.tolerance_loss is None:
            return False
        excess = regret(with_more_seeds(fit, more), log2_of(value), confidence=confidence)
        if excess is not None and excess.lower > entry.tolerance_loss:
            return True
        total += math.inf if excess is None else excess.upper
        limits.append(entry.tolerance_loss)
    return bool(limits) and total < min(limits)


def _proposal(
    df: pd.DataFrame,
    question: TransferQuestion,
    cause: str,
    fit: Fit,
    *,
    at_target: bool,
    log2_x: list[float],
    settles: bool | None = None,
    seeds: tuple[int, ...] | None = None,
) -> Proposal:
    hp, axis_value = fit.slice.hp, fit.slice.axis_value
    if seeds is None:
        seeds = question.target_seeds if at_target else question.ladder_seeds(axis_value)
    flops = df[(df[question.axis] == axis_value) & (df["status"] == "done")]["flops"].mean()
    n_trials = len(log2_x) * len(seeds)
    return Proposal(
        cause=cause,
        hp=hp,
        arm=fit.slice.arm,
        axis_value=axis_value,
        at_target=at_target,
        log2_x=tuple(log2_x),
        seeds=seeds,
        n_trials=n_trials,
        flops=None if pd.isna(flops) else float(flops) * n_trials,
        settles=settles,
        text=_text(hp, log2_x, seeds, n_trials, question.at(axis_value), question),
    )


def _text(
    hp: str,
    log2_x: Sequence[float],
    seeds: Sequence[int],
    n_trials: int,
    where: str,
    question: TransferQuestion,
) -> str:
    which = f"seeds {', '.join(map(str, seeds))}"
    if not question.external:
        values = ", ".join(f"{x:.4g}" for x in log2_x)
        return f"{hp} at log2 {values}, {where}, {which}: {n_trials} trials."
    values = listed([f"{2.0**x:.4g}" for x in log2_x])
    which = which if question.paired and len(seeds) <= MAX_MORE_SEEDS else f"{len(seeds)} of each"
    return f"Add runs at {where} with {hp} = {values}, {which}: {n_trials} runs."
