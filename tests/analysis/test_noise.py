"""Noise: one variance for all values, and an own one where a value stands out."""

import numpy as np
import pytest
from scipy import special

from mutransfer.analysis.fit import noise

DOUBLINGS = np.arange(4.0)
DF = np.full(4, 5.0)


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


def test_values_that_agree_by_chance_do_not_make_the_others_noisy() -> None:
    """A draw of noise 0.0084 in which four of seven pairs differ by nearly the same."""
    difference = np.array([0.0579, 0.0581, 0.0530, 0.0589, 0.0588, 0.0733, 0.0512])
    found = noise.of_seeds(np.stack([0.45 + difference, np.full(7, 0.45)], axis=1))
    assert np.ptp(found.each) == 0
    assert found.shared == pytest.approx(difference.var(ddof=1) / 2, rel=0.1)


def test_a_missing_cell_leaves_the_rest_as_it_is() -> None:
    whole = losses(np.full(5, 0.01), 3, 0)
    holed = whole.copy()
    holed[0, 0] = np.nan
    assert noise.of_seeds(holed).shared == pytest.approx(noise.of_seeds(whole).shared, rel=0.6)
    assert noise.of_seeds(holed).df < noise.of_seeds(whole).df


def test_losses_without_noise_give_rounding_error_not_zero() -> None:
    found = noise.of_seeds(np.tile(np.arange(5.0)[:, None], 2))
    assert 0 < found.shared < 1e-15


def of_families(sd: np.ndarray, scatter: float, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """True variances, whose logs scatter about those of sd, and found ones with 5 df, (n, 4)."""
    rng = np.random.default_rng(0)
    true = sd**2 * np.exp(rng.normal(0, 1, (n, 4)) * scatter)
    return true, true * rng.chisquare(5, (n, 4)) / 5


def covered(true: np.ndarray, variance: np.ndarray, df: np.ndarray) -> np.ndarray:
    """How often t intervals of a mean hold the truth at each place."""
    rng = np.random.default_rng(1)
    error = rng.normal(0, 1, true.shape) * np.sqrt(true)
    return (np.abs(error) <= special.stdtrit(df, 0.975) * np.sqrt(variance)).mean(axis=0)


def all_moderated(variances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found = [noise.moderated(v, DF, DOUBLINGS) for v in variances]
    return np.stack([f[0] for f in found]), np.stack([f[1] for f in found])


def test_curves_of_like_noise_tell_it_to_one_another() -> None:
    true, own = of_families(np.full(4, 0.01), scatter=0.0)
    variance, df = all_moderated(own)
    assert np.log(variance / true).std() < 0.75 * np.log(own / true).std()
    assert np.median(df) > 6 and df.max() <= 20
    assert covered(true, variance, df).min() >= 0.93
    short = special.stdtrit(df, 0.975) * np.sqrt(variance)
    assert np.median(short / (special.stdtrit(5, 0.975) * np.sqrt(own))) < 0.95


@pytest.mark.parametrize("sd", [0.01 * 2**-DOUBLINGS, 0.001 * 2**DOUBLINGS], ids=["falls", "rises"])
def test_noise_that_goes_with_the_place_is_followed_and_not_averaged(sd: np.ndarray) -> None:
    true, own = of_families(sd, scatter=0.0)
    variance, df = all_moderated(own)
    assert covered(true, variance, df).min() >= 0.90
    pooled = np.broadcast_to(own.mean(axis=1, keepdims=True), own.shape)
    assert covered(true, pooled, np.full(own.shape, 20.0)).max() > 0.999


def test_curves_whose_noise_differs_keep_most_of_their_own() -> None:
    true, own = of_families(np.full(4, 0.01), scatter=2.0)
    variance, df = all_moderated(own)
    assert np.median(df) < 9
    assert np.abs(np.log(variance / own)).mean() < 0.4 * np.log(true).std()


def test_the_noise_of_a_single_curve_stays_what_it_is() -> None:
    variance, df = noise.moderated(np.array([0.3]), np.array([4.0]), np.array([5.0]))
    assert (variance.tolist(), df.tolist()) == ([0.3], [4.0])


def test_moderation_has_no_scale_and_knows_places_up_to_a_factor() -> None:
    variances = np.array([1.0, 2.0, 0.5, 3.0])
    plain = noise.moderated(variances, DF, DOUBLINGS)
    other = noise.moderated(1e-6 * variances, DF, DOUBLINGS + 7)
    np.testing.assert_allclose(other[0], 1e-6 * plain[0], rtol=1e-9)
    np.testing.assert_allclose(other[1], plain[1], rtol=1e-9)
