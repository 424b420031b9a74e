"""The curve of a window: noise from all its values, coefficients from those on the curve."""

import dataclasses

import numpy as np
import pytest

from mutransfer.analysis.fit.solve import Solved, solve
from mutransfer.analysis.fit.window import window_of
from mutransfer.analysis.table.slice import Slice
from tests.analysis.fit.planted_slices import slices


def solved(slice_: Slice, pinned: float | None = None) -> Solved:
    return solve([window_of(slice_, 1.0, pinned)])[0]


def test_a_pinned_value_keeps_its_mean_and_its_seeds_enter_the_noise() -> None:
    (slice_,) = slices(1)
    raised = slice_.loss.copy()
    raised[slice_.index(-8.0)] += 1.0
    plain, pinned = solved(slice_, -8.0), solved(dataclasses.replace(slice_, loss=raised), -8.0)
    np.testing.assert_allclose(pinned.beta, plain.beta)
    assert pinned.noise_var == pytest.approx(plain.noise_var)
    assert pinned.pinned[1] == pytest.approx(plain.pinned[1] + 1.0)
    assert solved(slice_).pinned is None


def test_the_noise_of_one_seed_is_the_scatter_about_a_cubic() -> None:
    (slice_,) = slices(1, noise_sd=0.01)
    single = dataclasses.replace(slice_, loss=slice_.loss[:, :1], seeds=slice_.seeds[:1])
    x, y = single.log2_x, single.loss[:, 0]
    residual = y - np.polyval(np.polyfit(x, y, 3), x)
    curve = solved(single)
    assert curve.noise_var == pytest.approx((residual**2).sum() / (x.size - 4))
    assert (curve.df, curve.n_seeds) == (x.size - 4, 1)


@pytest.mark.parametrize(("n_seeds", "least"), [(1, 4), (3, 3)])
def test_too_few_values_get_no_curve(n_seeds: int, least: int) -> None:
    for n in (least - 1, least):
        (slice_,) = slices(1, log2_x=np.arange(-10.0, -10.0 + n))
        fewer = dataclasses.replace(
            slice_, loss=slice_.loss[:, :n_seeds], seeds=slice_.seeds[:n_seeds]
        )
        assert bool(solved(fewer).beta.size) == (n == least)
