"""Drift, contrast, regret and sensitivity against planted truth."""

import dataclasses

import numpy as np
import pytest

from mutransfer.analysis.fit.curve import Fit, fit
from mutransfer.analysis.table.slice import Slice
from mutransfer.analysis.transfer.drift import Drift, contrast, drift
from mutransfer.analysis.transfer.regret import predicted_regret, regret, sensitivity
from tests.analysis import planted

CURVATURE = 0.01


def ladder(
    slope: float, seed: int = 0, widths: tuple = planted.WIDTHS, noise: float = 0.001
) -> list[Fit]:
    rng = np.random.default_rng(seed)
    fits = []
    for width in widths:
        truth = -8.3 + slope * np.log2(width / widths[0])
        x = np.arange(round(truth) - 3.0, round(truth) + 4.0)
        found = planted.a_slice(
            planted.mild_cubic,
            log2_opt=truth,
            noise_sd=noise,
            n_seeds=2,
            rng=rng,
            log2_x=x,
            width=width,
        )
        fits.append(fit(found))
    return fits


def target(seed: int, noise: float = 0.001, **changes: object) -> Slice:
    rng = np.random.default_rng(seed)
    asked = {"log2_opt": -9.3, "noise_sd": noise, "n_seeds": 2, "rng": rng}
    return planted.a_slice(planted.parabola, **(asked | changes))


@pytest.mark.parametrize("slope", [0.0, -1.0, 0.5])
def test_the_drift_is_recovered_and_covered(slope: float) -> None:
    hits = []
    for seed in range(25):
        found = drift(ladder(slope, seed))
        assert found.estimate == pytest.approx(slope, abs=0.2)
        hits.append(found.low <= slope <= found.high)
    # 25 draws at 95 %: 21 or fewer hits have a probability of 0.3 %.
    assert sum(hits) >= 21


def test_no_drift_and_drift_are_told_apart() -> None:
    still, moving = drift(ladder(0.0)), drift(ladder(-1.0))
    assert still.low < 0 < still.high
    assert moving.high < -0.8
    assert contrast(still, moving).differs is True
    assert contrast(still, drift(ladder(0.0, seed=1))).differs is False


def test_slopes_of_nothing_and_of_minus_one_are_tested() -> None:
    still, moving = drift(ladder(0.0)), drift(ladder(-1.0))
    assert still.p_zero > 0.05 > still.p_minus_one
    assert moving.p_minus_one > 0.05 > moving.p_zero
    # A true slope is refused in 5 % of the draws: of 40, 7 or more in 1.4 %.
    refused = [drift(ladder(-1.0, s)).p_minus_one < 0.05 for s in range(40)]
    assert sum(refused) <= 6


def biased(bias: float, seed: int) -> list[Fit]:
    """A ladder whose optima lie ``bias``/width octaves from their limit."""
    fits = []
    for i, width in enumerate(planted.WIDTHS):
        truth = -8.3 + bias / width
        x = np.arange(round(truth) - 3.0, round(truth) + 4.0)
        found = target(100 * seed + i, log2_opt=truth, log2_x=x)
        fits.append(fit(dataclasses.replace(found, axis_value=width)))
    return fits


def test_a_bias_of_narrow_widths_is_found_and_a_straight_ladder_has_none() -> None:
    laws = [drift(biased(-32.0, seed)).finite_width for seed in range(30)]
    covered = [law.bias_low <= -32.0 <= law.bias_high for law in laws]
    # 25 or fewer of 30 at 95 % have a probability of 1.6 %.
    assert sum(covered) >= 26
    assert all(law.bias_high < 0 for law in laws)
    assert np.median([law.log2_limit for law in laws]) == pytest.approx(-8.3, abs=0.03)
    none = [drift(biased(0.0, seed)).finite_width for seed in range(30)]
    assert sum(law.bias_low < 0 < law.bias_high for law in none) >= 26
    assert drift(biased(0.0, 0)[:3]).finite_width is None


def test_without_the_narrowest_width() -> None:
    fits = ladder(0.0)
    odd = dataclasses.replace(
        target(0, log2_opt=-10.5, log2_x=np.arange(-13.0, -7.0)), axis_value=planted.WIDTHS[0]
    )
    found = drift([fit(odd), *fits[1:]])
    assert found.estimate > 0.3
    assert found.without_narrowest.estimate == pytest.approx(0.0, abs=0.1)
    assert found.without_narrowest.axis_values == planted.WIDTHS[1:]


def test_a_line_that_does_not_fit_widens_the_interval() -> None:
    straight = drift(ladder(0.0))
    bent = ladder(0.0)
    bent[1] = ladder(0.0, widths=(32, 64))[1]
    shifted = target(0, log2_opt=-9.6, log2_x=np.arange(-13.0, -6.0))
    bent[1] = fit(dataclasses.replace(shifted, axis_value=64))
    assert drift(bent).high - drift(bent).low > 2 * (straight.high - straight.low)


def test_fewer_than_three_bracketed_widths_give_no_drift() -> None:
    fits = ladder(0.0)
    censored = fit(dataclasses.replace(target(0, log2_opt=-4.0), axis_value=64))
    found = drift([fits[0], censored, fits[2]])
    assert found.estimate is None
    assert "2 widths" in found.reason
    assert contrast(found, drift(fits)).differs is None
    assert drift([]).n_widths == 0


@pytest.mark.parametrize("noise", [0.0005, 0.002])
def test_the_bounds_of_the_regret_cover(noise: float) -> None:
    upper, lower = [], []
    for seed in range(400):
        truth = CURVATURE * (-8.0 + 9.3) ** 2
        found = regret(fit(target(seed, noise)), -8.0)
        upper.append(found.upper >= truth)
        lower.append(found.lower <= truth)
    assert np.mean(upper) >= 0.93
    assert np.mean(lower) >= 0.95


def test_the_regret_of_the_optimum_is_nothing_and_its_bound_holds() -> None:
    found = regret(fit(target(0, 1e-6)), -9.3)
    assert found.estimate == pytest.approx(0.0, abs=1e-5)
    assert found.lower == 0.0
    assert 0 <= found.upper < 1e-4


def test_a_value_off_the_curve_is_compared_by_its_own_losses() -> None:
    x = np.arange(-15.0, -6.0)
    found = regret(fit(target(0, log2_x=x)), -15.0)
    assert found.pinned
    assert found.estimate == pytest.approx(CURVATURE * 5.7**2, rel=0.05)
    assert found.lower > 0.3
    near = regret(fit(target(0)), -10.0)
    assert not near.pinned
    assert regret(fit(target(0)), -20.0) is None


def test_a_stricter_level_is_a_wider_bound() -> None:
    fitted = fit(target(0))
    usual, strict = regret(fitted, -9.0), regret(fitted, -9.0, level=0.99)
    assert strict.upper > usual.upper
    assert strict.lower <= usual.lower


def test_sensitivity_needs_a_shown_excess() -> None:
    curved, flat = fit(target(0)), fit(target(0, curvature=0.0))
    assert sensitivity(curved, 0.005).sensitive
    assert not sensitivity(flat, 0.005).sensitive
    assert not sensitivity(curved, 1.0).sensitive


def test_flat_curves_are_called_sensitive_in_less_than_five_percent() -> None:
    flat = [sensitivity(fit(target(s, curvature=0.0)), 1e-9).sensitive for s in range(200)]
    assert np.mean(flat) <= 0.05


def test_a_diverged_value_counts_as_worse() -> None:
    walled = fit(target(0, curvature=0.0, diverged_from=-7.0))
    assert sensitivity(walled, 0.005).by_divergence
    assert sensitivity(walled, 0.005).sensitive


def test_the_predicted_regret_grows_with_the_square_of_the_doublings() -> None:
    assert predicted_regret(0.01, 0.1, 2) == pytest.approx(0.01 * 0.04)
    assert predicted_regret(0.01, 0.1, 4) == pytest.approx(4 * predicted_regret(0.01, 0.1, 2))
    assert predicted_regret(None, 0.1, 2) is None
    assert predicted_regret(0.01, None, 2) is None


def test_an_open_drift_has_no_bound() -> None:
    line = {"estimate": 0.0, "intercept": 0.0, "n_widths": 3, "axis_values": (1, 2, 4)}
    assert Drift(low=-0.2, high=0.1, **line).bound == pytest.approx(0.2)
    assert Drift(low=None, high=0.1, **line).bound is None
