"""The regret of a transferred value at an axis value, and whether the HP matters there."""

import math
from dataclasses import dataclass

import numpy as np

from mutransfer.analysis.fit.curve import Fit
from mutransfer.analysis.fit.optimum import CONFIDENCE, optimum
from mutransfer.analysis.table.slice import mean_loss

# A bound takes this share of the error that its confidence allows: true curves are none of the
# library's, and the rest is what `benchmarks/calibration` finds that this costs. With half of it a
# valley passes at regret 0 in 70 instead of 90 % (benchmarks/results/constants.md).
ERROR_SHARE = 0.7


@dataclass(frozen=True, kw_only=True)
class Regret:
    """Loss of a value minus the best loss of its slice, with one-sided bounds.

    Attributes:
        log2_x: log2 of the value.
        estimate: f(value) − min f on the mean curve, loss, ≥ 0.
        lower, upper: Its bounds, each at ``confidence``, loss, ≥ 0.
        confidence: Confidence level of each bound.
        pinned: The value was compared by its own mean loss, not by the curve.
    """

    log2_x: float
    estimate: float
    lower: float
    upper: float
    confidence: float
    pinned: bool


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """Whether some value of a slice is worse than its optimum by more than a tolerance.

    Attributes:
        sensitive: Shown with 95 % confidence, or by a wall (``by_divergence``).
        log2_worst: log2 of the value with the largest lower bound of its excess; None if there is
            no curve.
        lower: That lower bound, loss.
    """

    sensitive: bool
    by_divergence: bool
    log2_worst: float | None
    lower: float | None


def regret(
    fitted: Fit, log2_x: float, *, confidence: float = CONFIDENCE, pinned: bool = False
) -> Regret | None:
    """Return the regret of a value at the axis value of a fitted slice.

    The bounds are those of a profile likelihood over all shapes and locations of the minimum: the
    largest and the least regret of curves whose misfit is not rejected. A value between those of
    the window need not have been run. One off the window is pinned: compared by its own mean loss.

    Args:
        fitted: Fit of the slice.
        log2_x: log2 of the value.
        confidence: Confidence level of each bound.
        pinned: Compare by the value's own mean loss even if it lies on the curve.

    Returns:
        The regret, or None if it cannot be estimated: no curve, or the value is off the curve and
        was not run.
    """
    if not fitted.ok:
        return None
    on_curve = fitted.values[0] - 1e-9 <= log2_x <= fitted.values[-1] + 1e-9
    room = fitted.room(ERROR_SHARE * (1 - confidence))
    best = optimum(fitted).loss
    assert best is not None
    if on_curve and not pinned:
        estimate = float(fitted.value(log2_x)[0]) - best
        lower, upper = fitted.profile.excess_bounds(log2_x, room)
    else:
        own = _own_loss(fitted, log2_x)
        if own is None:
            return None
        estimate = own[0] - best
        low, high = fitted.profile.minimum_bounds(room, own[1])
        lower, upper = own[0] - high, own[0] - low
    estimate = max(estimate, 0.0)
    return Regret(
        log2_x=log2_x,
        estimate=estimate,
        lower=min(max(lower, 0.0), estimate),
        upper=max(upper, estimate),
        confidence=confidence,
        pinned=pinned or not on_curve,
    )


def _own_loss(fitted: Fit, log2_x: float) -> tuple[float, float] | None:
    """The mean loss of a value and the variance of that; None if it was not run."""
    index = fitted.slice.index(log2_x)
    if index is None or not fitted.slice.usable[index]:
        return None
    variance = float(fitted.variance[index])
    if math.isnan(variance):
        n_runs = np.isfinite(fitted.slice.loss[index]).sum()
        variance = fitted.noise_var / float(n_runs)
    return float(mean_loss(fitted.slice)[index]), variance


def sensitivity(fitted: Fit, tolerance_loss: float) -> Sensitivity:
    """Return whether some value is shown to be worse than the optimum by over the tolerance.

    Each value is compared by its own mean loss, with Bonferroni over the values, where an F test
    finds a difference between them at all: a curve that is free to bend bends to noise. A wall is
    worse without a test.
    """
    by_wall = bool(fitted.slice.walls.any())
    values = [float(x) for x in fitted.slice.log2_x[fitted.slice.usable]]
    # Either end of the curve may bend to noise: two chances for each value.
    confidence = 1 - (1 - CONFIDENCE) / max(2 * len(values), 1)
    bounds = [
        (excess.lower, x)
        for x in values
        if (excess := regret(fitted, x, confidence=confidence, pinned=True)) is not None
    ]
    lower, worst = max(bounds, default=(None, None))
    is_flat = "flat" in optimum(fitted).flags
    return Sensitivity(
        sensitive=by_wall or (lower is not None and lower > tolerance_loss and not is_flat),
        by_divergence=by_wall,
        log2_worst=worst,
        lower=lower,
    )
