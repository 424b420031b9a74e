"""The verdict on one HP."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from mutransfer.analysis.fit.curve import Fit
from mutransfer.analysis.fit.optimum import Optimum, optimum
from mutransfer.analysis.transfer.drift import Contrast, Drift, contrast, drift
from mutransfer.analysis.transfer.regret import Regret, Sensitivity
from mutransfer.analysis.transfer.scaling_law import Scaling, scaling
from mutransfer.analysis.verdict.alternatives import Loss, alternatives
from mutransfer.analysis.verdict.causes import Cause, causes_of, is_harmless
from mutransfer.analysis.verdict.conditions import Condition, conditions_of
from mutransfer.analysis.verdict.evidence import Fits
from mutransfer.analysis.verdict.findings import HPFigures, findings
from mutransfer.analysis.verdict.question import TransferQuestion

Word = Literal["PASS", "FAIL", "INCONCLUSIVE"]


@dataclass(frozen=True, kw_only=True)
class HPVerdict:
    """What the table says about one HP.

    Attributes:
        hp: The HP.
        word: PASS, FAIL or INCONCLUSIVE.
        transferred: The value of the transferred set.
        tolerance_loss: The tolerance as a loss; None if it cannot be formed.
        optima: Optima of the ladder, by arm and width.
        target: Optimum at the target.
        regret: Regret at the target, each bound at `Question.level`.
        regret_percent: (estimate, lower, upper) in % of the best loss at the target.
        alternatives: What the transferred and other values lose, in several units.
        sensitivity: Condition (c).
        drift_mup: Drift of the μP optimum.
        drift_sp: Drift of the control's optimum; it does not enter the verdict.
        contrast: Whether they differ.
        scaling: Best loss and best HP against width, for each arm; they enter no verdict. Empty
            along another axis.
        conditions: (a) to (d) of design §7, and (e): enough complete rows (2 seeds, 4 values).
        causes: Why there is no PASS; empty for a PASS.
        harmless: Not a PASS only because the HP does not matter in its range, its regret being
            bounded under the tolerance: it does not keep the set from a PASS.
        flags: Remarks on the value.
    """

    hp: str
    word: Word
    transferred: float | None
    tolerance_loss: float | None
    optima: tuple[Optimum, ...]
    target: Optimum | None
    regret: Regret | None
    regret_percent: tuple[float, float, float] | None
    alternatives: tuple[Loss, ...]
    sensitivity: Sensitivity | None
    drift_mup: Drift
    drift_sp: Drift | None
    contrast: Contrast | None
    scaling: tuple[Scaling, ...]
    conditions: tuple[Condition, ...]
    causes: tuple[Cause, ...]
    harmless: bool
    flags: tuple[str, ...]


def judge_hp(evidence: Fits, question: TransferQuestion) -> HPVerdict:
    """Return the verdict on one HP.

    PASS needs the conditions (a) to (d) of design §7 and complete rows with at least two
    target seeds and four values: with one seed, what differs from seed to seed cannot be told
    from the curve; three values always lie on a parabola.
    FAIL: the lower bound of the regret is over the tolerance, or the transferred value
    diverged at the target. Else INCONCLUSIVE.
    """
    drift_mup = drift(evidence.of_arm("mup"), question.axis)
    control = evidence.of_arm(question.control) if question.control else []
    drift_sp = drift(control, question.axis) if control else None
    # The laws of loss and optimum are laws of width.
    measured = (evidence.of_arm("mup"), control) if question.axis == "width" else ()
    found = findings(evidence, question)
    conditions = conditions_of(found) if found else ()
    causes = _causes(found, evidence, question)
    codes = {c.code for c in causes}
    value = None if question.transferred is None else question.transferred.get(evidence.hp)
    return HPVerdict(
        hp=evidence.hp,
        word=_word(codes),
        transferred=value,
        tolerance_loss=found.tolerance_loss if found else None,
        optima=_optima([*evidence.of_arm("mup"), *control], found),
        target=found.target_opt if found else None,
        regret=found.regret if found else None,
        regret_percent=_percent(found) if found else None,
        alternatives=alternatives(evidence, question),
        sensitivity=found.sensitivity if found else None,
        drift_mup=drift_mup,
        drift_sp=drift_sp,
        contrast=contrast(drift_mup, drift_sp) if drift_sp else None,
        scaling=tuple(s for s in map(scaling, measured) if s),
        conditions=conditions,
        causes=causes,
        harmless=found is not None and is_harmless(found, codes),
        flags=tuple(question.transferred_flags.get(evidence.hp, ())),
    )


def word_of(evidence: Fits, question: TransferQuestion) -> Word:
    """Return the word of `judge_hp` alone."""
    found = findings(evidence, question)
    return _word({c.code for c in _causes(found, evidence, question)})


def _causes(
    found: HPFigures | None, evidence: Fits, question: TransferQuestion
) -> tuple[Cause, ...]:
    return causes_of(found, question) if found else (_no_set(evidence, question),)


def _word(codes: set[str]) -> Word:
    if codes & {"regret_too_large", "diverged_at_target"}:
        return "FAIL"
    return "INCONCLUSIVE" if codes else "PASS"


def _optima(fits: Sequence[Fit], found: HPFigures | None) -> tuple[Optimum, ...]:
    tolerance = found.tolerance_loss if found else None
    return tuple(optimum(f, tolerance) for f in fits)


def _percent(found: HPFigures) -> tuple[float, float, float] | None:
    if found.regret is None or not found.target_opt.loss:
        return None
    scale = 100 / abs(found.target_opt.loss)
    r = found.regret
    return r.estimate * scale, r.lower * scale, r.upper * scale


def _no_set(evidence: Fits, question: TransferQuestion) -> Cause:
    if question.transferred is None:
        return Cause(
            code="no_transferred_set",
            text="No transferred set has been chosen yet.",
            remedy="Finish the slices.",
        )
    value = question.transferred.get(evidence.hp)
    return Cause(
        code="not_on_log_scale",
        text=f"{evidence.hp} = {value} has no logarithm, so no slice passes through it.",
        remedy=f"Leave {evidence.hp} out of the sliced HPs or give it values above 0.",
    )
