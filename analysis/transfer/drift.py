"""Drift of the optimum along the axis, tests of 0 and −1, and the difference to the control."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mutransfer.analysis.fit.curve import Fit
from mutransfer.analysis.table.axis import AXIS_LABELS
from mutransfer.analysis.transfer.profiled import ProfiledOptimum, coefficient, profiled_optimum
from mutransfer.words import Axis

MIN_AXIS_VALUES = 3
MIN_WIDTHS_FINITE = 4
MAX_SLOPE = 4.0
# Octaves of bias at the smallest width: what is searched.
MAX_BIAS = 8.0


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

    Profile of the slope over the intercept (`transfer.profiled.coefficient`). Only fits with a
    bracketed optimum and a minimum inside the window enter; fewer than 3 give no estimate.
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
    """The drift of three optima or more."""
    axis_values = np.array([o.axis_value for o in optima], dtype=float)
    doublings = np.log2(axis_values / axis_values[0])
    slope = coefficient(
        optima, doublings, np.ones_like(doublings), limit=MAX_SLOPE, tested=(0.0, -1.0)
    )
    return Drift(
        estimate=slope.estimate,
        low=slope.low,
        high=slope.high,
        intercept=slope.intercept,
        n_axis_values=len(optima),
        axis_values=tuple(o.axis_value for o in optima),
        p_zero=slope.p_values[0],
        p_minus_one=slope.p_values[1],
    )


def _finite_width(optima: Sequence[ProfiledOptimum]) -> FiniteWidth | None:
    """The law limit + bias/width through the optima; None where an end of it is open."""
    n = np.array([o.axis_value for o in optima], dtype=float)
    constant, inverse = np.ones_like(n), n[0] / n
    limit = coefficient(optima, constant, inverse, limit=MAX_BIAS)
    bias = coefficient(optima, inverse, constant, limit=MAX_BIAS)
    if limit.low is None or limit.high is None or bias.low is None or bias.high is None:
        return None
    return FiniteWidth(
        log2_limit=limit.estimate,
        log2_limit_low=limit.low,
        log2_limit_high=limit.high,
        bias=bias.estimate * n[0],
        bias_low=bias.low * n[0],
        bias_high=bias.high * n[0],
        n_widths=len(optima),
    )
