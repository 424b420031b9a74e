"""Drift of the optimum along the axis, whether it is 0 or −1, and whether the control's differs."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy import special

from mutransfer.analysis.fit.curve import Fit
from mutransfer.analysis.fit.minimum import LEVEL, profile
from mutransfer.analysis.fit.optimum import optimum
from mutransfer.analysis.table.axis import WORDS
from mutransfer.words import Axis

MIN_WIDTHS = 3
MIN_WIDTHS_FINITE = 4
MAX_SLOPE = 4.0
GRID_PER_STEP = 32
N_SLOPES, N_INTERCEPTS, N_PASSES = 41, 17, 4
_FAR = 1e6


@dataclass(frozen=True, kw_only=True)
class FiniteWidth:
    """log2 optimum = limit + bias/width: where the optimum goes as width grows.

    Attributes:
        log2_limit: log2 of the optimum at infinite width; ``log2_limit_low`` and
            ``log2_limit_high`` are its 95 % interval.
        bias: Octaves times channels; ``bias_low`` and ``bias_high`` are its 95 % interval.
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
    """Slope of log2 optimum against log2 place: octaves per doubling of width, or another axis.

    Attributes:
        estimate: The slope; None with a ``reason``.
        low, high: Its 95 % interval; None where the data leave an end open.
        intercept: log2 of the fitted optimum at the narrowest width used.
        n_widths, widths: Widths with a bracketed optimum.
        p_zero: p value of slope 0 (μP).
        p_minus_one: p value of slope −1 (SP with Adam, hidden layers dominating); along width.
        reason: Why there is no estimate.
        without_narrowest: The drift without the narrowest width; None with under 4 widths.
        finite_width: The 1/width law in the same optima; None with under 4 widths, and along
            another axis.
    """

    estimate: float | None
    low: float | None
    high: float | None
    intercept: float | None
    n_widths: int
    axis_values: tuple[int, ...]
    p_zero: float | None = None
    p_minus_one: float | None = None
    reason: str | None = None
    without_narrowest: "Drift | None" = None
    finite_width: FiniteWidth | None = None

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


def drift(fits: Sequence[Fit], axis: Axis = "width") -> Drift:
    """Return the drift of the optimum over the widths (places) of one arm and HP.

    Joint profile over intercept a and slope s of Σ_w z_w(a + s·log2(w/w0))², where z_w is
    `profile` of width w (in units of its own noise). The interval holds the slopes whose
    profile exceeds the least one by no more than F(0.95; 1, df), enlarged by the mean square
    misfit of the line where that is above 1; df by Satterthwaite from those of the widths. Only
    widths with a bracketed optimum and a minimum inside take part; fewer than 3 give none.
    """
    places = [found for f in fits if (found := _place(f)) is not None]
    places.sort(key=lambda place: place.axis_value)
    axis_values = tuple(place.axis_value for place in places)
    if len(axis_values) < MIN_WIDTHS:
        return Drift(
            estimate=None,
            low=None,
            high=None,
            intercept=None,
            n_widths=len(axis_values),
            axis_values=axis_values,
            reason=f"{len(axis_values)} {WORDS[axis].many} with a bracketed optimum; a drift needs "
            f"{MIN_WIDTHS}",
        )
    rest = _line(places[1:]) if len(places) > MIN_WIDTHS else None
    line = replace(_line(places), without_narrowest=rest)
    if axis != "width":
        rest = replace(rest, p_minus_one=None) if rest else None
        return replace(line, without_narrowest=rest, p_minus_one=None)
    bias = _finite_width(places) if len(places) >= MIN_WIDTHS_FINITE else None
    return replace(line, finite_width=bias)


class _Place(NamedTuple):
    """The optimum of a width: place, variance to first order, noise, and its `profile`."""

    axis_value: int
    log2_opt: float
    variance: float
    df: float
    df_own: float
    grid: np.ndarray
    z: np.ndarray


def _place(fitted: Fit) -> _Place | None:
    """The optimum of a width; None where it is not bracketed or stands at the edge."""
    found = optimum(fitted)
    edge = {"edge_of_stability", "no_minimum"} & set(found.flags)
    if not found.bracketed or found.curvature is None or found.log2_opt is None or edge:
        return None
    row = fitted.slope_rows(found.log2_opt)[0]
    variance = float(row @ fitted.cov @ row) / (2 * found.curvature) ** 2
    step = fitted.spacing_log2
    first, last = fitted.values[0] - step, fitted.values[-1] + step
    grid = np.linspace(first, last, math.ceil((last - first) / step * GRID_PER_STEP) + 1)
    z, bends = profile(fitted, grid)
    # Where no minimum can be it is far off, on the side of its sign.
    side = np.where(grid < found.log2_opt, -_FAR, _FAR)
    z = np.where(bends, np.clip(z, -_FAR, _FAR), side)
    return _Place(
        axis_value=fitted.slice.axis_value,
        log2_opt=found.log2_opt,
        variance=variance,
        df=fitted.df,
        df_own=fitted.df_own,
        grid=grid,
        z=z,
    )


def _line(places: Sequence[_Place]) -> Drift:
    axis_values = np.array([p.axis_value for p in places], dtype=float)
    doublings = np.log2(axis_values / axis_values[0])
    linear = _Weighted.solve(np.stack([np.ones_like(doublings), doublings], 1), places)
    df = linear.df(1)
    quantile = float(special.fdtri(1, df, LEVEL))
    slope, start, half = float(linear.beta[1]), float(linear.beta[0]), linear.half_length(1)
    span, closer = min(3 * half, MAX_SLOPE), False
    for _ in range(N_PASSES):
        slopes = np.linspace(slope - span, slope + span, N_SLOPES)
        cost, intercepts = _profile_of_slopes(slopes, doublings, places, start)
        misfit = max(1.0, float(cost.min()) / (len(places) - 2))
        low, high = _ends(slopes, cost, float(cost.min()) + quantile * misfit)
        slope, start = float(slopes[cost.argmin()]), float(intercepts[cost.argmin()])
        open_low, open_high = low <= slopes[0], high >= slopes[-1]
        if (open_low or open_high) and span < MAX_SLOPE:
            span = min(4 * span, MAX_SLOPE)
        elif open_low or open_high or closer:
            break
        else:
            span = max(1.3 * max(slope - low, high - slope), 4 * (slopes[1] - slopes[0]))
            closer = True
    tested, _ = _profile_of_slopes(np.array([0.0, -1.0]), doublings, places, start)
    p_values = special.fdtrc(1, df, np.maximum(tested - cost.min(), 0.0) / misfit)
    return Drift(
        estimate=slope,
        low=None if open_low else low,
        high=None if open_high else high,
        intercept=start,
        n_widths=len(places),
        axis_values=tuple(p.axis_value for p in places),
        p_zero=float(p_values[0]),
        p_minus_one=float(p_values[1]),
    )


def _ends(slopes: np.ndarray, cost: np.ndarray, limit: float) -> tuple[float, float]:
    """Where the cost comes down to the limit first and last; straight lines between slopes."""
    inside = np.flatnonzero(cost <= limit)
    found = []
    for i, out in ((inside[0], inside[0] - 1), (inside[-1], inside[-1] + 1)):
        x = slopes[i]
        if 0 <= out < slopes.size:
            share = (limit - cost[i]) / (cost[out] - cost[i])
            x = x + share * (slopes[out] - x)
        found.append(float(x))
    return found[0], found[1]


@dataclass(frozen=True, kw_only=True)
class _Weighted:
    """A weighted linear fit of places: coefficients, covariance, influence of each place."""

    beta: np.ndarray
    cov: np.ndarray
    influence: np.ndarray
    places: Sequence[_Place]
    misfit: float

    @classmethod
    def solve(cls, design: np.ndarray, places: Sequence[_Place]) -> "_Weighted":
        x = np.array([p.log2_opt for p in places])
        weighted = design / np.array([p.variance for p in places])[:, None]
        cov = np.linalg.inv(design.T @ weighted)
        influence = cov @ weighted.T
        beta = influence @ x
        spare = x.size - design.shape[1]
        statistic = float((weighted[:, 0] * (x - design @ beta) ** 2).sum()) if spare else 0.0
        return cls(
            beta=beta,
            cov=cov,
            influence=influence,
            places=places,
            misfit=max(1.0, statistic / spare) if spare else 1.0,
        )

    def df(self, i: int) -> float:
        """Degrees of freedom of coefficient ``i`` (Satterthwaite 1946).

        At most all that there are: widths that tell their noise to one another count it twice.
        """
        parts = self.influence[i] ** 2 * np.array([p.variance for p in self.places])
        each = np.array([p.df for p in self.places])
        found = float(parts.sum() ** 2 / (parts**2 / each).sum())
        return min(found, sum(p.df_own for p in self.places))

    def half_length(self, i: int) -> float:
        """Half the length of the 95 % t interval of coefficient ``i``, widened for misfit."""
        quantile = float(special.stdtrit(self.df(i), 0.5 + LEVEL / 2))
        return quantile * math.sqrt(self.cov[i, i] * self.misfit)


def _finite_width(places: Sequence[_Place]) -> FiniteWidth:
    """The weighted least squares fit of limit + bias/width to the optima of the widths."""
    axis_values = np.array([p.axis_value for p in places], dtype=float)
    found = _Weighted.solve(
        np.stack([np.ones_like(axis_values), 1.0 / axis_values], axis=1), places
    )
    limit, bias = (float(k) for k in found.beta)
    return FiniteWidth(
        log2_limit=limit,
        log2_limit_low=limit - found.half_length(0),
        log2_limit_high=limit + found.half_length(0),
        bias=bias,
        bias_low=bias - found.half_length(1),
        bias_high=bias + found.half_length(1),
        n_widths=len(places),
    )


def _profile_of_slopes(
    slopes: np.ndarray, doublings: np.ndarray, places: Sequence[_Place], start: float
) -> tuple[np.ndarray, np.ndarray]:
    """Least cost over the intercept for each slope, and where it is; closer in each pass."""
    # A line of another slope turns about the middle of the widths.
    near = np.array([p.log2_opt for p in places]).mean() - slopes * doublings.mean()
    span = max(float(np.abs(near - start).max()), 1.0)
    centers, costs = near, np.zeros(slopes.size)
    while span > 1e-6:
        a = centers[:, None] + np.linspace(-span, span, N_INTERCEPTS)[None, :]
        cost = np.zeros_like(a)
        for place, d in zip(places, doublings, strict=True):
            # z is nearly linear, its square is not.
            z = np.interp(a + slopes[:, None] * d, place.grid, place.z, left=-_FAR, right=_FAR)
            cost += z**2
        best = cost.argmin(axis=1)
        rows = np.arange(slopes.size)
        costs, centers = cost[rows, best], a[rows, best]
        span /= 6
        if span < 1e-3 * min(p.variance for p in places) ** 0.5:
            break
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
