"""The speed-up of μP over SP at one width: SP's steps to its final loss over μP's steps to it.

The measure of arXiv 2505.15270 (its 2.9 for DiT-XL-2), on the validation loss, each seed paired
with itself, as a geometric mean.

The rule for reaching a loss is the same for both arms. A validation curve jitters, so the first
step at which it touches a loss is biased early and the last step at which it leaves it is biased
late. So each curve is replaced by its isotonic regression, which pools neighbouring points that do
not fall; a pool lies at the mean of its log steps, and between pools the loss is linear in log
step. The final loss of SP is that of its last pool, and SP reaches it there. Equal curves give 1,
and a curve that falls at every point is left unchanged.

A seed whose μP run never reaches that loss has no ratio, only an upper bound: the ratio that
reaching it at the last step would give. With one such seed or more the mean is not defined, so a
one-sided bound is given instead. Nothing here enters the verdict.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import special

from mutransfer.analysis.fit.optimum import CONFIDENCE
from mutransfer.analysis.transfer.comparison import (
    Comparison,
    ValidationCurve,
    validation_curves,
)
from mutransfer.analysis.transfer.isotonic import isotonic_fit, step_at_loss

Baseline = Literal["default", "tuned"]
SpeedUpKind = Literal["measured", "bound", "none"]


@dataclass(frozen=True, kw_only=True)
class SeedPair:
    """One seed in both arms.

    Attributes:
        seed: The seed.
        loss: Final loss of the SP run after isotonic regression: the loss to be reached.
        sp_step: Step at which SP reaches it.
        mup_step: Step at which μP reaches it; None where it does not.
        mup_last_step: Last step at which μP could have reached it.
    """

    seed: int
    loss: float
    sp_step: float
    mup_step: float | None
    mup_last_step: float

    @property
    def log2_ratio(self) -> float:
        """log2 of SP's steps over μP's; an upper bound of it where μP does not reach the loss."""
        return math.log2(self.sp_step / (self.mup_step or self.mup_last_step))


@dataclass(frozen=True, kw_only=True)
class SpeedUp:
    """μP against one SP baseline.

    Attributes:
        baseline: ``default`` or ``tuned``.
        lr: LR of the baseline.
        kind: ``measured``: a ratio; ``bound``: only ``below``, since some seed's μP run does not
            reach the loss; ``none``: neither, for ``reason``.
        ratio: Geometric mean of SP's steps over μP's.
        low, high: Its 95 % interval, Student's t on the log ratios; None with one seed.
        below: Where ``kind`` is ``bound``: an upper bound of the geometric mean, Student's t on the
            log ratios with a bound in place of each unreached one; if no seed reaches the loss, the
            largest of their bounds.
        below_confidence: Confidence level of ``below``: 0.95; if no seed reaches the loss
            1 − 2^−n, that of a sign test of n seeds.
        flops_factor: FLOPs of an SP step over those of a μP step, by which each figure is
            multiplied to give the ratio of FLOPs; None if unknown.
        pairs: The seeds with a finished SP run.
        n_unreached: Pairs whose μP run does not reach the loss.
        difference: Mean over seeds of μP's final loss minus SP's.
        difference_low, difference_high: Its 95 % interval.
        reason: Why there is no figure, else None.
    """

    baseline: Baseline
    lr: float
    kind: SpeedUpKind
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    below: float | None = None
    below_confidence: float | None = None
    flops_factor: float | None = None
    pairs: tuple[SeedPair, ...] = ()
    n_unreached: int = 0
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class ConvergenceResult:
    """The speed-ups of a study; `to_dict` gives plain data."""

    comparison: Comparison
    speed_ups: tuple[SpeedUp, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON."""
        return {
            "width": self.comparison.width,
            "steps": self.comparison.steps,
            "n_val": self.comparison.n_val,
            "is_annealed": self.comparison.is_annealed,
            "sp_tuned_flags": list(self.comparison.sp_tuned_flags),
            "speed_ups": [
                dataclasses.asdict(s) | {"pairs": _pairs_dict(s)} for s in self.speed_ups
            ],
        }


def _pairs_dict(speed_up_: SpeedUp) -> list[dict[str, Any]]:
    return [dataclasses.asdict(p) | {"log2_ratio": p.log2_ratio} for p in speed_up_.pairs]


def compare_convergence(
    df: pd.DataFrame, curves: pd.DataFrame, comparison: Comparison
) -> ConvergenceResult:
    """Return the speed-up of μP over SP with its default and with its tuned LR.

    Args:
        df: A validated results table.
        curves: Training curves: columns trial_id, step, val_loss.
        comparison: The runs to compare.
    """
    mup = validation_curves(df, curves, comparison, "mup", comparison.mup)
    baselines: dict[Baseline, Mapping[str, float | None]] = {"default": comparison.sp_default}
    if comparison.sp_tuned is not None:
        baselines["tuned"] = comparison.sp_tuned
    speed_ups = tuple(
        speed_up(
            validation_curves(df, curves, comparison, "sp", hps),
            mup,
            baseline=name,
            lr=hps["lr"] or 0.0,
        )
        for name, hps in baselines.items()
    )
    return ConvergenceResult(comparison=comparison, speed_ups=speed_ups)


def speed_up(
    sp: Sequence[ValidationCurve], mup: Sequence[ValidationCurve], *, baseline: Baseline, lr: float
) -> SpeedUp:
    """Return the speed-up of μP over one baseline, seeds paired.

    A μP run that diverged does not reach the loss; failed runs count as missing. An SP run that
    diverged has no final loss, and the other seeds are a selected sample then, so that there is no
    figure.
    """
    reason = _reason(sp, mup)
    if reason is not None:
        return SpeedUp(baseline=baseline, lr=lr, kind="none", reason=reason)
    mup_of = {run.seed: run for run in mup if _is_usable_mup(run)}
    usable = [run for run in sp if run.status == "done" and len(run.steps)]
    both = [(run, mup_of[run.seed]) for run in usable if run.seed in mup_of]
    pairs = tuple(_pair(a, b) for a, b in both)
    n_unreached = sum(pair.mup_step is None for pair in pairs)
    log2 = np.array([pair.log2_ratio for pair in pairs])
    mean_ratio = 2.0 ** float(log2.mean())
    losses = [b.losses[-1] - a.losses[-1] for a, b in both if b.status == "done"]
    difference, difference_low, difference_high = _mean_interval(np.array(losses))
    result = SpeedUp(
        baseline=baseline,
        lr=lr,
        kind="bound" if n_unreached else "measured",
        pairs=pairs,
        n_unreached=n_unreached,
        flops_factor=_flops_factor(sp, mup),
        difference=difference,
        difference_low=difference_low,
        difference_high=difference_high,
    )
    if n_unreached == len(pairs):
        confidence = 1 - 0.5 ** len(pairs)
        below = 2.0 ** float(log2.max())
        return dataclasses.replace(result, below=below, below_confidence=confidence)
    if n_unreached:
        half = _half_length(log2, one_sided=True) or 0.0
        below = mean_ratio * 2.0**half
        return dataclasses.replace(result, below=below, below_confidence=CONFIDENCE)
    half_length = _half_length(log2)
    if half_length is None:
        return dataclasses.replace(result, ratio=mean_ratio)
    low, high = mean_ratio * 2.0**-half_length, mean_ratio * 2.0**half_length
    return dataclasses.replace(result, ratio=mean_ratio, low=low, high=high)


def _reason(sp: Sequence[ValidationCurve], mup: Sequence[ValidationCurve]) -> str | None:
    """Why there is no figure, or None."""
    n_diverged = sum(run.status == "diverged" for run in sp)
    if n_diverged:
        return f"SP diverged with {n_diverged} of {len(sp)} seeds, so it has no final loss to reach"
    with_curve = {run.seed for run in sp if run.status == "done" and len(run.steps)}
    also = {run.seed for run in mup if _is_usable_mup(run)}
    if not with_curve & also:
        return "no seed has a validation curve of both arms"
    return None


def _is_usable_mup(mup: ValidationCurve) -> bool:
    """Whether a μP run shows when it reaches the loss, or that it does not."""
    return mup.status == "diverged" or (mup.status == "done" and len(mup.steps) > 0)


def _pair(sp: ValidationCurve, mup: ValidationCurve) -> SeedPair:
    log2_steps, losses = isotonic_fit(sp.steps, sp.losses)
    loss, diverged = float(losses[-1]), mup.status == "diverged"
    return SeedPair(
        seed=sp.seed,
        loss=loss,
        sp_step=float(2.0 ** log2_steps[-1]),
        mup_step=None if diverged else step_at_loss(*isotonic_fit(mup.steps, mup.losses), loss),
        mup_last_step=float(sp.steps[-1] if diverged else mup.steps[-1]),
    )


def _half_length(values: np.ndarray, *, one_sided: bool = False) -> float | None:
    """Half the length of Student's interval of a mean; None for one value."""
    if len(values) < 2:
        return None
    p = CONFIDENCE if one_sided else 0.5 + CONFIDENCE / 2
    quantile = float(special.stdtrit(len(values) - 1, p))
    return quantile * float(values.std(ddof=1)) / math.sqrt(len(values))


def _mean_interval(values: np.ndarray) -> tuple[float | None, float | None, float | None]:
    """Mean and its 95 % interval."""
    if not len(values):
        return None, None, None
    mean, half = float(values.mean()), _half_length(values)
    return (mean, None, None) if half is None else (mean, mean - half, mean + half)


def _flops_factor(sp: Sequence[ValidationCurve], mup: Sequence[ValidationCurve]) -> float | None:
    """FLOPs of an SP step over those of a μP step; None if either is unknown."""
    a = [run.flops_per_step for run in sp if run.flops_per_step]
    b = [run.flops_per_step for run in mup if run.flops_per_step]
    return float(np.mean(a) / np.mean(b)) if a and b else None
