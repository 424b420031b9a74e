"""The minimum of a fitted curve: its location and the interval of locations that the data allow."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import special

from mutransfer.analysis.fit.curve import Fit

CONFIDENCE = 0.95
GRID_PER_STEP = 32
N_REGULA_FALSI = 3


def t_quantile(fitted: Fit, confidence: float = CONFIDENCE) -> float:
    """Return the quantile of Student's t for a two-sided interval at that confidence."""
    return float(special.stdtrit(fitted.df, 0.5 + confidence / 2))


def slope_z(fitted: Fit, log2_x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return f'/standard error at each location, and whether a minimum is possible, (N,) each.

    The square of the first is the profile likelihood statistic of f'(x) = 0. A minimum is possible
    where the curve under that constraint is convex: f'' − cov(f'', f')·f'/var(f') > 0.

    Source: for a parabola the locations below a t quantile are Fieller's set (Fieller 1954).
    """
    slope_rows, second_rows = fitted.slope_rows(log2_x), fitted.second_derivative_rows(log2_x)
    spread = slope_rows @ fitted.cov
    variance = np.einsum("nk,nk->n", spread, slope_rows)
    slope = slope_rows @ fitted.beta
    common = np.einsum("nk,nk->n", spread, second_rows)
    second = second_rows @ fitted.beta - common * slope / variance
    return slope / np.sqrt(variance), second > 0


@lru_cache(maxsize=512)
def interior_minimum(fitted: Fit) -> float | None:
    """Return log2 of the minimum if it lies inside the window and below its ends, else None."""
    first, last = fitted.values[0], fitted.values[-1]
    stationary = _landmarks(fitted).stationary
    minima = [x for x in stationary if first <= x <= last and fitted.second_derivative(x) > 0]
    if not minima:
        return None
    lowest = min(minima, key=lambda x: float(fitted.value(x)[0]))
    ends = fitted.value(np.array([first, last])).min()
    return lowest if fitted.value(lowest)[0] <= ends else None


@lru_cache(maxsize=512)
def minimum_interval(fitted: Fit) -> tuple[float | None, float | None] | None:
    """Return the ends of the set of locations at which a minimum is not rejected; None if empty.

    An end is None where the set reaches an end of the window without a barrier.
    """
    first, last = fitted.values[0], fitted.values[-1]
    pieces = _allowed(fitted)
    lowest = interior_minimum(fitted)
    if lowest is not None:
        pieces.append((lowest, lowest))
    if not pieces:
        return None
    least, most = min(a for a, _ in pieces), max(b for _, b in pieces)
    low: float | None = least
    high: float | None = most
    if least <= first and fitted.barrier_left is None:
        low = None
    if most >= last and fitted.barrier_right is None:
        high = None
    return low, high


def _allowed(fitted: Fit) -> list[tuple[float, float]]:
    """The stretches in which a minimum is not rejected."""
    landmarks = _landmarks(fitted)
    ends = np.array([landmarks.start, *landmarks.ends, landmarks.stop])
    z, convex = slope_z(fitted, (ends[:-1] + ends[1:]) / 2)
    kept = convex & (np.abs(z) <= t_quantile(fitted))
    return [(float(ends[i]), float(ends[i + 1])) for i in np.flatnonzero(kept)]


class _Landmarks(NamedTuple):
    """Locations on a curve.

    Attributes:
        start, stop: Ends of the search: a step beyond the window, or the barrier next to it.
        stationary: Where f' is 0.
        ends: Where f' crosses a t quantile of its standard error, or (to half a cell of the grid)
            where a minimum becomes possible or impossible.
    """

    start: float
    stop: float
    stationary: list[float]
    ends: list[float]


@lru_cache(maxsize=512)
def _landmarks(fitted: Fit) -> _Landmarks:
    step, quantile = fitted.spacing_log2, t_quantile(fitted)
    first, last = fitted.values[0] - step, fitted.values[-1] + step
    start = first if fitted.barrier_left is None else fitted.barrier_left
    stop = last if fitted.barrier_right is None else fitted.barrier_right
    n = math.ceil((stop - start) / step * GRID_PER_STEP) + 1
    grid = np.linspace(start, stop, max(n, 2))
    z, convex = slope_z(fitted, grid)
    stationary, *ends = _crossings(fitted, grid, z, (0.0, -quantile, quantile))
    i = np.flatnonzero(convex[1:] != convex[:-1])
    changes = (grid[i] + grid[i + 1]) / 2
    return _Landmarks(start, stop, stationary, sorted([*ends[0], *ends[1], *changes]))


def _crossings(
    fitted: Fit, grid: np.ndarray, z: np.ndarray, levels: tuple[float, ...]
) -> list[list[float]]:
    """Locations at which `slope_z` crosses each level, by rounds of regula falsi."""
    crossings: list[list[float]] = [[] for _ in levels]
    z = z - np.array(levels)[:, None]
    which, i = np.nonzero((z[:, 1:] > 0) != (z[:, :-1] > 0))
    if not i.size:
        return crossings
    a, b, za, zb = grid[i], grid[i + 1], z[which, i], z[which, i + 1]
    for _ in range(N_REGULA_FALSI):
        x = a - za * (b - a) / (zb - za)
        zx = slope_z(fitted, x)[0] - np.array(levels)[which]
        left = (zx > 0) == (za > 0)
        a, za = np.where(left, x, a), np.where(left, zx, za)
        b, zb = np.where(left, b, x), np.where(left, zb, zx)
    for k, location in zip(which, x, strict=True):
        crossings[k].append(float(location))
    return crossings
