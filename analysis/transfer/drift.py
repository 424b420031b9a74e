"""Drift of the optimum along the axis, tests of 0 and −1, and the difference to the control."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from mutransfer.analysis.fit.curve import Fit
from mutransfer.analysis.fit.minimum import CONFIDENCE
from mutransfer.analysis.table.axis import AXIS_LABELS
from mutransfer.analysis.transfer.profiled import (
    FAR_Z,
    ProfiledOptimum,
    WeightedFit,
    profiled_optimum,
)
from mutransfer.words import Axis

MIN_AXIS_VALUES = 3
MIN_WIDTHS_FINITE = 4
MAX_SLOPE = 4.0
N_SLOPES, N_INTERCEPTS, N_PASSES = 41, 17, 4


@dataclass(frozen=True, kw_only=True)
class FiniteWidth:
    """The law log2 optimum = limit + bias/width: where the optimum goes as the width grows.

    Attributes:
        log2_limit: log2 of the optimum at infinite width; ``log2_limit_low`` and
            ``log2_limit_high`` are the ends of its 95 % interval.
        bias: Octaves times channels; ``bias_low`` and ``bias_high`` are the ends of its 95 %
            interval.
        n_widths: Widths in the fit.

    Source: the optimum of a width-n network is off by O(1/n) under μP (2505.02222, §4).
    """

    log2_limit: float
    log2_limit_low: float
    log2_limit_high: float
    bias: float
    bias_low: float
    bias_high: float
    n_widths: int


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Slope of log2 optimum against log2 axis value, in octaves per doubling.

    Attributes:
        estimate: The slope; None with a ``reason``.
        low, high: Its 95 % interval; None where the data leave an end open.
        intercept: log2 of the fitted optimum at the smallest axis value used.
        n_axis_values, axis_values: Axis values with a bracketed optimum.
        p_zero: p value of slope 0 (μP).
        p_minus_one: p value of slope −1 (SP with Adam, hidden layers dominating); along width only.
        reason: Why there is no estimate.
        without_smallest: The drift without the smallest axis value; None with fewer than 4.
        finite_width: The 1/width law fitted to the same optima; None with fewer than 4 widths, and
            along another axis.
    """

    estimate: float | None
    low: float | None
    high: float | None
    intercept: float | None
    n_axis_values: int
    axis_values: tuple[int, ...]
    p_zero: float | None = None
    p_minus_one: float | None = None
    reason: str | None = None
    without_smallest: "Drift | None" = None
    finite_width: FiniteWidth | None = None

    @property
    def bound(self) -> float | None:
        """The end of the interval that is larger in size, octaves/doubling; None if it is open."""
        if self.low is None or self.high is None:
            return None
        return max(abs(self.low), abs(self.high))


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Difference of two drifts, control − μP, octaves per doubling, with a 95 % interval."""

    estimate: float | None
    low: float | None
    high: float | None
    differs: bool | None
    reason: str | None = None


def drift(fits: Sequence[Fit], axis: Axis = "width") -> Drift:
    """Return the drift of the optimum over the axis values of one arm and HP.

    Profile likelihood of the slope s, minimized over the intercept a, of
    Σ_w z_w(a + s·log2(w/w0))², where z_w is `slope_z` at axis value w, w0 the smallest.
    The interval holds the slopes whose profile exceeds the least one by no more than
    F(0.95; 1, df), enlarged by the mean square misfit of the line where that is above 1; df by
    Satterthwaite from those of the fits. Only fits with a bracketed optimum and a minimum inside
    the window enter; fewer than 3 give no estimate.
    """
    optima = [o for fitted in fits if (o := profiled_optimum(fitted)) is not None]
    optima.sort(key=lambda o: o.axis_value)
    axis_values = tuple(o.axis_value for o in optima)
    if len(axis_values) < MIN_AXIS_VALUES:
        return Drift(
            estimate=None,
            low=None,
            high=None,
            intercept=None,
            n_axis_values=len(axis_values),
            axis_values=axis_values,
            reason=f"{len(axis_values)} {AXIS_LABELS[axis].plural} with a bracketed optimum; "
            f"a drift needs {MIN_AXIS_VALUES}",
        )
    shorter = _line(optima[1:]) if len(optima) > MIN_AXIS_VALUES else None
    line = replace(_line(optima), without_smallest=shorter)
    if axis != "width":
        shorter = replace(shorter, p_minus_one=None) if shorter else None
        return replace(line, without_smallest=shorter, p_minus_one=None)
    bias = _finite_width(optima) if len(optima) >= MIN_WIDTHS_FINITE else None
    return replace(line, finite_width=bias)


def contrast(mup: Drift, sp: Drift) -> Contrast:
    """Return whether the drift of the control differs from μP's.

    The interval of the difference is computed from the two intervals (MOVER, Zou & Donner 2008).
    The arms share the trials of the base width, which makes the interval conservative.
    """
    if mup.estimate is None or sp.estimate is None:
        reason = f"no drift for {'μP' if mup.estimate is None else 'the control'}"
        return Contrast(estimate=None, low=None, high=None, differs=None, reason=reason)
    estimate = sp.estimate - mup.estimate
    if None in (mup.low, mup.high, sp.low, sp.high):
        reason = "the interval of a drift is open"
        return Contrast(estimate=estimate, low=None, high=None, differs=None, reason=reason)
    assert mup.low is not None and mup.high is not None
    assert sp.low is not None and sp.high is not None
    low = estimate - math.hypot(sp.estimate - sp.low, mup.high - mup.estimate)
    high = estimate + math.hypot(sp.high - sp.estimate, mup.estimate - mup.low)
    return Contrast(estimate=estimate, low=low, high=high, differs=low > 0 or high < 0)


def _line(optima: Sequence[ProfiledOptimum]) -> Drift:
    """The drift of three optima or more, by a grid of slopes that is widened and then refined."""
    axis_values = np.array([o.axis_value for o in optima], dtype=float)
    doublings = np.log2(axis_values / axis_values[0])
    linear = WeightedFit.solve(np.stack([np.ones_like(doublings), doublings], 1), optima)
    df = linear.df(1)
    quantile = float(special.fdtri(1, df, CONFIDENCE))
    slope, start, half = float(linear.beta[1]), float(linear.beta[0]), linear.half_length(1)
    span, refined = min(3 * half, MAX_SLOPE), False
    for _ in range(N_PASSES):
        slopes = np.linspace(slope - span, slope + span, N_SLOPES)
        cost, intercepts = _profile_of_slopes(slopes, doublings, optima, start)
        misfit = max(1.0, float(cost.min()) / (len(optima) - 2))
        low, high = _ends(slopes, cost, float(cost.min()) + quantile * misfit)
        slope, start = float(slopes[cost.argmin()]), float(intercepts[cost.argmin()])
        open_low, open_high = low <= slopes[0], high >= slopes[-1]
        if (open_low or open_high) and span < MAX_SLOPE:
            span = min(4 * span, MAX_SLOPE)
        elif open_low or open_high or refined:
            break
        else:
            span = max(1.3 * max(slope - low, high - slope), 4 * (slopes[1] - slopes[0]))
            refined = True
    tested, _ = _profile_of_slopes(np.array([0.0, -1.0]), doublings, optima, start)
    p_values = special.fdtrc(1, df, np.maximum(tested - cost.min(), 0.0) / misfit)
    return Drift(
        estimate=slope,
        low=None if open_low else low,
        high=None if open_high else high,
        intercept=start,
        n_axis_values=len(optima),
        axis_values=tuple(o.axis_value for o in optima),
        p_zero=float(p_values[0]),
        p_minus_one=float(p_values[1]),
    )


def _ends(slopes: np.ndarray, cost: np.ndarray, limit: float) -> tuple[float, float]:
    """The first and the last slope at which the cost is at the limit, by linear interpolation."""
    inside = np.flatnonzero(cost <= limit)
    ends = []
    for i, out in ((inside[0], inside[0] - 1), (inside[-1], inside[-1] + 1)):
        x = slopes[i]
        if 0 <= out < slopes.size:
            share = (limit - cost[i]) / (cost[out] - cost[i])
            x = x + share * (slopes[out] - x)
        ends.append(float(x))
    return ends[0], ends[1]


def _profile_of_slopes(
    slopes: np.ndarray, doublings: np.ndarray, optima: Sequence[ProfiledOptimum], start: float
) -> tuple[np.ndarray, np.ndarray]:
    """Least cost over the intercept for each slope, and that intercept, on ever finer grids."""
    # A line of another slope turns about the middle of the axis values.
    near = np.array([o.log2_opt for o in optima]).mean() - slopes * doublings.mean()
    span = max(float(np.abs(near - start).max()), 1.0)
    centers, costs = near, np.zeros(slopes.size)
    while span > 1e-6:
        a = centers[:, None] + np.linspace(-span, span, N_INTERCEPTS)[None, :]
        cost = np.zeros_like(a)
        for o, d in zip(optima, doublings, strict=True):
            # z is nearly linear, its square is not.
            z = np.interp(a + slopes[:, None] * d, o.grid, o.z, left=-FAR_Z, right=FAR_Z)
            cost += z**2
        best = cost.argmin(axis=1)
        rows = np.arange(slopes.size)
        costs, centers = cost[rows, best], a[rows, best]
        span /= 6
        if span < 1e-3 * min(o.variance for o in optima) ** 0.5:
            break
    return costs, centers


def _finite_width(optima: Sequence[ProfiledOptimum]) -> FiniteWidth:
    """The weighted least squares fit of limit + bias/width to the optima."""
    axis_values = np.array([o.axis_value for o in optima], dtype=float)
    linear = WeightedFit.solve(
        np.stack([np.ones_like(axis_values), 1.0 / axis_values], axis=1), optima
    )
    limit, bias = (float(k) for k in linear.beta)
    return FiniteWidth(
        log2_limit=limit,
        log2_limit_low=limit - linear.half_length(0),
        log2_limit_high=limit + linear.half_length(0),
        bias=bias,
        bias_low=bias - linear.half_length(1),
        bias_high=bias + linear.half_length(1),
        n_widths=len(optima),
    )
