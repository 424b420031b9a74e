"""The verdict on the transferred set, from those on its HPs."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mutransfer.analysis.table.axis import AXIS_LABELS
from mutransfer.analysis.table.slice import log2_of
from mutransfer.analysis.text_table import bound_text
from mutransfer.analysis.transfer.prediction import Prediction
from mutransfer.analysis.transfer.regret import Regret, regret
from mutransfer.analysis.verdict.causes import FAILURES, Cause
from mutransfer.analysis.verdict.evidence import Fits
from mutransfer.analysis.verdict.hp import HPWord, Word
from mutransfer.analysis.verdict.question import TransferQuestion


@dataclass(frozen=True, kw_only=True)
class SetVerdict:
    """The verdict on the transferred set.

    Attributes:
        word: PASS, FAIL or INCONCLUSIVE; PREDICTED without runs at the target.
        confidence: Confidence level of the bound of each HP, 1 − 0.05/H for H HPs (Bonferroni);
            higher after interim analyses (`TransferQuestion.confidence`).
        regret_upper: Sum of the HPs' upper bounds at ``confidence``, loss; None if one is missing.
            It bounds the set's regret with 95 % confidence if the HPs do not interact.
        regret_upper_percent: The same in % of the best loss at the target.
        excess_lower: Lower bound of the set's own loss minus the best of the target slices.
        tolerance_loss: The smallest tolerance of the HPs, loss.
        best_loss: Lowest fitted loss of the target slices.
        causes: Why there is no PASS.
        notes: What was taken into account but does not prevent a PASS.
    """

    word: Word
    confidence: float
    regret_upper: float | None
    regret_upper_percent: float | None
    excess_lower: float | None
    tolerance_loss: float | None
    best_loss: float | None
    causes: tuple[Cause, ...]
    notes: tuple[str, ...]


def judge_set(
    entries: Sequence[HPWord], fits: Mapping[str, Fits], question: TransferQuestion
) -> SetVerdict:
    """Return the verdict on the set; see `verdict.judge.judge` for its rule.

    Args:
        entries: The words on its HPs.
        fits: Their fitted slices by HP.
        question: The question that is judged.
    """
    is_star = question.check == "star"
    # A star has one bound for the sum, a slice of its own one for each HP.
    n_bounds = 1 if is_star else max(len(entries), 1)
    confidence = 1 - (1 - question.confidence) / n_bounds
    if is_star:
        upper, excess = _bounds_of_star(entries, fits, confidence)
    else:
        upper = _sum_of_bounds(entries, fits, question, confidence)
        excess = _excess(entries, fits, question, confidence)
    tolerance = _smallest_tolerance(entries)
    best = min(
        (e.target.loss for e in entries if e.target and e.target.loss is not None), default=None
    )
    failed = _failures(entries, excess, tolerance, question)
    open_ = _open_causes(entries)
    if not failed and not open_:
        open_ = _unbounded_sum(upper, tolerance, question)
    percents = question.tolerance.percents(best)
    word: Word = "FAIL" if failed else "INCONCLUSIVE" if open_ else "PASS"
    return SetVerdict(
        word=word,
        confidence=confidence,
        regret_upper=upper,
        regret_upper_percent=None if upper is None or percents is None else upper * percents,
        excess_lower=excess,
        tolerance_loss=tolerance,
        best_loss=best,
        causes=(*failed, *open_),
        notes=_notes(entries, question),
    )


def _bounds_of_star(
    entries: Sequence[HPWord], fits: Mapping[str, Fits], confidence: float
) -> tuple[float | None, float | None]:
    """The upper and the lower bound of the set's regret; None where there is none."""
    star = fits[entries[0].hp].star if entries else None
    if star is None:
        return None, None
    bound = star.bound(1 - confidence)
    upper = bound.upper if math.isfinite(bound.upper) else None
    return upper, bound.lower if bound.fits else None


def unchecked_set(
    on_set: SetVerdict, predictions: Mapping[str, Prediction | None], question: TransferQuestion
) -> SetVerdict:
    """Return the verdict on a set of which nothing was run at the target: PREDICTED at best.

    PREDICTED: every HP has a calibrated bound (`transfer.prediction`), and their sum is under the
    tolerance. Else INCONCLUSIVE; never PASS, never FAIL.

    Args:
        on_set: What would be said without predictions.
        predictions: The prediction at the target by HP; None: too few optima for one.
        question: The question that is judged.
    """
    known = [p for p in predictions.values() if p is not None]
    uppers = [p.regret_upper for p in known if p.regret_upper is not None]
    upper = sum(uppers) if uppers and len(uppers) == len(predictions) else None
    accepted = [p.tolerance_loss for p in known if p.tolerance_loss is not None]
    tolerance = min(accepted) if accepted else None
    causes = _unpredicted(predictions, upper, tolerance, question)
    return replace(
        on_set,
        word="INCONCLUSIVE" if causes else "PREDICTED",
        regret_upper=upper,
        regret_upper_percent=None,
        tolerance_loss=tolerance,
        causes=(*causes, _not_run(question)),
    )


def _not_run(question: TransferQuestion) -> Cause:
    where = question.at(question.target_at)
    return Cause(
        code="no_target_runs",
        text=f"Nothing was run at {where}: what holds there is predicted from the ladder.",
        remedy=f"A PASS needs runs at {where}.",
    )


def _unpredicted(
    predictions: Mapping[str, Prediction | None],
    upper: float | None,
    tolerance: float | None,
    question: TransferQuestion,
) -> list[Cause]:
    """Why nothing is promised."""
    plural, where = AXIS_LABELS[question.axis].plural, question.at(question.target_at)
    causes = []
    for hp, predicted in predictions.items():
        few = f"Fewer than 3 {plural} have a bracketed optimum of {hp} away from divergence."
        for text in (few,) if predicted is None else predicted.reasons:
            remedy = f"Four or more {plural} of {hp}, bracketed, with two seeds each."
            causes.append(Cause(code="not_predicted", text=f"{hp}: {text}", remedy=remedy))
    is_under = upper is not None and tolerance is not None and upper < tolerance
    if not causes and not is_under:
        bound = bound_text(upper)
        limit = "unknown" if tolerance is None else f"{tolerance:.4g}"
        text = f"The regret predicted at {where} is at most {bound}; the tolerance is {limit}."
        remedy = f"More {plural}, less noise, or runs at {where}."
        causes.append(Cause(code="prediction_uncertain", text=text, remedy=remedy))
    return causes


def _sum_of_bounds(
    entries: Sequence[HPWord],
    fits: Mapping[str, Fits],
    question: TransferQuestion,
    confidence: float,
) -> float | None:
    """The sum of the HPs' upper bounds, from their curves; None if one is missing."""
    regrets = [_regret(fits[e.hp], question, confidence, pinned=False) for e in entries]
    bounds = [r.upper for r in regrets if r is not None]
    return sum(bounds) if bounds and len(bounds) == len(entries) else None


def _excess(
    entries: Sequence[HPWord],
    fits: Mapping[str, Fits],
    question: TransferQuestion,
    confidence: float,
) -> float | None:
    """Lower bound of the loss of the set's own runs minus the best of a target slice.

    Slices of one seed, and those that fit no shape well, give none: they show no failure.
    """
    targets = {e.hp: fits[e.hp].target for e in entries}
    clear = [hp for hp, t in targets.items() if t and t.ok and not t.is_one_seed and t.scale == 1]
    regrets = [_regret(fits[hp], question, confidence, pinned=True) for hp in clear]
    return max((r.lower for r in regrets if r is not None), default=None)


def _regret(
    fits: Fits, question: TransferQuestion, confidence: float, *, pinned: bool
) -> Regret | None:
    value = question.transferred_value(fits.hp)
    if fits.target is None or value is None:
        return None
    return regret(fits.target, log2_of(value), confidence=confidence, pinned=pinned)


def _smallest_tolerance(entries: Sequence[HPWord]) -> float | None:
    tolerances = [e.tolerance_loss for e in entries if e.tolerance_loss is not None]
    return min(tolerances) if tolerances and len(tolerances) == len(entries) else None


def _failures(
    entries: Sequence[HPWord],
    excess: float | None,
    tolerance: float | None,
    question: TransferQuestion,
) -> list[Cause]:
    failed = [c for e in entries if e.word == "FAIL" for c in e.causes if c.code in FAILURES]
    if failed or tolerance is None or excess is None or excess <= tolerance:
        return failed
    return [
        Cause(
            code="set_worse",
            text=f"The transferred set's own runs lose at least {excess:.4g} against the "
            f"best of a target slice, more than the tolerance {tolerance:.4g}.",
            remedy=f"The HPs interact: tune them together at a larger {question.axis_name}.",
        )
    ]


def _open_causes(entries: Sequence[HPWord]) -> list[Cause]:
    """What leaves the verdict open; harmless HPs count only where no other HP is a PASS."""
    if not entries:
        return [Cause(code="no_hps", text="No HP was sliced.", remedy="Name HPs to slice.")]
    is_open = [e for e in entries if e.word == "INCONCLUSIVE" and not e.harmless]
    if not any(e.word == "PASS" for e in entries):
        is_open += [e for e in entries if e.harmless]
    return [cause for entry in is_open for cause in entry.causes]


def _unbounded_sum(
    upper: float | None, tolerance: float | None, question: TransferQuestion
) -> list[Cause]:
    if upper is not None and tolerance is not None and upper < tolerance:
        return []
    bound = bound_text(upper)
    limit = "unknown" if tolerance is None else f"{tolerance:.4g}"
    return [
        Cause(
            code="sum_uncertain",
            text=f"Each HP alone is within the tolerance, but their upper bounds sum to {bound}; "
            f"the tolerance is {limit}.",
            remedy=f"More seeds at the target {question.axis_name}.",
        )
    ]


def _notes(entries: Sequence[HPWord], question: TransferQuestion) -> tuple[str, ...]:
    notes = [
        f"{e.hp} does not matter in its range; its regret is tolerated."
        for e in entries
        if e.harmless
    ]
    if question.n_interim:
        notes.append(
            f"Analysis {question.n_interim + 1}, after {question.n_interim} interim: each bound "
            f"holds at {100 * question.confidence:.6g} %, so that all analyses together err in at "
            "most 5 %."
        )
    return tuple(notes)
