"""The optimum of a slice: the value of lowest loss, with an interval that holds for few seeds."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special

from mutransfer.analysis.fit.curve import Fit, fit_slice
from mutransfer.analysis.fit.noise import ROUNDING
from mutransfer.analysis.table.slice import Bracket, Slice, bracket, mean_loss

CONFIDENCE = 0.95
# Grid on which the lowest point of the mean curve is sought, octaves.
STEP = 0.05
# The same for the ends of its basin; between its points the curve is taken for straight.
BASIN_STEP = 0.125
# The curvature is read off this far on either side, octaves: a curve may have a kink.
CURVATURE_REACH = 0.5


@dataclass(frozen=True, kw_only=True)
class Optimum:
    """Where the loss of one HP is lowest at one axis value; plain numbers, ready for JSON.

    Attributes:
        hp: The varied HP.
        arm: ``mup``, ``sp`` or ``unscaled``.
        axis_value: Value on the axis: the width, where that is the axis.
        log2_opt: log2 of the optimum; None if nothing finished.
        log2_low, log2_high: Its 95 % confidence interval; None where the data leave an end open.
        log2_best: log2 of the value of lowest mean loss.
        loss: Loss at the optimum, averaged over seeds.
        loss_low, loss_high: Its 95 % confidence interval.
        curvature: c in loss ≈ loss_opt + c·(log2 x − log2_opt)², from the losses half an octave
            on either side, loss/octave².
        basin_low, basin_high: log2 of the ends of the basin within the tolerance of the
            optimum; None where it leaves the window.
        log2_first_diverged: log2 of the nearest diverged or collapsed value above the optimum;
            ``octaves_to_divergence`` is its distance.
        n_collapsed: Runs at values that ended far above the curve (`table.collapse`); None in a
            record that did not count them.
        n_seeds, n_values, df: Seeds and values in the fit, degrees of freedom of the noise.
        noise_sd: Standard deviation of one loss in the basin.
        bracketed: There is a worse or a diverged value on either side, and the interval is closed
            on both.
        flags: Codes: censored_left, censored_right (the optimum lies at or beyond the last
            value), open_left, open_right (noise leaves that end of the interval open),
            edge_of_stability, collapsed, one_seed, too_few_values, no_minimum, flat, misfit
            (no curve of the library fits well), missing_cells, no_data.
    """

    hp: str
    arm: str
    axis_value: int
    log2_opt: float | None
    log2_low: float | None
    log2_high: float | None
    log2_best: float | None
    loss: float | None
    loss_low: float | None
    loss_high: float | None
    curvature: float | None
    basin_low: float | None
    basin_high: float | None
    log2_first_diverged: float | None
    octaves_to_divergence: float | None
    n_collapsed: int | None
    n_seeds: int
    n_values: int
    df: float
    noise_sd: float | None
    bracketed: bool
    flags: tuple[str, ...]

    @property
    def opt(self) -> float | None:
        """The optimum in linear units."""
        return _exp2(self.log2_opt)

    @property
    def low(self) -> float | None:
        """Lower end of the interval in linear units."""
        return _exp2(self.log2_low)

    @property
    def high(self) -> float | None:
        """Upper end of the interval in linear units."""
        return _exp2(self.log2_high)


def _exp2(log2_x: float | None) -> float | None:
    return None if log2_x is None else 2.0**log2_x


@lru_cache(maxsize=64)
def optimum(fitted: Fit, tolerance_loss: float | None = None) -> Optimum:
    """Return the optimum of a fitted slice with its 95 % interval and flags.

    The estimate is the lowest point of the mean curve (`Fit.value`). The interval holds the
    locations of the minimum that a profile over all shapes does not reject, from 1.5 octaves
    beyond the values on either side, or from a wall. A set that reaches an end of the window is
    open there, unless a wall follows. Without replicates the noise is the scatter about the curve
    (flag ``one_seed``).

    Args:
        fitted: The fit.
        tolerance_loss: Regret, in loss, that bounds the basin; None: no basin.
    """
    sides = bracket(fitted.slice)
    if not fitted.window.any():
        return _without_data(fitted, sides)
    low, high = _interval(fitted) if fitted.ok else (None, None)
    lowest = lowest_point(fitted) if fitted.ok else None
    at_wall = _is_beside_wall(sides)
    center = fitted.center if lowest is None else lowest
    loss, loss_low, loss_high = _loss_at(fitted, center)
    basin = (
        (None, None)
        if tolerance_loss is None or lowest is None
        else _basin(fitted, lowest, tolerance_loss)
    )
    wall = sides.wall_right
    return Optimum(
        hp=fitted.slice.hp,
        arm=fitted.slice.arm,
        axis_value=fitted.slice.axis_value,
        log2_opt=center,
        log2_low=low,
        log2_high=high,
        log2_best=fitted.center,
        loss=loss,
        loss_low=loss_low,
        loss_high=loss_high,
        curvature=None if lowest is None else _curvature(fitted, lowest),
        basin_low=basin[0],
        basin_high=basin[1],
        log2_first_diverged=wall,
        octaves_to_divergence=None if wall is None else wall - center,
        n_collapsed=n_collapsed(fitted.slice),
        n_seeds=fitted.n_seeds,
        n_values=int(fitted.window.sum()),
        df=fitted.df,
        noise_sd=math.sqrt(fitted.noise_var) if fitted.ok else None,
        bracketed=(lowest is not None or at_wall)
        and has_worse_sides(sides)
        and low is not None
        and high is not None,
        flags=_flags(fitted, sides, lowest=lowest, low=low, high=high),
    )


def slice_optimum(slice_: Slice, *, tolerance_loss: float | None = None) -> Optimum:
    """Return the optimum of a slice: `optimum` of its `fit_slice`."""
    return optimum(fit_slice(slice_, tolerance_loss=tolerance_loss))


def n_collapsed(slice_: Slice) -> int:
    """Return the number of runs of a slice that ended far above its curve."""
    return int(np.isfinite(slice_.loss[slice_.collapsed]).sum())


def has_worse_sides(sides: Bracket) -> bool:
    """Return whether a worse value or a wall lies on either side of the best."""
    left = sides.n_worse_left > 0 or sides.wall_left is not None
    return left and (sides.n_worse_right > 0 or sides.wall_right is not None)


def _is_beside_wall(sides: Bracket) -> bool:
    """Whether no worse value lies between the best one and a wall."""
    left = sides.wall_left is not None and sides.n_worse_left == 0
    return left or (sides.wall_right is not None and sides.n_worse_right == 0)


def _without_data(fitted: Fit, sides: Bracket) -> Optimum:
    return Optimum(
        hp=fitted.slice.hp,
        arm=fitted.slice.arm,
        axis_value=fitted.slice.axis_value,
        log2_opt=None,
        log2_low=None,
        log2_high=None,
        log2_best=None,
        loss=None,
        loss_low=None,
        loss_high=None,
        curvature=None,
        basin_low=None,
        basin_high=None,
        log2_first_diverged=sides.wall_right,
        octaves_to_divergence=None,
        n_collapsed=n_collapsed(fitted.slice),
        n_seeds=0,
        n_values=0,
        df=0.0,
        noise_sd=None,
        bracketed=False,
        flags=("no_data",),
    )


@lru_cache(maxsize=64)
def lowest_point(fitted: Fit) -> float | None:
    """Return log2 of the lowest point of the mean curve; None where that is an end of the window.

    Between the last value and a wall nothing was run, and it is not sought there.
    """
    first, last = fitted.values[0], fitted.values[-1]
    low, high = _location_bounds(fitted)
    # The mean of curves with minima in the interval has its own there too.
    start, stop = max(first, low - STEP), min(last, high + STEP)
    grid = np.linspace(start, stop, max(int((stop - start) / STEP), 2) + 1)
    losses = fitted.value(grid)
    i = int(losses.argmin())
    if i in (0, grid.size - 1):
        return None
    before, here, after = losses[i - 1 : i + 2]
    shift = (before - after) / (2 * (before - 2 * here + after))
    return float(np.clip(grid[i] + shift * (grid[1] - grid[0]), low, high))


def _location_bounds(fitted: Fit) -> tuple[float, float]:
    return fitted.profile.location_bounds(fitted.room((1 - CONFIDENCE) / 2))


def _interval(fitted: Fit) -> tuple[float | None, float | None]:
    """The ends of the interval; None where it is open."""
    low, high = _location_bounds(fitted)
    first, last = fitted.values[0], fitted.values[-1]
    return (
        None if low <= first and fitted.wall_left is None else low,
        None if high >= last and fitted.wall_right is None else high,
    )


def _curvature(fitted: Fit, lowest: float) -> float:
    low, middle, high = fitted.value(lowest + CURVATURE_REACH * np.array([-1.0, 0.0, 1.0]))
    return float(max((low + high) / 2 - middle, 0.0) / CURVATURE_REACH**2)


def _flags(
    fitted: Fit,
    sides: Bracket,
    *,
    lowest: float | None,
    low: float | None,
    high: float | None,
) -> tuple[str, ...]:
    at_wall = (
        _is_beside_wall(sides)
        or (sides.wall_left is not None and low is not None and low <= sides.wall_left + STEP)
        or (sides.wall_right is not None and high is not None and high >= sides.wall_right - STEP)
    )
    censored = _censored(fitted, sides, lowest)
    flags = {
        "censored_left": censored[0],
        "censored_right": censored[1],
        "open_left": low is None and not censored[0],
        "open_right": high is None and not censored[1],
        "edge_of_stability": at_wall,
        "collapsed": bool(fitted.slice.collapsed.any()),
        "one_seed": fitted.from_residuals or fitted.n_seeds == 1,
        "too_few_values": not fitted.ok,
        "no_minimum": fitted.ok and lowest is None and not at_wall,
        "flat": fitted.ok and _is_flat(fitted),
        "misfit": fitted.ok and fitted.scale > 1,
        "missing_cells": fitted.slice.n_missing > 0,
    }
    return tuple(name for name, raised in flags.items() if raised)


def _censored(fitted: Fit, sides: Bracket, lowest: float | None) -> tuple[bool, bool]:
    """Whether the optimum lies at or beyond the first value, and the same for the last.

    The best value is the outermost one, or the curve falls all the way to it.
    """
    left = sides.wall_left is None and sides.n_worse_left == 0
    right = sides.wall_right is None and sides.n_worse_right == 0
    if lowest is None and fitted.ok:
        falls = np.diff(fitted.value(fitted.values[[0, -1]]))[0] < 0
        left |= fitted.wall_left is None and not falls
        right |= fitted.wall_right is None and bool(falls)
    return bool(left), bool(right)


def _is_flat(fitted: Fit) -> bool:
    """Whether an F test finds no difference between the values of the window."""
    means, variance = mean_loss(fitted.slice)[fitted.window], fitted.variance[fitted.window]
    # Without replicates the scatter, and with it the variance, may be 0.
    weight = 1 / np.maximum(variance, (ROUNDING * fitted.tolerance_loss) ** 2)
    middle = (weight * means).sum() / weight.sum()
    statistic = float((weight * (means - middle) ** 2).sum()) / (means.size - 1)
    return bool(statistic <= special.fdtri(means.size - 1, fitted.df, CONFIDENCE))


def _loss_at(fitted: Fit, log2_x: float) -> tuple[float, float | None, float | None]:
    """The lowest loss of the mean curve with the interval of that of all curves."""
    if not fitted.ok:
        return float(np.nanmin(mean_loss(fitted.slice)[fitted.window])), None, None
    loss = float(fitted.value(log2_x)[0])
    low, high = fitted.profile.minimum_bounds(fitted.room((1 - CONFIDENCE) / 2))
    return loss, min(low, loss), max(high, loss)


def _basin(fitted: Fit, lowest: float, tolerance_loss: float) -> tuple[float | None, float | None]:
    """Ends of the stretch around the minimum whose loss is within the tolerance of it."""
    limit = float(fitted.value(lowest)[0]) + tolerance_loss
    ends: list[float | None] = []
    for end in (fitted.values[0], fitted.values[-1]):
        side = np.linspace(lowest, end, max(int(abs(end - lowest) / BASIN_STEP), 1) + 1)
        losses = fitted.value(side)
        above = np.flatnonzero(losses > limit)
        if not above.size or above[0] == 0:
            ends.append(None)
            continue
        i = above[0]
        share = (limit - losses[i - 1]) / (losses[i] - losses[i - 1])
        ends.append(float(side[i - 1] + share * (side[i] - side[i - 1])))
    return ends[0], ends[1]
