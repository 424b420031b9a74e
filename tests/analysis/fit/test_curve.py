"""The curve of a slice: differences between values, with and without a kink."""

import dataclasses

import numpy as np
import pytest

from mutransfer.analysis.fit.curve import JUMP_SD, Fit, fit_slice, fit_slices
from mutransfer.analysis.fit.optimum import optimum
from mutransfer.analysis.fit.regression import Linear, knot_sd
from mutransfer.analysis.table.slice import mean_loss
from tests.analysis.fit.planted_slices import slices


def test_a_curve_does_not_depend_on_those_fitted_with_it() -> None:
    x = np.arange(-12.0, -7.0)
    mixed = [*slices(3), *slices(2, log2_x=x), *slices(2, noise_sd=0.005)]
    for alone, together in zip(map(fit_slice, mixed), fit_slices(mixed), strict=True):
        np.testing.assert_allclose(together.beta, alone.beta, rtol=1e-9, atol=1e-12)
        assert together.roughness == pytest.approx(alone.roughness)


def test_a_kink_widens_differences_between_values_and_not_at_them() -> None:
    fitted = fit_slice(slices(1, noise_sd=2e-5)[0])
    lowest = optimum(fitted).log2_opt
    assert lowest is not None

    def widening(log2_b: np.ndarray) -> np.ndarray:
        kinked = fitted.differences_with_kink(-8.0, log2_b, np.full(log2_b.size, lowest))
        return kinked[1] / fitted.differences(-8.0, log2_b)[1]

    near = fitted.values[(np.abs(fitted.values - lowest) < 2) & (fitted.values != -8.0)]
    assert widening(np.array([-9.6])) > 1.2
    assert widening(near).max() < 1.05


def with_knot(fitted: Fit, log2_x: float) -> Fit:
    """The curve refitted with one more knot, at which f'' may jump by JUMP_SD."""
    sd = knot_sd(fitted.scale, fitted.roughness, fitted.knots.size)
    linear = Linear(
        u=fitted.values - fitted.center,
        m=mean_loss(fitted.slice)[fitted.window],
        variance=fitted.variance[fitted.window],
        rho=fitted.a / 3,
        scale=fitted.scale,
        knots=np.append(fitted.knots, log2_x - fitted.center),
        knot_sd=np.append(sd, JUMP_SD * fitted.scale),
    )
    beta, cov = linear.coefficients()
    return dataclasses.replace(fitted, beta=beta, cov=cov, knots=linear.knots)


@pytest.mark.parametrize("noise_sd", [5e-4, 1e-7])
@pytest.mark.parametrize("log2_a", [-10.8, -8.7])
@pytest.mark.parametrize("kink", [-9.13, -8.4])
def test_a_kink_is_one_more_knot(noise_sd: float, log2_a: float, kink: float) -> None:
    fitted = fit_slice(slices(1, noise_sd=noise_sd)[0])
    b = np.array([-10.4, -9.13, -8.0])
    kinked = fitted.differences_with_kink(log2_a, b, np.full(3, kink))
    expected = with_knot(fitted, kink).differences(log2_a, b)
    np.testing.assert_allclose(kinked, expected, rtol=1e-4, atol=1e-9)


def test_a_kink_does_not_change_the_mean_of_a_pinned_value() -> None:
    fitted = fit_slice(slices(1)[0], pinned=-8.0)
    b = np.array([-10.4, -9.13, -8.4])
    kinked = fitted.differences_with_kink(-8.0, b, np.full(3, -9.13))
    expected = with_knot(fitted, -9.13).differences(-8.0, b)
    np.testing.assert_allclose(kinked, expected, rtol=1e-4)


@pytest.mark.parametrize("n_values", [2, 3])
def test_fewer_than_three_values_get_no_curve(n_values: int) -> None:
    few = slices(1, log2_x=np.array([-10.0, -9.0, -8.0])[:n_values])
    assert fit_slice(few[0]).ok == (n_values == 3)
    assert [f.ok for f in fit_slices([*slices(2), *few], families=[0] * 3)][-1] == (n_values == 3)
