"""Laws of every fit: over planted slices of many shapes, and over slices of measured curves."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mutransfer.analysis.fit.curve import Fit, fit_slice
from mutransfer.analysis.fit.optimum import Optimum, optimum, slice_optimum
from mutransfer.analysis.table.slice import Slice, mean_loss
from tests.analysis.planted_shapes import (
    FEW,
    LOSS,
    NO_MINIMUM,
    TOLERANCE,
    a_slice,
    drawn,
    measured,
    of_sweep,
    planted,
    slices,
)

# The lowest point of a curve that is straight between tabulated points is found to this, octaves.
NEAR = 0.005


def opened(opt: Optimum) -> tuple[float, float]:
    """The ends of the interval, infinite where it is open."""
    low = -math.inf if opt.log2_low is None else opt.log2_low
    return low, math.inf if opt.log2_high is None else opt.log2_high


def is_inside(opt: Optimum) -> bool:
    """Whether an estimate lies in its interval."""
    low, high = opened(opt)
    return opt.log2_opt is not None and low <= opt.log2_opt <= high


@given(slices())
@FEW
def test_the_estimate_lies_in_its_interval(slice_: Slice) -> None:
    opt = slice_optimum(slice_)
    assert is_inside(opt)
    if opt.loss_low is not None and opt.loss_high is not None:
        assert opt.loss_low <= opt.loss <= opt.loss_high


def test_the_best_value_of_a_noisy_slice_may_lie_outside_and_a_shifted_estimate_does() -> None:
    outside = []
    for seed in range(20):
        opt = slice_optimum(drawn("V", seed, n_values=9, spacing=0.5))
        low, high = opened(opt)
        outside.append(not low <= opt.log2_best <= high)
        assert not is_inside(dataclasses.replace(opt, log2_opt=high + 0.1))
    assert any(outside)


def convex_floor(fitted: Fit) -> float:
    """The lowest loss that a convex curve through the means may have.

    Between two values it is above the straight lines through the two means on either side.
    """
    x, means = fitted.values, mean_loss(fitted.slice)[fitted.window]
    best = int(means.argmin())
    lowest = float(means[best])
    for i in {max(best - 1, 0), min(best, x.size - 2)}:
        at = np.linspace(x[i], x[i + 1], 201)
        lines = [
            means[a] + (means[b] - means[a]) / (x[b] - x[a]) * (at - x[a])
            for a, b in ((i - 1, i), (i + 2, i + 1))
            if 0 <= a < x.size
        ]
        lowest = min(lowest, float(np.max(lines, axis=0).min()))
    return lowest


def is_low(fitted: Fit) -> bool:
    """Whether the fitted minimum is lower than noise and the values on either side allow.

    By four standard errors of the lowest mean, or half the tolerance; between two values a curve
    may also fall as far as straight lines through the next ones do.
    """
    best = np.nanargmin(np.where(fitted.window, mean_loss(fitted.slice), np.nan))
    error = float(np.sqrt(fitted.variance[best]))
    return optimum(fitted).loss < convex_floor(fitted) - max(4 * error, 0.5 * fitted.tolerance_loss)


@given(slices())
@FEW
def test_the_fitted_minimum_is_not_below_what_the_lowest_means_allow(slice_: Slice) -> None:
    fitted = fit_slice(slice_)
    opt = optimum(fitted)
    if fitted.ok:
        assert not is_low(fitted)
        assert opt.loss_low <= np.nanmin(mean_loss(slice_))


def test_a_cubic_through_a_collapsed_value_is_lower_than_the_means_allow() -> None:
    slice_ = drawn("collapsed end", 3, noise=0.1)
    fitted = fit_slice(slice_)
    x, means = slice_.log2_x, slice_.loss.mean(axis=1)
    at = np.linspace(x[0], x[-1], 501)
    cubic = np.polyval(np.polyfit(x, means, 3), at).min()
    assert slice_.collapsed.any() and not is_low(fitted)
    assert cubic < convex_floor(fitted) - 10 * TOLERANCE


RESULTS = (
    *("log2_opt", "log2_low", "log2_high", "log2_best", "loss", "loss_low", "loss_high"),
    *("curvature", "noise_sd", "df", "n_values", "n_seeds", "bracketed"),
)


def results(opt: Optimum) -> list[float | None]:
    """What the fit found, apart from remarks on the slice."""
    return [getattr(opt, name) for name in RESULTS]


def extended(slice_: Slice, losses: list[float], diverged: list[bool]) -> Slice:
    """The slice with values above its last one, each with one loss for all seeds."""
    n, n_seeds = len(losses), slice_.loss.shape[1]
    x = slice_.log2_x[-1] + 1.0 + np.arange(n)
    return dataclasses.replace(
        slice_,
        log2_x=np.append(slice_.log2_x, x),
        loss=np.append(slice_.loss, np.repeat(np.array(losses)[:, None], n_seeds, axis=1), axis=0),
        diverged=np.append(slice_.diverged, diverged),
    )


WALL = {"diverged": (math.nan, True), "collapsed": (LOSS + 2000 * TOLERANCE, False)}


@pytest.mark.parametrize("wall", list(WALL))
@given(
    slice_=planted(["valley", "V", "plateau"], spacing=0.5, n_missing=0, diverges_from=np.inf),
    beyond=st.lists(st.sampled_from(["diverged", "collapsed"]), max_size=3),
)
@FEW
def test_values_beyond_a_wall_change_nothing(wall: str, slice_: Slice, beyond: list[str]) -> None:
    """Neither such as collapsed or diverged nor one that finished again."""
    walled = extended(slice_, *([value] for value in WALL[wall]))
    assert walled.walls[-1]
    more = [WALL[wall], *(WALL[name] for name in beyond), (LOSS + 30 * TOLERANCE, False)]
    losses, diverged = (list(column) for column in zip(*more, strict=True))
    found = results(slice_optimum(walled))
    assert results(slice_optimum(extended(slice_, losses, diverged))) == found
    assert results(slice_optimum(extended(slice_, losses[:-1], diverged[:-1]))) == found


def test_a_value_before_the_wall_changes_something() -> None:
    slice_ = drawn("V", 1, spacing=0.5)
    walled, with_value = (
        extended(slice_, losses, diverged)
        for losses, diverged in (([math.nan], [True]), ([LOSS + 0.4, math.nan], [False, True]))
    )
    assert results(slice_optimum(walled)) != results(slice_optimum(with_value))


def agree(one: Optimum, other: Optimum, *, tolerance: float = TOLERANCE) -> bool:
    """Whether two optima are equal up to rounding."""
    places = ("log2_opt", "log2_low", "log2_high", "log2_best")
    ends = [(getattr(one, name), getattr(other, name), NEAR) for name in places]
    levels = [
        (getattr(one, name), getattr(other, name), 1e-4 * tolerance)
        for name in ("loss", "loss_low", "loss_high")
    ]
    return (one.bracketed, set(one.flags)) == (other.bracketed, set(other.flags)) and all(
        (a is None) == (b is None) and (a is None or abs(a - b) <= near)
        for a, b, near in ends + levels
    )


def moved(opt: Optimum, octaves: float) -> Optimum:
    """The optimum so many octaves higher."""
    names = ("log2_opt", "log2_low", "log2_high", "log2_best")
    places = {n: None if (x := getattr(opt, n)) is None else x + octaves for n in names}
    return dataclasses.replace(opt, **places)


@given(slices(), st.sampled_from([-20.0, -0.37, 5.2]))
@FEW
def test_another_unit_of_the_hp_moves_the_optimum_and_nothing_else(
    slice_: Slice, octaves: float
) -> None:
    shifted = dataclasses.replace(slice_, log2_x=slice_.log2_x + octaves)
    plain, other = (slice_optimum(s, tolerance_loss=TOLERANCE) for s in (slice_, shifted))
    assert agree(moved(plain, octaves), other)
    assert not agree(plain, other)


@given(slices(), st.sampled_from([(1.0, -7.0), (0.02, 0.0), (300.0, 40.0)]))
@FEW
def test_another_unit_of_the_loss_changes_the_loss_alone(
    slice_: Slice, change: tuple[float, float]
) -> None:
    factor, offset = change
    scaled = dataclasses.replace(slice_, loss=factor * slice_.loss + offset)
    # How far collapsed runs lie above the curve is measured by the size of the losses.
    assume(np.array_equal(scaled.collapsed, slice_.collapsed))
    plain = slice_optimum(slice_, tolerance_loss=TOLERANCE)
    names = ("loss", "loss_low", "loss_high")
    levels = {n: None if (y := getattr(plain, n)) is None else factor * y + offset for n in names}
    other = slice_optimum(scaled, tolerance_loss=factor * TOLERANCE)
    assert agree(dataclasses.replace(plain, **levels), other, tolerance=factor * TOLERANCE)


def test_the_loss_alone_in_another_unit_is_measured_by_another_tolerance() -> None:
    slice_ = drawn("valley", 0)
    scaled = dataclasses.replace(slice_, loss=300 * slice_.loss)
    plain, other = (slice_optimum(s, tolerance_loss=TOLERANCE) for s in (slice_, scaled))
    assert opened(plain) != opened(other)


def mirrored(opt: Optimum) -> Optimum:
    """The optimum along 1/x."""
    names = {"log2_opt": "log2_opt", "log2_low": "log2_high", "log2_high": "log2_low"}
    places = {n: None if (x := getattr(opt, m)) is None else -x for n, m in names.items()}
    sides = {"left": "right", "right": "left"}
    flags = [f"{f.rpartition('_')[0]}_{sides[s]}" if (s := f.rpartition("_")[2]) in sides else f
             for f in opt.flags]  # fmt: skip
    return dataclasses.replace(opt, log2_best=-opt.log2_best, flags=tuple(flags), **places)


@given(slices())
@FEW
def test_left_and_right_are_treated_alike(slice_: Slice) -> None:
    reversed_ = dataclasses.replace(
        slice_,
        log2_x=-slice_.log2_x[::-1],
        loss=slice_.loss[::-1],
        diverged=slice_.diverged[::-1],
    )
    plain, other = (slice_optimum(s, tolerance_loss=TOLERANCE) for s in (slice_, reversed_))
    assert agree(mirrored(plain), other)
    assert not agree(plain, other)


@given(slices(n_seeds=4), st.permutations(range(4)))
@FEW
def test_the_order_and_the_numbers_of_seeds_do_not_matter(slice_: Slice, order: list[int]) -> None:
    relabelled = dataclasses.replace(
        slice_, loss=slice_.loss[:, order], seeds=tuple(100 + i for i in order)
    )
    plain, other = (slice_optimum(s, tolerance_loss=TOLERANCE) for s in (slice_, relabelled))
    assert agree(plain, other)


def test_whose_losses_are_whose_matters() -> None:
    """Mixed, the effects of seeds are noise."""
    slice_ = drawn("valley", 0, n_seeds=4)
    mixed = np.array([np.roll(losses, i) for i, losses in enumerate(slice_.loss)])
    plain, other = (
        slice_optimum(dataclasses.replace(slice_, loss=y)) for y in (slice_.loss, mixed)
    )
    assert other.noise_sd > plain.noise_sd and not agree(plain, other)


DENSE = planted(n_values=17, spacing=0.5, diverges_from=2.0) | measured(spacing=0.0)


def halved(slice_: Slice, first: int) -> Slice:
    """Each second value of a slice."""
    return dataclasses.replace(
        slice_,
        log2_x=slice_.log2_x[first::2],
        loss=slice_.loss[first::2],
        diverged=slice_.diverged[first::2],
    )


def overlap(one: Optimum, other: Optimum) -> bool:
    """Whether two intervals have a value in common."""
    (low, high), (other_low, other_high) = opened(one), opened(other)
    return low <= other_high and other_low <= high


@given(DENSE)
@FEW
def test_half_the_values_agree_with_all(slice_: Slice) -> None:
    whole = slice_optimum(slice_)
    for first in (0, 1):
        assert overlap(slice_optimum(halved(slice_, first)), whole)


def test_half_the_values_do_not_agree_with_those_of_another_curve() -> None:
    """Intervals are short enough to tell optima half an octave apart."""
    apart = []
    for seed in range(10):
        slice_ = of_sweep("dit", 2, seed, spacing=0.0)
        other = dataclasses.replace(slice_, log2_x=slice_.log2_x + 1.0)
        apart.append(not overlap(slice_optimum(halved(slice_, 0)), slice_optimum(other)))
    assert sum(apart) >= 8


@pytest.mark.parametrize("shape", NO_MINIMUM)
@given(data=st.data())
@settings(FEW, max_examples=2)
def test_a_flat_or_monotone_curve_has_no_minimum(shape: str, data: st.DataObject) -> None:
    slice_ = data.draw(planted([shape], noise=0.0, diverges_from=np.inf))
    opt = slice_optimum(slice_, tolerance_loss=TOLERANCE)
    assert not opt.bracketed and (opt.log2_low is None or opt.log2_high is None)


@given(planted(["falling", "rising"], diverges_from=np.inf))
@FEW
def test_noise_gives_a_monotone_curve_no_minimum_inside(slice_: Slice) -> None:
    opt = slice_optimum(slice_, tolerance_loss=TOLERANCE)
    assert opt.log2_low is None or opt.log2_high is None


@given(planted(["valley", "V", "wall", "plateau"], n_values=9, is_lattice=True, n_seeds=3))
@FEW
def test_a_curve_with_a_minimum_among_its_values_has_one(slice_: Slice) -> None:
    """The control of the two tests above."""
    opt = slice_optimum(slice_, tolerance_loss=TOLERANCE)
    assert opt.bracketed and -1.5 < opt.log2_opt < 1.5


@pytest.mark.slow
def test_noise_alone_rarely_has_a_minimum() -> None:
    opts = [slice_optimum(drawn("flat", k), tolerance_loss=TOLERANCE) for k in range(60)]
    # The F test errs in 5 %; 8 or more of 60 have a probability of 1 %.
    assert sum("flat" not in o.flags for o in opts) <= 7
    assert sum(o.bracketed for o in opts) <= 7


def test_zero_noise_and_equal_losses_are_no_error() -> None:
    x = np.arange(7.0)
    for losses in (np.zeros((7, 3)), np.full((7, 1), -0.1)):
        opt = slice_optimum(a_slice(x, losses))
        assert is_inside(opt) and not opt.bracketed
