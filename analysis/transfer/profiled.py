"""The optima of several axis values as profiles, and lines through them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special
from scipy.optimize import brentq, minimize_scalar

from mutransfer.analysis.fit.curve import Fit
from mutransfer.analysis.fit.optimum import CONFIDENCE, optimum

# Step of the grid over which a line is profiled, octaves; minima are refined.
STEP = 0.02
# Lines are sought this far beyond the optima, octaves.
BEYOND = 3.0
# Coefficients are sought on a grid of so many values first.
N_GRID = 81


class ProfiledOptimum(NamedTuple):
    """A bracketed optimum with its profile.

    Attributes:
        axis_value: Value on the axis.
        log2_opt: log2 of the optimum.
        fitted: The fit: `Fit.location_z` is the profile.
    """

    axis_value: int
    log2_opt: float
    fitted: Fit


def profiled_optimum(fitted: Fit) -> ProfiledOptimum | None:
    """Return the optimum of a fit; None if not bracketed, or at the edge of stability."""
    opt = optimum(fitted)
    edge = {"edge_of_stability", "no_minimum"} & set(opt.flags)
    if not opt.bracketed or opt.curvature is None or opt.log2_opt is None or edge:
        return None
    return ProfiledOptimum(fitted.slice.axis_value, opt.log2_opt, fitted)


@dataclass(frozen=True, kw_only=True)
class Coefficient:
    """A coefficient of a line through optima.

    Attributes:
        estimate: Where the cost is least.
        low, high: Its 95 % interval; None where that leaves the range that was searched.
        intercept: The other coefficient at the estimate.
        p_values: p values of the values that were to be tested.
    """

    estimate: float
    low: float | None
    high: float | None
    intercept: float
    p_values: tuple[float, ...]


def coefficient(
    optima: Sequence[ProfiledOptimum],
    terms: np.ndarray,
    others: np.ndarray,
    *,
    limit: float,
    tested: Sequence[float] = (),
) -> Coefficient:
    """Return coefficient k of log2 optimum = k·terms + c·others, by profile over c.

    The cost of a line is the sum of the profiles of the optima on it. The interval holds the k
    whose least cost over c exceeds the least of all by no more than F(0.95; 1, df), enlarged by
    the mean square misfit of the line where that is above 1; df is the smallest of the fits.

    Args:
        optima: The optima.
        terms: (O,) factor of the coefficient at each.
        others: (O,) factor of the other one.
        limit: Largest size of the coefficient, relative to its start by least squares.
        tested: Values of the coefficient to test.
    """
    log2_opt = np.array([o.log2_opt for o in optima])
    start = float(np.linalg.lstsq(np.stack([terms, others], 1), log2_opt, rcond=None)[0][0])

    def cost(k: float) -> tuple[float, float]:
        return _least_over_other(optima, k * terms, others)

    grid = np.linspace(start - limit, start + limit, N_GRID)
    costs = np.array([cost(k)[0] for k in grid])
    i = int(np.clip(costs.argmin(), 1, N_GRID - 2))
    solution = minimize_scalar(
        lambda k: cost(k)[0], bounds=(grid[i - 1], grid[i + 1]), method="bounded"
    )
    best, least = float(solution.x), float(solution.fun)
    df = min(o.fitted.df for o in optima)
    spare = len(optima) - 2
    misfit = max(1.0, least / spare) if spare else 1.0
    allowed = least + float(special.fdtri(1, df, CONFIDENCE)) * misfit

    def end(outer: float) -> float | None:
        side = grid[grid > best] if outer > best else grid[grid < best][::-1]
        inner = best
        for k in side:
            if cost(k)[0] > allowed:
                return float(brentq(lambda x: cost(x)[0] - allowed, inner, k))
            inner = k
        return None

    excess = np.maximum([cost(k)[0] - least for k in tested], 0.0)
    return Coefficient(
        estimate=best,
        low=end(grid[0]),
        high=end(grid[-1]),
        intercept=cost(best)[1],
        p_values=tuple(float(p) for p in special.fdtrc(1, df, excess / misfit)),
    )


def _least_over_other(
    optima: Sequence[ProfiledOptimum], fixed: np.ndarray, others: np.ndarray
) -> tuple[float, float]:
    """The least cost of fixed + c·others over c, and that c; by a grid and a parabola."""
    at = np.array([(o.log2_opt - f) / g for o, f, g in zip(optima, fixed, others, strict=True)])
    step = STEP / float(np.abs(others).max())
    c = np.arange(at.min() - BEYOND, at.max() + BEYOND, step)
    z = [o.fitted.location_z(f + g * c) for o, f, g in zip(optima, fixed, others, strict=True)]
    costs = np.square(z).sum(axis=0)
    i = int(np.clip(costs.argmin(), 1, c.size - 2))
    before, here, after = costs[i - 1 : i + 2]
    bend = before - 2 * here + after
    shift = 0.0 if bend <= 0 else float(np.clip((before - after) / (2 * bend), -1.0, 1.0))
    return float(here - bend * shift**2 / 2 if bend > 0 else here), float(c[i] + shift * step)
