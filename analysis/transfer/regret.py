"""What a transferred value costs at a width, and whether the HP matters there."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from mutransfer.analysis.fit.curve import Fit, fits
from mutransfer.analysis.fit.minimum import LEVEL, vertex
from mutransfer.analysis.fit.optimum import optimum
from mutransfer.analysis.transfer.drift import Contrast, Drift, FiniteWidth, contrast, drift

__all__ = [
    "Contrast",
    "Drift",
    "FiniteWidth",
    "Regret",
    "Sensitivity",
    "contrast",
    "drift",
    "predicted_regret",
    "regret",
    "sensitivity",
]

GRID_PER_STEP = 32


@dataclass(frozen=True, kw_only=True)
class Regret:
    """Loss of a value minus the best loss of its slice, with one-sided bounds.

    Attributes:
        log2_x: log2 of the value.
        estimate: max over x of f(value) − f(x) on the fitted curve, loss, ≥ 0.
        lower, upper: Its bounds, each at ``level``, loss, ≥ 0.
        level: Confidence of each bound.
        pinned: The value was compared by its own losses, not by its place on the curve.
    """

    log2_x: float
    estimate: float
    lower: float
    upper: float
    level: float
    pinned: bool


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """Whether some value of a slice is worse than its optimum by more than a tolerance.

    Attributes:
        sensitive: Shown with 95 % confidence, or by a diverged value (``by_divergence``).
        log2_worst: The value with the largest proven excess, if any could be judged.
        lower: Lower bound of that excess, loss.
    """

    sensitive: bool
    by_divergence: bool
    log2_worst: float | None
    lower: float | None


def regret(
    fitted: Fit, log2_x: float, *, level: float = LEVEL, pinned: bool = False
) -> Regret | None:
    """Return the regret of a value at the width of a fitted slice.

    R = f(x_p) − min f = max_x d(x) with d(x) = f(x_p) − f(x). The upper bound is the largest
    d(x) + t·se(x): it covers because it covers at x = the true optimum. For each x it is read from
    a curve that may be kinked at x (`Fit.doubted`): between two values nothing shows that a
    curve is smooth at its minimum. t is the quantile at (1 + level)/2, not at level: what the
    curve's asymmetry and roughness add to one side is known to first order only (with the
    other, `benchmarks/calibration` finds 87 % for an exact cubic whose cubic term is half the
    quadratic). The lower bound is the largest d(x) − t(1 − (1 − level)/K; df)·se(x) over the K
    values (Bonferroni), from a curve that may be kinked at its fitted minimum.
    A value off the curve (outside its window, or a cliff) is compared by its own losses: it
    gets a level of its own in the linear model.

    Args:
        fitted: Fit of the slice, without own level.
        log2_x: log2 of the value.
        level: Confidence of each bound.
        pinned: Compare by the value's own losses even if it lies on the curve.

    Returns:
        The regret, or None where nothing can be said: no curve, or the value is off the curve
        and was not run.
    """
    placed = _placed(fitted, [log2_x], pinned=pinned)[0]
    if placed is None:
        return None
    places, lowest = _places(placed), vertex(placed)
    kink = np.full(placed.values.size, placed.center if lowest is None else lowest)
    estimate = max(float(placed.differences(log2_x, places)[0].max()), 0.0)
    estimates, errors = placed.differences_with_kink(log2_x, places, places)
    upper = estimates + special.stdtrit(placed.df, 0.5 + level / 2) * errors
    return Regret(
        log2_x=log2_x,
        estimate=estimate,
        lower=_lower(*placed.differences_with_kink(log2_x, placed.values, kink), placed.df, level),
        upper=max(float(upper.max()), estimate),
        level=level,
        pinned=placed.own is not None,
    )


def _placed(fitted: Fit, values: Sequence[float], *, pinned: bool = False) -> list[Fit | None]:
    """The fits in which values have their place: on the curve, or with a level of their own."""
    if not fitted.ok:
        return [None for _ in values]
    first, last = fitted.values[0] - 1e-9, fitted.values[-1] + 1e-9
    found: list[Fit | None] = [
        fitted if first <= x <= last and not pinned else None for x in values
    ]
    at = [None if f else fitted.slice.index(x) for f, x in zip(found, values, strict=True)]
    off = [i for i, k in enumerate(at) if k is not None and fitted.slice.usable[k]]
    placed = fits(
        [fitted.slice] * len(off),
        spacing_log2=fitted.spacing_log2,
        own_levels=[values[i] for i in off],
    )
    for i, f in zip(off, placed, strict=True):
        found[i] = f if f.ok else None
    return found


def _lower(estimates: np.ndarray, errors: np.ndarray, df: float, level: float) -> float:
    quantile = special.stdtrit(df, 1 - (1 - level) / len(estimates))
    return max(float((estimates - quantile * errors).max()), 0.0)


def _places(fitted: Fit) -> np.ndarray:
    """Where the optimum may be: the window, and the rest of its interval towards a wall."""
    place = optimum(fitted)
    first, last = fitted.values[0], fitted.values[-1]
    first = first if place.log2_low is None else min(first, place.log2_low)
    last = last if place.log2_high is None else max(last, place.log2_high)
    step = fitted.spacing_log2 / GRID_PER_STEP
    grid = np.linspace(first, last, math.ceil((last - first) / step) + 1)
    return np.union1d(grid, fitted.values)


def sensitivity(fitted: Fit, tolerance_loss: float) -> Sensitivity:
    """Return whether some value is shown to be worse than the optimum by over the tolerance.

    f(x_i) − min f ≥ f(x_i) − f(x_j) for any j, so one pair of values suffices; t bounds with
    Bonferroni over all pairs. Values off the curve are compared by their own losses. A value
    that diverged is worse without a test (design §7 c).
    """
    by_divergence = bool(fitted.slice.diverged.any())
    values = [float(x) for x in fitted.slice.log2_x[fitted.slice.usable]]
    best: tuple[float, float] | None = None
    level = 1 - (1 - LEVEL) / max(len(values), 1)
    for x, placed in zip(values, _placed(fitted, values), strict=True):
        if placed is None:
            continue
        lower = _lower(*placed.differences(x, placed.values), placed.df, level)
        if best is None or lower > best[1]:
            best = (x, lower)
    return Sensitivity(
        sensitive=by_divergence or (best is not None and best[1] > tolerance_loss),
        by_divergence=by_divergence,
        log2_worst=None if best is None else best[0],
        lower=None if best is None else best[1],
    )


def predicted_regret(
    curvature: float | None, drift_bound: float | None, doublings: float
) -> float | None:
    """Return the regret to expect beyond the target: curvature·(drift bound·doublings)², loss.

    Args:
        curvature: f''/2 at the target, loss/octave².
        drift_bound: Upper bound of the size of the drift, octaves/doubling.
        doublings: log2(width / target width).
    """
    if curvature is None or drift_bound is None or curvature < 0:
        return None
    return curvature * (drift_bound * doublings) ** 2
