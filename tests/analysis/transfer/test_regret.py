"""Regret and sensitivity against planted truth."""

import numpy as np
import pytest

from mutransfer.analysis.fit.curve import fit_slice
from mutransfer.analysis.transfer.regret import predicted_regret, regret, sensitivity
from tests.analysis.transfer.planted_fits import target

CURVATURE = 0.01


@pytest.mark.parametrize("noise", [0.0005, 0.002])
def test_the_bounds_of_the_regret_cover(noise: float) -> None:
    upper, lower = [], []
    for seed in range(400):
        truth = CURVATURE * (-8.0 + 9.3) ** 2
        bounds = regret(fit_slice(target(seed, noise)), -8.0)
        upper.append(bounds.upper >= truth)
        lower.append(bounds.lower <= truth)
    assert np.mean(upper) >= 0.93
    assert np.mean(lower) >= 0.95


def test_the_regret_of_the_optimum_is_zero_and_its_bound_holds() -> None:
    bounds = regret(fit_slice(target(0, 1e-6)), -9.3)
    assert bounds.estimate == pytest.approx(0.0, abs=1e-5)
    assert bounds.lower == 0.0
    assert 0 <= bounds.upper < 1e-4


def test_a_value_off_the_curve_is_pinned_to_its_own_mean() -> None:
    x = np.arange(-15.0, -6.0)
    bounds = regret(fit_slice(target(0, log2_x=x)), -15.0)
    assert bounds.pinned
    assert bounds.estimate == pytest.approx(CURVATURE * 5.7**2, rel=0.05)
    assert bounds.lower > 0.3
    near = regret(fit_slice(target(0)), -10.0)
    assert not near.pinned
    assert regret(fit_slice(target(0)), -20.0) is None


def test_a_higher_confidence_level_gives_a_wider_bound() -> None:
    fitted = fit_slice(target(0))
    usual, strict = regret(fitted, -9.0), regret(fitted, -9.0, confidence=0.99)
    assert strict.upper > usual.upper
    assert strict.lower <= usual.lower


def test_sensitivity_needs_a_significant_excess() -> None:
    curved, flat = fit_slice(target(0)), fit_slice(target(0, curvature=0.0))
    assert sensitivity(curved, 0.005).sensitive
    assert not sensitivity(flat, 0.005).sensitive
    assert not sensitivity(curved, 1.0).sensitive


def test_flat_curves_are_called_sensitive_in_less_than_five_percent() -> None:
    flat = [sensitivity(fit_slice(target(s, curvature=0.0)), 1e-9).sensitive for s in range(200)]
    assert np.mean(flat) <= 0.05


def test_a_diverged_value_counts_as_worse() -> None:
    fitted = fit_slice(target(0, curvature=0.0, diverged_from=-7.0))
    assert sensitivity(fitted, 0.005).by_divergence
    assert sensitivity(fitted, 0.005).sensitive


def test_the_predicted_regret_grows_with_the_square_of_the_doublings() -> None:
    assert predicted_regret(0.01, 0.1, 2) == pytest.approx(0.01 * 0.04)
    assert predicted_regret(0.01, 0.1, 4) == pytest.approx(4 * predicted_regret(0.01, 0.1, 2))
    assert predicted_regret(None, 0.1, 2) is None
    assert predicted_regret(0.01, None, 2) is None
