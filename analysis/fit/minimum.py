"""Where the minimum of a fitted curve is, and where it could be."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy import special

from mutransfer.analysis.fit.curve import Fit

LEVEL = 0.95
GRID_PER_STEP = 32
CLOSER = 3


def profile(fitted: Fit, log2_x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return f'/standard error at each place, and whether a minimum could be there, (N,) each.

    The square of the first is what it costs, in units of noise, to force f'(x) = 0; the curve so
    forced must bend upwards: f'' − cov(f'', f')·f'/var(f') > 0.

    Source: for a parabola the places below a t quantile are Fieller's set (Fieller 1954).
    """
    slope_rows, bend_rows = fitted.slope_rows(log2_x), fitted.bend_rows(log2_x)
    spread = slope_rows @ fitted.cov
    variance = np.einsum("nk,nk->n", spread, slope_rows)
    slope = slope_rows @ fitted.beta
    common = np.einsum("nk,nk->n", spread, bend_rows)
    bend = bend_rows @ fitted.beta - common * slope / variance
    return slope / np.sqrt(variance), bend > 0


@lru_cache(maxsize=512)
def vertex(fitted: Fit) -> float | None:
    """Return the place of the curve's minimum if it lies inside the window and below its ends."""
    first, last = fitted.values[0], fitted.values[-1]
    flat = _marks(fitted).flat
    inside = [x for x in flat if first <= x <= last and fitted.bend(x) > 0]
    if not inside:
        return None
    lowest = min(inside, key=lambda x: float(fitted.value(x)[0]))
    ends = fitted.value(np.array([first, last])).min()
    return lowest if fitted.value(lowest)[0] <= ends else None


class _Marks(NamedTuple):
    """Places on a stretch of a curve.

    Attributes:
        start, stop: Its ends: a step beyond the window, or the wall next to it.
        flat: Where f' is 0.
        ends: Where f' comes to a t quantile of its standard error, or (to half a cell of the
            grid) where from on a minimum could be or could no longer.
    """

    start: float
    stop: float
    flat: list[float]
    ends: list[float]


@lru_cache(maxsize=512)
def _marks(fitted: Fit) -> _Marks:
    step, quantile = fitted.spacing_log2, _quantile(fitted)
    first, last = fitted.values[0] - step, fitted.values[-1] + step
    start = first if fitted.barrier_left is None else fitted.barrier_left
    stop = last if fitted.barrier_right is None else fitted.barrier_right
    n = math.ceil((stop - start) / step * GRID_PER_STEP) + 1
    grid = np.linspace(start, stop, max(n, 2))
    z, bends = profile(fitted, grid)
    flat, *ends = _crossings(fitted, grid, z, (0.0, -quantile, quantile))
    i = np.flatnonzero(bends[1:] != bends[:-1])
    turns = (grid[i] + grid[i + 1]) / 2
    return _Marks(start, stop, flat, sorted([*ends[0], *ends[1], *turns]))


def _quantile(fitted: Fit) -> float:
    return float(special.stdtrit(fitted.df, 0.5 + LEVEL / 2))


def _crossings(
    fitted: Fit, grid: np.ndarray, z: np.ndarray, values: tuple[float, ...]
) -> list[list[float]]:
    """Places where f' in standard errors is each of the values, by rounds of regula falsi."""
    found: list[list[float]] = [[] for _ in values]
    z = z - np.array(values)[:, None]
    which, i = np.nonzero((z[:, 1:] > 0) != (z[:, :-1] > 0))
    if not i.size:
        return found
    a, b, za, zb = grid[i], grid[i + 1], z[which, i], z[which, i + 1]
    for _ in range(CLOSER):
        x = a - za * (b - a) / (zb - za)
        zx = profile(fitted, x)[0] - np.array(values)[which]
        left = (zx > 0) == (za > 0)
        a, za = np.where(left, x, a), np.where(left, zx, za)
        b, zb = np.where(left, b, x), np.where(left, zb, zx)
    for k, place in zip(which, x, strict=True):
        found[k].append(float(place))
    return found


@lru_cache(maxsize=512)
def interval(fitted: Fit) -> tuple[float | None, float | None] | None:
    """Return the ends of the set of places where a minimum is not refuted; None if it is empty.

    An end is None where the set reaches an end of the window without a wall.
    """
    first, last = fitted.values[0], fitted.values[-1]
    pieces = _allowed(fitted)
    lowest = vertex(fitted)
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
    """The stretches in which a minimum is not refuted."""
    found = _marks(fitted)
    marks = np.array([found.start, *found.ends, found.stop])
    z, bends = profile(fitted, (marks[:-1] + marks[1:]) / 2)
    kept = bends & (np.abs(z) <= _quantile(fitted))
    return [(float(marks[i]), float(marks[i + 1])) for i in np.flatnonzero(kept)]
