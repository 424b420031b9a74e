"""Where the minimum of a fitted curve is, and where it could be."""

import math
from functools import lru_cache

import numpy as np
from scipy import special

from analysis.curve import Fit

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
    slope = _Slope(fitted, first, last)
    inside = [x for x in slope.crossings(0.0) if fitted.bend(x) > 0]
    if not inside:
        return None
    lowest = min(inside, key=lambda x: float(fitted.value(x)[0]))
    ends = fitted.value(np.array([first, last])).min()
    return lowest if fitted.value(lowest)[0] <= ends else None


class _Slope:
    """f' in standard errors on a grid of a stretch: where it takes a value."""

    def __init__(self, fitted: Fit, start: float, stop: float) -> None:
        n = math.ceil((stop - start) / fitted.spacing_log2 * GRID_PER_STEP) + 1
        self.fitted, self.grid = fitted, np.linspace(start, stop, max(n, 2))
        self.z, self.bends = profile(fitted, self.grid)

    def crossings(self, *values: float) -> list[float]:
        """Places where f' in standard errors is one of the values, by rounds of regula falsi."""
        z = self.z - np.array(values)[:, None]
        which, i = np.nonzero((z[:, 1:] > 0) != (z[:, :-1] > 0))
        if not i.size:
            return []
        a, b, za, zb = self.grid[i], self.grid[i + 1], z[which, i], z[which, i + 1]
        for _ in range(CLOSER):
            x = a - za * (b - a) / (zb - za)
            zx = profile(self.fitted, x)[0] - np.array(values)[which]
            left = (zx > 0) == (za > 0)
            a, za = np.where(left, x, a), np.where(left, zx, za)
            b, zb = np.where(left, b, x), np.where(left, zb, zx)
        return [float(place) for place in x]

    def turns(self) -> list[float]:
        """Places, to half a cell, from where on a minimum could be, or could no longer."""
        i = np.flatnonzero(self.bends[1:] != self.bends[:-1])
        return list((self.grid[i] + self.grid[i + 1]) / 2)


@lru_cache(maxsize=512)
def interval(fitted: Fit) -> tuple[float | None, float | None] | None:
    """Return the ends of the set of places where a minimum is not refuted; None if it is empty.

    An end is None where the set reaches an end of the window without a wall.
    """
    step = fitted.spacing_log2
    first, last = fitted.values[0], fitted.values[-1]
    start, stop = first - step, last + step
    start = start if fitted.wall_left is None else fitted.wall_left
    stop = stop if fitted.wall_right is None else fitted.wall_right
    pieces = _allowed(fitted, start, stop)
    lowest = vertex(fitted)
    if lowest is not None:
        pieces.append((lowest, lowest))
    if not pieces:
        return None
    least, most = min(a for a, _ in pieces), max(b for _, b in pieces)
    low: float | None = least
    high: float | None = most
    if least <= first and fitted.wall_left is None:
        low = None
    if most >= last and fitted.wall_right is None:
        high = None
    return low, high


def _allowed(fitted: Fit, start: float, stop: float) -> list[tuple[float, float]]:
    """The stretches of [start, stop] in which a minimum is not refuted."""
    quantile = float(special.stdtrit(fitted.df, 0.5 + LEVEL / 2))
    slope = _Slope(fitted, start, stop)
    ends = [*slope.crossings(-quantile, quantile), *slope.turns()]
    marks = np.array([start, *sorted(ends), stop])
    z, bends = profile(fitted, (marks[:-1] + marks[1:]) / 2)
    kept = bends & (np.abs(z) <= quantile)
    return [(float(marks[i]), float(marks[i + 1])) for i in np.flatnonzero(kept)]
