"""Drift of the optimum with width, and whether that of the control differs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from analysis.curve import Fit
from analysis.optimum import LEVEL, optimum, profile

MIN_WIDTHS = 3
MAX_SLOPE = 4.0
GRID_PER_STEP = 32
_FAR = 1e6


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Slope of log2 optimum against log2 width: octaves per doubling of width.

    Attributes:
        estimate: The slope; None with a ``reason``.
        low, high: Its 95 % interval; None where the data leave an end open.
        intercept: log2 of the fitted optimum at the narrowest width used.
        n_widths, widths: Widths with a bracketed optimum.
        reason: Why there is no estimate.
        without_narrowest: The drift without the narrowest width; None with under 4 widths.
    """

    estimate: float | None
    low: float | None
    high: float | None
    intercept: float | None
    n_widths: int
    widths: tuple[int, ...]
    reason: str | None = None
    without_narrowest: "Drift | None" = None

    @property
    def bound(self) -> float | None:
        """The larger end of the interval in size, octaves/doubling; None if it is open."""
        if self.low is None or self.high is None:
            return None
        return max(abs(self.low), abs(self.high))


@dataclass(frozen=True, kw_only=True)
class Contrast:
    """Difference of two drifts, SP − μP, octaves per doubling, with a 95 % interval."""

    estimate: float | None
    low: float | None
    high: float | None
    differs: bool | None
    reason: str | None = None


def drift(fits: Sequence[Fit]) -> Drift:
    """Return the drift of the optimum over the widths of one arm and HP.

    Joint profile over intercept a and slope s of Σ_w q_w(a + s·log2(w/w0)), where q_w is
    `profile` of width w (each in units of its own noise). The interval holds the slopes whose
    profile exceeds the least one by no more than F(0.95; 1, smallest df), enlarged by the mean
    square misfit of the line where that is above 1. Only widths with a bracketed optimum and a
    minimum inside take part; fewer than 3 give no estimate.
    """
    usable = sorted((f for f in fits if _has_place(f)), key=lambda f: f.slice.width)
    widths = tuple(f.slice.width for f in usable)
    if len(widths) < MIN_WIDTHS:
        return Drift(
            estimate=None,
            low=None,
            high=None,
            intercept=None,
            n_widths=len(widths),
            widths=widths,
            reason=f"{len(widths)} widths with a bracketed optimum; a drift needs {MIN_WIDTHS}",
        )
    line = _line(usable)
    rest = _line(usable[1:]) if len(usable) > MIN_WIDTHS else None
    return replace(line, without_narrowest=rest)


def _has_place(fitted: Fit) -> bool:
    place = optimum(fitted)
    edge = {"edge_of_stability", "no_minimum"} & set(place.flags)
    return place.bracketed and place.curvature is not None and not edge


def _line(fits: Sequence[Fit]) -> Drift:
    widths = np.array([f.slice.width for f in fits], dtype=float)
    doublings = np.log2(widths / widths[0])
    tables = [_profile_table(f) for f in fits]
    centers = np.array([optimum(f).log2_opt for f in fits], dtype=float)
    slope, start = np.polyfit(doublings, centers, 1)
    quantile = float(special.fdtri(1, min(f.df for f in fits), LEVEL))
    span, n_slopes = MAX_SLOPE, 161
    # Each pass looks closer around the slopes that the last one allowed.
    for _ in range(3):
        slopes = np.linspace(slope - span, slope + span, n_slopes)
        cost, intercepts = _profile_of_slopes(slopes, doublings, tables, start)
        limit = cost.min() + quantile * max(1.0, float(cost.min()) / (len(fits) - 2))
        allowed = slopes[cost <= limit]
        slope, start = float(slopes[cost.argmin()]), float(intercepts[cost.argmin()])
        reach = max(abs(allowed[0] - slope), abs(allowed[-1] - slope))
        edge_low, edge_high = allowed[0] <= slopes[0], allowed[-1] >= slopes[-1]
        span = max(2.0 * reach, 4 * (slopes[1] - slopes[0]))
        if edge_low or edge_high:
            break
    return Drift(
        estimate=slope,
        low=None if edge_low else float(allowed[0]),
        high=None if edge_high else float(allowed[-1]),
        intercept=start,
        n_widths=len(fits),
        widths=tuple(int(w) for w in widths),
    )


def _profile_table(fitted: Fit) -> tuple[np.ndarray, np.ndarray]:
    step = fitted.spacing_log2
    first, last = fitted.values[0] - step, fitted.values[-1] + step
    grid = np.linspace(first, last, math.ceil((last - first) / step * GRID_PER_STEP) + 1)
    return grid, np.minimum(np.sqrt(profile(fitted, grid)), _FAR)


def _profile_of_slopes(
    slopes: np.ndarray,
    doublings: np.ndarray,
    tables: Sequence[tuple[np.ndarray, np.ndarray]],
    start: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Least cost over the intercept for each slope, and where it is; two closer passes."""
    centers, span = np.full(slopes.size, start), MAX_SLOPE
    costs = np.zeros(slopes.size)
    for _ in range(4):
        a = centers[:, None] + np.linspace(-span, span, 65)[None, :]
        cost = np.zeros_like(a)
        for (grid, root), d in zip(tables, doublings, strict=True):
            x = a + slopes[:, None] * d
            # The root is piecewise linear near its zero, where the square is not.
            cost += np.interp(x, grid, root, left=_FAR, right=_FAR) ** 2
        best = cost.argmin(axis=1)
        rows = np.arange(slopes.size)
        costs, centers = cost[rows, best], a[rows, best]
        span /= 10
    return costs, centers


def contrast(mup: Drift, sp: Drift) -> Contrast:
    """Return whether the drift of the SP control differs from μP's.

    The interval of the difference comes from the two intervals (MOVER, Zou & Donner 2008).
    The arms share the trials of the base width, which makes it wide rather than narrow.
    """
    if mup.estimate is None or sp.estimate is None:
        reason = f"no drift for {'μP' if mup.estimate is None else 'SP'}"
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
