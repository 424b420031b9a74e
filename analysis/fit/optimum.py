"""The optimum of a slice: the value of lowest loss, with an interval that holds for few seeds."""

import math
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy import special

from mutransfer.analysis.fit.curve import Fit, fit_slice
from mutransfer.analysis.fit.minimum import (
    CONFIDENCE,
    interior_minimum,
    minimum_interval,
    t_quantile,
)
from mutransfer.analysis.table.slice import Bracket, Slice, bracket, mean_loss


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
        curvature: c in loss ≈ loss_opt + c·(log2 x − log2_opt)², that is f''/2, loss/octave².
        basin_low, basin_high: log2 of the ends of the basin within the tolerance of the
            optimum; None where it leaves the window.
        log2_first_diverged: log2 of the nearest diverged value above the optimum;
            ``octaves_to_divergence`` is its distance.
        n_seeds, n_values, df: Seeds and values in the fit, degrees of freedom of the noise.
        noise_sd: Standard deviation of one loss in the basin.
        bracketed: There is a worse or a diverged value on either side, and the interval is closed
            on both.
        flags: Codes: censored_left, censored_right (the optimum lies at or beyond the last
            value), open_left, open_right (noise leaves that end of the interval open),
            edge_of_stability, cliff, one_seed, too_few_values, no_minimum, flat,
            missing_cells, no_data.
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


def optimum(fitted: Fit, tolerance_loss: float | None = None) -> Optimum:
    """Return the optimum of a fitted slice with its 95 % interval and flags.

    The interval is the set of locations at which a minimum is not rejected (`slope_z` within the
    t quantile), searched from one lattice step left of the window to one step right of it. A set
    that reaches an end of the window is open there, unless the next value diverged or is a cliff:
    then the interval ends at that value at the latest. With one seed the noise is the scatter
    about the curve only (flag ``one_seed``).

    Args:
        fitted: A fit without a pinned value.
        tolerance_loss: Regret, in loss, that bounds the basin; None: no basin.
    """
    without_basin = _optimum(fitted)
    lowest = interior_minimum(fitted) if fitted.ok else None
    if tolerance_loss is None or lowest is None:
        return without_basin
    low, high = _basin(fitted, lowest, tolerance_loss)
    return replace(without_basin, basin_low=low, basin_high=high)


def slice_optimum(slice_: Slice, *, spacing_log2: float = 1.0) -> Optimum:
    """Return the optimum of a slice: `optimum` of its `fit_slice`."""
    return optimum(fit_slice(slice_, spacing_log2=spacing_log2))


@lru_cache(maxsize=512)
def _optimum(fitted: Fit) -> Optimum:
    """The optimum without a basin."""
    sides = bracket(fitted.slice)
    if sides.best is None:
        return _without_data(fitted, sides)
    lowest = interior_minimum(fitted) if fitted.ok else None
    at_barrier = sides.diverged_right is not None and sides.n_worse_right == 0
    ends = minimum_interval(fitted) if fitted.ok else None
    if ends is None and fitted.ok and at_barrier:
        ends = (_rejected_below(fitted), sides.diverged_right)
    low, high = ends or (None, None)
    center = fitted.center if lowest is None else lowest
    has_minimum = lowest is not None or (at_barrier and ends is not None)
    first_diverged = sides.diverged_right
    loss, loss_low, loss_high = _loss_at(fitted, center)
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
        curvature=None if lowest is None else fitted.second_derivative(lowest) / 2,
        basin_low=None,
        basin_high=None,
        log2_first_diverged=first_diverged,
        octaves_to_divergence=None if first_diverged is None else first_diverged - center,
        n_seeds=fitted.n_seeds,
        n_values=int(fitted.window.sum()),
        df=fitted.df,
        noise_sd=math.sqrt(fitted.noise_var) if fitted.ok else None,
        bracketed=has_minimum and has_worse_sides(sides) and low is not None and high is not None,
        flags=_flags(fitted, sides, lowest=lowest, has_minimum=has_minimum, low=low, high=high),
    )


def has_worse_sides(sides: Bracket) -> bool:
    """Return whether a worse or a diverged value lies on either side of the best."""
    left = sides.n_worse_left > 0 or sides.diverged_left is not None
    return left and (sides.n_worse_right > 0 or sides.diverged_right is not None)


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
        log2_first_diverged=sides.diverged_right,
        octaves_to_divergence=None,
        n_seeds=0,
        n_values=0,
        df=0.0,
        noise_sd=None,
        bracketed=False,
        flags=("no_data",),
    )


def _rejected_below(fitted: Fit) -> float | None:
    """Nearest value below the best that is significantly worse: a lower end if f is unimodal."""
    quantile = t_quantile(fitted)
    for x in fitted.values[fitted.values < fitted.center][::-1]:
        estimate, error = fitted.difference(float(x), fitted.center)
        if estimate > quantile * error:
            return float(x)
    return None


def _flags(
    fitted: Fit,
    sides: Bracket,
    *,
    lowest: float | None,
    has_minimum: bool,
    low: float | None,
    high: float | None,
) -> tuple[str, ...]:
    at_barrier = sides.diverged_right is not None and (
        sides.n_worse_right == 0 or (high is not None and high >= sides.diverged_right)
    )
    barriers = [b for b in (fitted.barrier_left, fitted.barrier_right) if b is not None]
    diverged = (sides.diverged_left, sides.diverged_right)
    censored = _censored(fitted, sides, lowest)
    flags = {
        "censored_left": censored[0],
        "censored_right": censored[1],
        "open_left": low is None and not censored[0],
        "open_right": high is None and not censored[1],
        "edge_of_stability": at_barrier,
        "cliff": any(b not in diverged for b in barriers),
        "one_seed": fitted.n_seeds == 1,
        "too_few_values": not fitted.ok,
        "no_minimum": fitted.ok and not has_minimum,
        "flat": fitted.ok and _is_flat(fitted),
        "missing_cells": fitted.slice.n_missing > 0,
    }
    return tuple(name for name, raised in flags.items() if raised)


def _censored(fitted: Fit, sides: Bracket, lowest: float | None) -> tuple[bool, bool]:
    """Whether the optimum lies at or beyond the first value, and the same for the last.

    The best value is the outermost one, or the curve falls all the way to it.
    """
    x = fitted.slice.log2_x[fitted.slice.usable]
    left = sides.diverged_left is None and sides.n_worse_left == 0
    right = sides.diverged_right is None and sides.n_worse_right == 0
    if lowest is None and fitted.ok:
        first, last = fitted.values[0], fitted.values[-1]
        f_first, f_last = fitted.value(np.array([first, last]))
        left |= fitted.barrier_left is None and first == x[0] and f_first < f_last
        right |= fitted.barrier_right is None and last == x[-1] and f_last < f_first
    return bool(left), bool(right)


def _is_flat(fitted: Fit) -> bool:
    """Whether an F test finds no difference between the values of the window."""
    means, weight = mean_loss(fitted.slice)[fitted.window], 1 / fitted.variance[fitted.window]
    middle = (weight * means).sum() / weight.sum()
    statistic = float((weight * (means - middle) ** 2).sum()) / (means.size - 1)
    return bool(statistic <= special.fdtri(means.size - 1, fitted.df, CONFIDENCE))


def _loss_at(fitted: Fit, log2_x: float) -> tuple[float, float | None, float | None]:
    if not fitted.ok:
        return float(np.nanmin(mean_loss(fitted.slice))), None, None
    form = fitted.rows(log2_x)[0]
    loss = float(form @ fitted.beta)
    error = math.sqrt(float(form @ fitted.cov @ form))
    half = t_quantile(fitted) * error
    return loss, loss - half, loss + half


def _basin(fitted: Fit, lowest: float, tolerance_loss: float) -> tuple[float | None, float | None]:
    """Ends of the stretch around the minimum whose loss is within the tolerance of it."""
    first, last = fitted.values[0], fitted.values[-1]
    limit = float(fitted.value(lowest)[0]) + tolerance_loss
    left, right = np.linspace(lowest, first, 257), np.linspace(lowest, last, 257)
    ends = []
    for side in (left, right):
        above = np.flatnonzero(fitted.value(side) > limit)
        ends.append(float(side[above[0]]) if above.size else None)
    return ends[0], ends[1]
