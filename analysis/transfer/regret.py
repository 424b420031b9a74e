"""The regret of a transferred value at an axis value, and whether the HP matters there."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from mutransfer.analysis.fit.curve import Fit, fit_slices
from mutransfer.analysis.fit.minimum import CONFIDENCE, interior_minimum, t_quantile
from mutransfer.analysis.fit.optimum import optimum

GRID_PER_STEP = 32


@dataclass(frozen=True, kw_only=True)
class Regret:
    """Loss of a value minus the best loss of its slice, with one-sided bounds.

    Attributes:
        log2_x: log2 of the value.
        estimate: max over x of f(value) − f(x) on the fitted curve, loss, ≥ 0.
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
        sensitive: Shown with 95 % confidence, or by a diverged value (``by_divergence``).
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

    R = f(x_p) − min f = max_x d(x) with d(x) = f(x_p) − f(x). The upper bound is the largest
    d(x) + t·se(x): it covers because it covers at x = the true optimum. For each x it is read from
    a curve that may have a kink at x (`Fit.differences_with_kink`): between two values the data do
    not show that a curve is smooth at its minimum. t is the quantile at (1 + confidence)/2, not at
    confidence: what the asymmetry and the roughness of the curve add to one side is known to first
    order only (with the latter, `benchmarks/calibration` finds 87 % for an exact cubic whose cubic
    term is half the quadratic). The lower bound is the largest
    d(x) − t(1 − (1 − confidence)/K; df)·se(x) over the K values (Bonferroni), from a curve that may
    have a kink at its fitted minimum. A value off the curve (outside its window, or a cliff) is
    pinned: compared by its own mean loss.

    Args:
        fitted: Fit of the slice, without a pinned value.
        log2_x: log2 of the value.
        confidence: Confidence level of each bound.
        pinned: Compare by the value's own mean loss even if it lies on the curve.

    Returns:
        The regret, or None if it cannot be estimated: no curve, or the value is off the curve and
        was not run.
    """
    fit = _fits_with(fitted, [log2_x], pinned=pinned)[0]
    if fit is None:
        return None
    locations, lowest = _possible_optima(fit), interior_minimum(fit)
    kink = np.full(fit.values.size, fit.center if lowest is None else lowest)
    estimate = max(float(fit.differences(log2_x, locations)[0].max()), 0.0)
    estimates, errors = fit.differences_with_kink(log2_x, locations, locations)
    upper = estimates + t_quantile(fit, confidence) * errors
    to_values = fit.differences_with_kink(log2_x, fit.values, kink)
    return Regret(
        log2_x=log2_x,
        estimate=estimate,
        lower=_lower(*to_values, fit.df, confidence),
        upper=max(float(upper.max()), estimate),
        confidence=confidence,
        pinned=fit.pinned is not None,
    )


def _fits_with(fitted: Fit, values: Sequence[float], *, pinned: bool = False) -> list[Fit | None]:
    """For each value the fit that holds it: the curve, or a refit in which it is pinned."""
    if not fitted.ok:
        return [None for _ in values]
    first, last = fitted.values[0] - 1e-9, fitted.values[-1] + 1e-9
    fits: list[Fit | None] = [fitted if first <= x <= last and not pinned else None for x in values]
    at = [None if f else fitted.slice.index(x) for f, x in zip(fits, values, strict=True)]
    off = [i for i, k in enumerate(at) if k is not None and fitted.slice.usable[k]]
    refits = fit_slices(
        [fitted.slice] * len(off),
        spacing_log2=fitted.spacing_log2,
        pinned=[values[i] for i in off],
    )
    for i, refit in zip(off, refits, strict=True):
        fits[i] = refit if refit.ok else None
    return fits


def _possible_optima(fitted: Fit) -> np.ndarray:
    """Where the optimum may be: the window, and its interval beyond it towards a barrier."""
    opt = optimum(fitted)
    first, last = fitted.values[0], fitted.values[-1]
    first = first if opt.log2_low is None else min(first, opt.log2_low)
    last = last if opt.log2_high is None else max(last, opt.log2_high)
    step = fitted.spacing_log2 / GRID_PER_STEP
    grid = np.linspace(first, last, math.ceil((last - first) / step) + 1)
    return np.union1d(grid, fitted.values)


def _lower(estimates: np.ndarray, errors: np.ndarray, df: float, confidence: float) -> float:
    """The largest lower bound of several differences, with Bonferroni, at least 0."""
    quantile = special.stdtrit(df, 1 - (1 - confidence) / len(estimates))
    return max(float((estimates - quantile * errors).max()), 0.0)


def sensitivity(fitted: Fit, tolerance_loss: float) -> Sensitivity:
    """Return whether some value is shown to be worse than the optimum by over the tolerance.

    f(x_i) − min f ≥ f(x_i) − f(x_j) for any j, so one pair of values suffices; t bounds with
    Bonferroni over all pairs. Values off the curve are compared by their own mean loss. A value
    that diverged is worse without a test.
    """
    by_divergence = bool(fitted.slice.diverged.any())
    values = [float(x) for x in fitted.slice.log2_x[fitted.slice.usable]]
    worst: tuple[float, float] | None = None
    confidence = 1 - (1 - CONFIDENCE) / max(len(values), 1)
    for x, fit in zip(values, _fits_with(fitted, values), strict=True):
        if fit is None:
            continue
        lower = _lower(*fit.differences(x, fit.values), fit.df, confidence)
        if worst is None or lower > worst[1]:
            worst = (x, lower)
    return Sensitivity(
        sensitive=by_divergence or (worst is not None and worst[1] > tolerance_loss),
        by_divergence=by_divergence,
        log2_worst=None if worst is None else worst[0],
        lower=None if worst is None else worst[1],
    )


def predicted_regret(
    curvature: float | None, drift_bound: float | None, doublings: float
) -> float | None:
    """Return the regret predicted beyond the target: curvature·(drift bound·doublings)², loss.

    None where a number is missing or the curvature is negative.

    Args:
        curvature: f''/2 at the target, loss/octave².
        drift_bound: Upper bound of the size of the drift, octaves/doubling.
        doublings: log2(axis value / target axis value).
    """
    if curvature is None or drift_bound is None or curvature < 0:
        return None
    return curvature * (drift_bound * doublings) ** 2
