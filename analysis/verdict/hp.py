"""The verdict on one HP."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace
from typing import Literal

from mutransfer.analysis.fit.optimum import Optimum, optimum
from mutransfer.analysis.transfer.drift import Contrast, Drift, contrast, drift
from mutransfer.analysis.transfer.prediction import Prediction
from mutransfer.analysis.transfer.regret import Regret, Sensitivity
from mutransfer.analysis.transfer.scaling_law import ScalingLaw, scaling_law
from mutransfer.analysis.verdict.alternatives import Alternative, alternatives
from mutransfer.analysis.verdict.causes import FAILURES, NO_FAILURE, Cause, causes_of, is_harmless
from mutransfer.analysis.verdict.conditions import Condition, conditions_of
from mutransfer.analysis.verdict.evidence import Fits
from mutransfer.analysis.verdict.hp_figures import HPFigures, hp_figures
from mutransfer.analysis.verdict.question import TransferQuestion

Word = Literal["PASS", "FAIL", "INCONCLUSIVE", "PREDICTED"]


@dataclass(frozen=True, kw_only=True)
class HPWord:
    """The word on one HP, and what the verdict on the set needs of it.

    Attributes:
        hp: The HP.
        word: PASS, FAIL or INCONCLUSIVE; PREDICTED without runs at the target.
        tolerance_loss: The tolerance as a loss; None if it cannot be computed.
        target: Optimum at the target.
        causes: Why there is no PASS; empty for a PASS.
        harmless: Not a PASS only because the HP does not matter in its range, its regret being
            bounded under the tolerance: it does not keep the set from a PASS.
    """

    hp: str
    word: Word
    tolerance_loss: float | None
    target: Optimum | None
    causes: tuple[Cause, ...]
    harmless: bool


@dataclass(frozen=True, kw_only=True)
class HPVerdict(HPWord):
    """The verdict on one HP, with its figures.

    Attributes:
        transferred: The value of the transferred set.
        optima: Optima of the ladder, by arm and axis value.
        regret: Regret at the target, each bound at `TransferQuestion.confidence`.
        regret_percent: (estimate, lower, upper) in % of the best loss at the target.
        alternatives: Regret of the transferred and of other values, in several units.
        sensitivity: Condition (c).
        drift_mup: Drift of the μP optimum.
        drift_sp: Drift of the control's optimum; it does not enter the verdict.
        contrast: Whether they differ.
        scaling: Best loss and best HP against width, for each arm; they enter no verdict. Empty
            along another axis.
        conditions: (a) to (e) of `verdict.conditions`.
        flags: Remarks on the value.
    """

    transferred: float | None
    optima: tuple[Optimum, ...]
    regret: Regret | None
    regret_percent: tuple[float, float, float] | None
    alternatives: tuple[Alternative, ...]
    sensitivity: Sensitivity | None
    drift_mup: Drift
    drift_sp: Drift | None
    contrast: Contrast | None
    scaling: tuple[ScalingLaw, ...]
    conditions: tuple[Condition, ...]
    flags: tuple[str, ...]


def judge_hp(fits: Fits, question: TransferQuestion) -> HPVerdict:
    """Return the verdict on one HP.

    PASS: the conditions (a) to (e) of `verdict.conditions` hold. FAIL: the lower bound of the
    regret is above the tolerance, or the transferred value diverged or collapsed at the target.
    Otherwise, and with one seed always, INCONCLUSIVE.
    """
    figures = hp_figures(fits, question)
    on_word = _word_of(figures, fits, question)
    mup = fits.of_arm("mup")
    # A table without μP has its only ladder in the place of the control.
    other = question.control if question.arm == "mup" else question.arm
    control = fits.of_arm(other) if other else []
    drift_mup = drift(mup, question.axis)
    drift_sp = drift(control, question.axis) if control else None
    # The laws of loss and optimum are laws of width.
    arms = (mup, control) if question.axis == "width" else ()
    return HPVerdict(
        **vars(on_word),
        transferred=(question.transferred or {}).get(fits.hp),
        optima=tuple(optimum(fit, on_word.tolerance_loss) for fit in (*mup, *control)),
        regret=figures.regret if figures else None,
        regret_percent=_percent(figures, question) if figures else None,
        alternatives=alternatives(fits, question),
        sensitivity=figures.sensitivity if figures else None,
        drift_mup=drift_mup,
        drift_sp=drift_sp,
        contrast=contrast(drift_mup, drift_sp) if drift_sp else None,
        scaling=tuple(law for law in map(scaling_law, arms) if law),
        conditions=conditions_of(figures) if figures else (),
        flags=tuple(question.transferred_flags.get(fits.hp, ())),
    )


def unchecked(entry: HPVerdict, predicted: Prediction | None, causes: Sequence[Cause]) -> HPVerdict:
    """Return the verdict on an HP of which nothing was run at the target: PREDICTED at best.

    Args:
        entry: What would be said without a prediction.
        predicted: The prediction there.
        causes: The causes on the set, of which those on the HP are kept.
    """
    holds = predicted is not None and predicted.holds
    own = tuple(
        c for c in causes if c.code != "not_predicted" or c.text.startswith(f"{entry.hp}: ")
    )
    return replace(
        entry,
        word="PREDICTED" if holds else "INCONCLUSIVE",
        tolerance_loss=predicted.tolerance_loss if predicted else entry.tolerance_loss,
        target=None,
        causes=own,
        harmless=False,
        conditions=(),
    )


def hp_word(fits: Fits, question: TransferQuestion) -> HPWord:
    """Return the word of `judge_hp` without its drift and scaling laws, which take longer."""
    return _word_of(hp_figures(fits, question), fits, question)


def _word_of(figures: HPFigures | None, fits: Fits, question: TransferQuestion) -> HPWord:
    causes = causes_of(figures, question) if figures else (_no_value(fits, question),)
    codes = {c.code for c in causes}
    return HPWord(
        hp=fits.hp,
        word=_word(codes),
        tolerance_loss=figures.tolerance_loss if figures else None,
        target=figures.target_opt if figures else None,
        causes=causes,
        harmless=figures is not None and is_harmless(figures, codes),
    )


def _word(codes: Set[str]) -> Word:
    if codes & FAILURES and not codes & NO_FAILURE:
        return "FAIL"
    return "INCONCLUSIVE" if codes else "PASS"


def _percent(figures: HPFigures, question: TransferQuestion) -> tuple[float, float, float] | None:
    regret, scale = figures.regret, question.tolerance.percents(figures.target_opt.loss)
    if regret is None or scale is None:
        return None
    return regret.estimate * scale, regret.lower * scale, regret.upper * scale


def _no_value(fits: Fits, question: TransferQuestion) -> Cause:
    if question.transferred is None:
        return Cause(
            code="no_transferred_set",
            text="No transferred set has been chosen yet.",
            remedy="Finish the slices.",
        )
    value = question.transferred.get(fits.hp)
    return Cause(
        code="not_on_log_scale",
        text=f"{fits.hp} = {value} has no logarithm, so no slice passes through it.",
        remedy=f"Leave {fits.hp} out of the sliced HPs or give it values above 0.",
    )
