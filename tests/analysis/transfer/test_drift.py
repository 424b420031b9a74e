"""Drift and contrast against planted truth."""

import dataclasses

import numpy as np
import pytest

from mutransfer.analysis.fit.curve import Fit, fit_slice
from mutransfer.analysis.transfer.drift import Drift, contrast, drift
from tests.analysis import planted
from tests.analysis.transfer.planted_fits import ladder, target


@pytest.mark.parametrize("slope", [0.0, -1.0, 0.5])
def test_the_drift_is_recovered_and_covered(slope: float) -> None:
    lines = [drift(ladder(slope, seed)) for seed in range(8)]
    assert np.median([line.estimate for line in lines]) == pytest.approx(slope, abs=0.1)
    # 8 draws at 95 %: 6 or fewer hits have a probability of 6 %, 5 or fewer of 0.6 %.
    assert sum(line.low <= slope <= line.high for line in lines) >= 6
    assert not any(line.low <= slope + 1 <= line.high for line in lines)


def test_drift_and_no_drift_are_distinguished() -> None:
    still, moving = drift(ladder(0.0)), drift(ladder(-1.0))
    assert still.low < 0 < still.high
    assert moving.high < -0.7
    assert contrast(still, moving).differs is True
    assert contrast(still, drift(ladder(0.0, seed=1))).differs is False


def test_slopes_of_zero_and_of_minus_one_are_tested() -> None:
    still, moving = drift(ladder(0.0)), drift(ladder(-1.0))
    assert still.p_zero > 0.05 > still.p_minus_one
    assert moving.p_minus_one > 0.05 > moving.p_zero
    # A true slope is rejected in 5 % of the draws: of 8, 3 or more in 0.6 %.
    rejected = [drift(ladder(-1.0, s)).p_minus_one < 0.05 for s in range(8)]
    assert sum(rejected) <= 2


def biased(bias: float, seed: int) -> list[Fit]:
    """A ladder whose optima lie ``bias``/width octaves from their limit."""
    fits = []
    for i, width in enumerate(planted.WIDTHS):
        truth = -8.3 + bias / width
        x = np.arange(round(truth) - 3.0, round(truth) + 4.0)
        slice_ = target(100 * seed + i, log2_opt=truth, log2_x=x)
        fits.append(fit_slice(dataclasses.replace(slice_, axis_value=width)))
    return fits


def test_a_bias_of_small_widths_is_estimated_and_a_straight_ladder_has_none() -> None:
    laws = [drift(biased(-64.0, seed)).finite_width for seed in range(4)]
    # 2 or fewer of 4 at 95 % have a probability of 1.4 %.
    assert sum(law.bias_low <= -64.0 <= law.bias_high for law in laws) >= 3
    assert sum(law.bias_high < 0 for law in laws) >= 3
    assert np.median([law.log2_limit for law in laws]) == pytest.approx(-8.3, abs=0.15)
    unbiased = [drift(biased(0.0, seed)).finite_width for seed in range(4)]
    assert sum(law.bias_low < 0 < law.bias_high for law in unbiased) >= 3
    assert drift(biased(0.0, 0)[:3]).finite_width is None


def test_without_the_smallest_width() -> None:
    fits = ladder(0.0)
    odd = dataclasses.replace(
        target(0, log2_opt=-10.5, log2_x=np.arange(-13.0, -7.0)), axis_value=planted.WIDTHS[0]
    )
    line = drift([fit_slice(odd), *fits[1:]])
    assert line.estimate > 0.25
    assert line.without_smallest.estimate == pytest.approx(0.0, abs=0.1)
    assert line.without_smallest.axis_values == planted.WIDTHS[1:]


def test_a_line_that_does_not_fit_widens_the_interval() -> None:
    straight = drift(ladder(0.0))
    bent = ladder(0.0)
    shifted = target(0, log2_opt=-9.6, log2_x=np.arange(-13.0, -6.0))
    bent[1] = fit_slice(dataclasses.replace(shifted, axis_value=64))
    assert drift(bent).high - drift(bent).low > 2 * (straight.high - straight.low)


def test_fewer_than_three_bracketed_widths_give_no_drift() -> None:
    fits = ladder(0.0)
    censored = fit_slice(dataclasses.replace(target(0, log2_opt=-4.0), axis_value=64))
    too_few = drift([fits[0], censored, fits[2]])
    assert too_few.estimate is None
    assert "2 widths" in too_few.reason
    assert contrast(too_few, drift(fits)).differs is None
    assert drift([]).n_axis_values == 0


def test_an_open_drift_has_no_bound() -> None:
    line = {"estimate": 0.0, "intercept": 0.0, "n_axis_values": 3, "axis_values": (1, 2, 4)}
    assert Drift(low=-0.2, high=0.1, **line).bound == pytest.approx(0.2)
    assert Drift(low=None, high=0.1, **line).bound is None
