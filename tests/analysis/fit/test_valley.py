"""The basis of the curve: closed forms, derivatives, and its span."""

import numpy as np
import pytest

from mutransfer.analysis.fit import valley

U = np.linspace(-3, 3, 13)
KNOTS = valley.knots_between(-3.0, 3.0)


@pytest.mark.parametrize("a", [-1.5, 0.3, 2.0])
def test_the_valley_is_its_closed_form(a: float) -> None:
    valley_ = valley.values(U, a, KNOTS)[:, 2]
    np.testing.assert_allclose(valley_, 2 * (np.exp(a * U) - 1 - a * U) / a**2, rtol=1e-10)


def test_without_asymmetry_the_basis_is_a_cubic() -> None:
    basis = valley.values(U, 0.0, np.zeros(0))
    np.testing.assert_allclose(basis, U[:, None] ** np.arange(4), atol=1e-12)


@pytest.mark.parametrize("a", [-1.0, 0.0, 1.5])
def test_slopes_and_second_derivatives_agree_with_differences(a: float) -> None:
    h, u = 1e-5, U + 0.013
    slope = (valley.values(u + h, a, KNOTS) - valley.values(u - h, a, KNOTS)) / (2 * h)
    np.testing.assert_allclose(valley.slopes(u, a, KNOTS), slope, atol=1e-6, rtol=1e-6)
    second = (valley.slopes(u + h, a, KNOTS) - valley.slopes(u - h, a, KNOTS)) / (2 * h)
    np.testing.assert_allclose(valley.second_derivatives(u, a, KNOTS), second, atol=1e-5, rtol=1e-5)


def test_a_valley_shifted_sideways_stays_in_the_span() -> None:
    shifted = valley.values(U - 0.7, 1.2, np.zeros(0))[:, 2]
    span = valley.values(U, 1.2, np.zeros(0))[:, :3]
    assert np.linalg.lstsq(span, shifted, rcond=None)[1] < 1e-18
    cubic = (U - 0.7) ** 2 + 0.4 * (U - 0.7) ** 3
    assert np.linalg.lstsq(span, cubic, rcond=None)[1] > 1e-3
