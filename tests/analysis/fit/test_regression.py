"""The linear model of a curve, and its shape by highest posterior density."""

import numpy as np
import pytest

from mutransfer.analysis.fit import valley
from mutransfer.analysis.fit.regression import (
    ROUGHNESS,
    Linear,
    estimate_shapes,
    knot_sd,
    roughness,
    stack,
)

U = np.arange(-3.0, 4.0)
KNOTS = valley.knots_between(-4.0, 4.0)


def linear(**changes: object) -> Linear:
    rng = np.random.default_rng(0)
    values = {
        "u": U,
        "m": 0.5 + 0.01 * U**2 + 1e-3 * rng.standard_normal(U.size),
        "variance": np.full(U.size, 1e-6),
        "rho": 0.1,
        "scale": 0.01,
        "knots": KNOTS,
        "knot_sd": knot_sd(0.01, 0.3, KNOTS.size),
    }
    return Linear(**(values | changes))


def test_coefficients_are_the_normal_equations_with_their_priors() -> None:
    model = linear()
    design, target = model.whitened()
    beta, cov = model.coefficients()
    np.testing.assert_allclose(cov, np.linalg.inv(design.T @ design), rtol=1e-6)
    beta[0] -= model.m.mean()
    np.testing.assert_allclose(beta, np.linalg.inv(design.T @ design) @ design.T @ target)


def test_one_extra_coefficient_is_one_more_knot() -> None:
    model, sd = linear(), 0.02
    column = valley.outward_distances(U, np.array([0.7])) ** 2 / 2
    size, error, decrease = model.with_extra_coefficient(column, sd)
    more = linear(knots=np.append(KNOTS, 0.7), knot_sd=np.append(model.knot_sd, sd))
    beta, cov = more.coefficients()
    assert size[0] == pytest.approx(beta[-1])
    assert error[0] == pytest.approx(np.sqrt(cov[-1, -1]))
    np.testing.assert_allclose(model.coefficients()[0] - decrease[:, 0] * size, beta[:-1])


@pytest.mark.parametrize("rho", [-0.3, 0.0, 0.4])
def test_the_asymmetry_of_a_valley_is_recovered(rho: float) -> None:
    m = 0.5 + 0.01 * valley.fixed_values(U, np.asarray(3 * rho))[:, 2]
    shapes = estimate_shapes(stack(U[None], m[None], np.full((1, U.size), 1e-10)))
    assert shapes.rho[0] == pytest.approx(rho, abs=0.02)
    assert shapes.scale[0] == pytest.approx(0.01, rel=0.05)


def test_roughness_follows_the_evidence() -> None:
    certain = np.where(ROUGHNESS == 0.3, 0.0, -100.0)[None]
    assert roughness(certain, 2)[0] == pytest.approx(0.3)
    flat = np.zeros((1, ROUGHNESS.size))
    assert roughness(flat, 1)[0] < roughness(flat, 2)[0]
