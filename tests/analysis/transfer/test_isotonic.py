"""Isotonic regression of a loss curve, and the step at which it reaches a loss."""

import numpy as np
import pytest
from scipy.optimize import isotonic_regression

from mutransfer.analysis.transfer.isotonic import isotonic_fit, step_at_loss
from tests.analysis.planted_curves import STEPS, curve


def test_touching_a_loss_is_not_reaching_it():
    """Control: the first step at which a jittering curve touches a loss is far too early."""
    rng = np.random.default_rng(0)
    target, touched, reached = curve(1)[-1], [], []
    for _ in range(200):
        noisy = curve(1.5, 0.02, rng)
        touched.append(STEPS[np.argmax(noisy <= target)])
        reached.append(step_at_loss(*isotonic_fit(STEPS, noisy), target) or 1000)
    truth = 1000 / 1.5
    assert np.mean(touched) < 0.85 * truth
    assert np.mean(reached) == pytest.approx(truth, rel=0.1)


def test_isotonic_regression_keeps_falling_points_and_pools_the_others():
    steps = np.array([1.0, 2.0, 4.0, 8.0])
    x, y = isotonic_fit(steps, np.array([4.0, 3.0, 2.0, 1.0]))
    assert (x.tolist(), y.tolist()) == ([0, 1, 2, 3], [4, 3, 2, 1])
    x, y = isotonic_fit(steps, np.array([4.0, 1.0, 3.0, 1.5]))
    assert (x.tolist(), y.tolist()) == ([0, 1.5, 3], [4, 2, 1.5])
    assert step_at_loss(x, y, 3.0) == pytest.approx(2**0.75)
    assert step_at_loss(x, y, 1.4) is None


def test_isotonic_regression_is_that_of_scipy() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        losses = curve(1, 0.05, rng)
        x, y = isotonic_fit(STEPS, losses)
        expected = isotonic_regression(losses, increasing=False).x
        np.testing.assert_allclose(np.unique(y), np.unique(expected.round(12)), atol=1e-9)
        assert np.all(np.diff(x) > 0)
        assert np.all(np.diff(y) < 0)
