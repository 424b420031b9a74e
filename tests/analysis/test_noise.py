"""Noise: one variance for all values, and an own one where a value stands out."""

import numpy as np
import pytest

from analysis import noise


def losses(sd: np.ndarray, n_seeds: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    means = np.linspace(0, 1, sd.size) ** 2
    noise_PS = rng.normal(0, 1, (sd.size, n_seeds)) * sd[:, None]
    return 0.5 + means[:, None] + rng.normal(0, 1, n_seeds) + noise_PS


@pytest.mark.parametrize("n_seeds", [2, 3, 5])
def test_the_shared_variance_is_unbiased_whatever_curve_and_seed_levels(n_seeds: int) -> None:
    sd = np.full(7, 0.01)
    found = [noise.of_seeds(losses(sd, n_seeds, s)) for s in range(400)]
    # What stands out by chance is left out, so the mean is a little low.
    assert np.mean([f.shared for f in found]) == pytest.approx(0.01**2, rel=0.1)
    assert np.mean([f.df for f in found]) == pytest.approx(6 * (n_seeds - 1), rel=0.05)
    assert np.mean([np.ptp(f.each) > 0 for f in found]) < 0.12


def test_a_value_with_ten_times_the_scatter_keeps_it_to_itself() -> None:
    sd = np.array([1.0, 1, 1, 1, 1, 1, 10]) * 0.01
    found = [noise.of_seeds(losses(sd, 3, s)) for s in range(200)]
    # A tenth of the draws of two degrees of freedom are that small by chance.
    assert np.mean([f.each[-1] > 5 * f.shared for f in found]) > 0.8
    assert np.median([f.shared for f in found]) == pytest.approx(0.01**2, rel=0.2)
    pooled = [losses(sd, 3, s).var(axis=1, ddof=1).mean() for s in range(200)]
    assert np.median(pooled) > 5 * 0.01**2


def test_a_missing_cell_leaves_the_rest_as_it_is() -> None:
    whole = losses(np.full(5, 0.01), 3, 0)
    holed = whole.copy()
    holed[0, 0] = np.nan
    assert noise.of_seeds(holed).shared == pytest.approx(noise.of_seeds(whole).shared, rel=0.6)
    assert noise.of_seeds(holed).df < noise.of_seeds(whole).df


def test_losses_without_noise_give_rounding_error_not_zero() -> None:
    found = noise.of_seeds(np.tile(np.arange(5.0)[:, None], 2))
    assert 0 < found.shared < 1e-15
