"""Noise: one variance for all values, and a separate one where a value stands out."""

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


def of_seeds(loss: np.ndarray) -> noise.Noise:
    """The noise of losses on a lattice."""
    return noise.of_seeds(np.arange(float(len(loss))), loss)


@pytest.mark.parametrize("n_seeds", [2, 3, 5])
def test_the_shared_variance_is_unbiased_for_any_curve_and_seed_effects(n_seeds: int) -> None:
    sd = np.full(7, 0.01)
    estimates = [of_seeds(losses(sd, n_seeds, s)) for s in range(400)]
    # Values that stand out by chance are left out, so the mean is a little low.
    assert np.mean([f.shared for f in estimates]) == pytest.approx(0.01**2, rel=0.1)
    assert np.mean([f.df for f in estimates]) == pytest.approx(6 * (n_seeds - 1), rel=0.05)
    assert np.mean([np.ptp(f.each) > 0 for f in estimates]) < 0.12


def test_a_value_with_ten_times_the_scatter_has_a_separate_variance() -> None:
    sd = np.array([1.0, 1, 1, 1, 1, 1, 10]) * 0.01
    estimates = [of_seeds(losses(sd, 3, s)) for s in range(200)]
    # A tenth of the draws with two degrees of freedom are that small by chance.
    assert np.mean([f.each[-1] > 5 * f.shared for f in estimates]) > 0.8
    assert np.median([f.shared for f in estimates]) == pytest.approx(0.01**2, rel=0.2)
    pooled = [losses(sd, 3, s).var(axis=1, ddof=1).mean() for s in range(200)]
    assert np.median(pooled) > 5 * 0.01**2


def test_values_that_agree_by_chance_do_not_make_the_others_noisy() -> None:
    """A draw of noise 0.0084 in which four of seven pairs differ by nearly the same."""
    difference = np.array([0.0579, 0.0581, 0.0530, 0.0589, 0.0588, 0.0733, 0.0512])
    estimate = of_seeds(np.stack([0.45 + difference, np.full(7, 0.45)], axis=1))
    assert np.ptp(estimate.each) == 0
    assert estimate.shared == pytest.approx(difference.var(ddof=1) / 2, rel=0.1)


def test_a_missing_cell_costs_degrees_of_freedom_only() -> None:
    complete = losses(np.full(5, 0.01), 3, 0)
    with_gap = complete.copy()
    with_gap[0, 0] = np.nan
    assert of_seeds(with_gap).shared == pytest.approx(of_seeds(complete).shared, rel=0.6)
    assert of_seeds(with_gap).df < of_seeds(complete).df


def test_losses_without_noise_give_rounding_error_not_zero() -> None:
    estimate = of_seeds(np.tile(np.arange(5.0)[:, None], 2))
    assert 0 < estimate.shared < 1e-15


def of_families(sd: np.ndarray, scatter: float, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """True variances, whose logs scatter about those of sd, and estimates with 5 df, (n, 4)."""
    rng = np.random.default_rng(0)
    true = sd**2 * np.exp(rng.normal(0, 1, (n, 4)) * scatter)
    return true, true * rng.chisquare(5, (n, 4)) / 5


def covered(true: np.ndarray, variance: np.ndarray, df: np.ndarray) -> np.ndarray:
    """How often t intervals of a mean hold the truth for each curve."""
    rng = np.random.default_rng(1)
    error = rng.normal(0, 1, true.shape) * np.sqrt(true)
    return (np.abs(error) <= special.stdtrit(df, 0.975) * np.sqrt(variance)).mean(axis=0)


def all_moderated(variances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    results = [noise.moderated(v, DF, DOUBLINGS) for v in variances]
    return np.stack([r[0] for r in results]), np.stack([r[1] for r in results])


def test_curves_of_equal_noise_gain_degrees_of_freedom_from_one_another() -> None:
    true, estimated = of_families(np.full(4, 0.01), scatter=0.0)
    variance, df = all_moderated(estimated)
    assert np.log(variance / true).std() < 0.75 * np.log(estimated / true).std()
    assert np.median(df) > 6 and df.max() <= 20
    assert covered(true, variance, df).min() >= 0.93
    half_length = special.stdtrit(df, 0.975) * np.sqrt(variance)
    assert np.median(half_length / (special.stdtrit(5, 0.975) * np.sqrt(estimated))) < 0.95


@pytest.mark.parametrize("sd", [0.01 * 2**-DOUBLINGS, 0.001 * 2**DOUBLINGS], ids=["falls", "rises"])
def test_noise_that_changes_along_the_axis_is_followed_and_not_averaged(sd: np.ndarray) -> None:
    true, estimated = of_families(sd, scatter=0.0)
    variance, df = all_moderated(estimated)
    assert covered(true, variance, df).min() >= 0.90
    pooled = np.broadcast_to(estimated.mean(axis=1, keepdims=True), estimated.shape)
    assert covered(true, pooled, np.full(estimated.shape, 20.0)).max() > 0.999


def test_curves_of_different_noise_are_shrunk_little() -> None:
    true, estimated = of_families(np.full(4, 0.01), scatter=2.0)
    variance, df = all_moderated(estimated)
    assert np.median(df) < 9
    assert np.abs(np.log(variance / estimated)).mean() < 0.4 * np.log(true).std()


def test_the_noise_of_a_single_curve_is_unchanged() -> None:
    variance, df = noise.moderated(np.array([0.3]), np.array([4.0]), np.array([5.0]))
    assert (variance.tolist(), df.tolist()) == ([0.3], [4.0])


def test_moderation_is_invariant_to_the_scale_of_losses_and_axis_values() -> None:
    variances = np.array([1.0, 2.0, 0.5, 3.0])
    plain = noise.moderated(variances, DF, DOUBLINGS)
    other = noise.moderated(1e-6 * variances, DF, DOUBLINGS + 7)
    np.testing.assert_allclose(other[0], 1e-6 * plain[0], rtol=1e-9)
    np.testing.assert_allclose(other[1], plain[1], rtol=1e-9)


def least_squares(log2_x: np.ndarray, loss: np.ndarray) -> tuple[float, np.ndarray]:
    """Residual sum of squares of y_ij = m_i + b_j and the residuals, by its design matrix."""
    i, j = np.nonzero(np.isfinite(loss))
    design = np.zeros((i.size, loss.shape[0] + loss.shape[1]))
    design[np.arange(i.size), i] = design[np.arange(i.size), loss.shape[0] + j] = 1.0
    y = loss[i, j]
    fitted = design @ np.linalg.lstsq(design, y, rcond=None)[0]
    residual = np.full(loss.shape, np.nan)
    residual[i, j] = y - fitted
    return float(np.nansum(residual**2)), residual


@pytest.mark.parametrize("missing", [(), ((1, 0), (4, 2))])
def test_residuals_are_those_of_least_squares(missing: tuple) -> None:
    x = np.array([-3.0, -2.0, -0.5, 0.0, 1.5, 2.0])
    loss = losses(np.full(6, 0.01), 4, 11)
    for cell in missing:
        loss[cell] = np.nan
    estimate = noise.of_seeds(x, loss)
    squares, residual = least_squares(x, loss)
    assert np.ptp(estimate.each) == 0
    assert estimate.shared * estimate.df == pytest.approx(squares, rel=1e-5)
    if missing:
        return
    assert estimate.df == 15
    # Without a missing value the tilt of a seed is the slope of its residuals.
    slopes = np.array([np.polyfit(x, r, 1)[0] for r in residual.T])
    tilts = (slopes**2).sum() * ((x - x.mean()) ** 2).sum() / estimate.shared
    assert (estimate.tilts, estimate.tilt_df) == (pytest.approx(tilts, rel=1e-6), 3)


def test_the_noise_of_unpaired_runs_is_their_variance_within_a_value() -> None:
    loss = losses(np.full(6, 0.01), 4, 12)
    unpaired = noise.of_seeds(np.arange(6.0), loss, paired=False)
    assert unpaired.shared == pytest.approx(loss.var(axis=1, ddof=1).mean(), rel=1e-9)
    assert unpaired.df == 18 and unpaired.tilt_df == 0
    assert unpaired.shared > 5 * noise.of_seeds(np.arange(6.0), loss).shared


def with_tilts(tilt_sd: float) -> float:
    """The ratio of tilts of twenty curves of four seeds, whose tilts have this scatter."""
    x, rng = np.arange(7.0), np.random.default_rng(2)
    tilts = rng.normal(0, tilt_sd, (20, 4))
    return noise.tilt_ratio(
        [of_seeds(losses(np.full(7, 0.01), 4, k) + np.outer(x, t)) for k, t in enumerate(tilts)]
    )


def test_the_ratio_of_tilts_is_that_of_their_variances() -> None:
    assert 1.0 <= with_tilts(0.0) < 1.3
    # The squares of x about its mean add up to 28, so a tilt of 0.01 has 28 + 1 times the variance
    # that noise of 0.01 gives it. It counts in the residuals too: (5 + 29) / 6 times the noise.
    assert with_tilts(0.01) == pytest.approx(29 / (34 / 6), rel=0.2)
    assert noise.tilt_ratio([]) == 1.0


def test_the_noise_of_a_further_curve_is_predicted_from_its_family() -> None:
    """An error there exceeds the t quantile as often as it says, if noises are equal."""
    rng = np.random.default_rng(0)
    df = np.array([24.0, 8.0, 8.0, 0.0])
    beyond = 0
    for _ in range(400):
        variance = np.array([*(rng.chisquare(df[:3]) / df[:3]), 1.0])
        predicted, of = noise.predicted(variance, df, np.arange(5.0, 9.0), -1)
        beyond += rng.normal() > predicted**0.5 * special.stdtrit(of, 0.95)
    assert 0.02 <= beyond / 400 <= 0.085


def test_a_trend_of_the_noise_is_followed_a_little() -> None:
    df = np.array([40.0, 40.0, 40.0, 0.0])
    doublings = np.arange(5.0, 9.0)

    def of(*variance: float) -> float:
        return noise.predicted(np.array([*variance, 1.0]), df, doublings, -1)[0]

    assert of(4.0, 2.0, 1.0) < of(2.0, 2.0, 2.0) < of(1.0, 2.0, 4.0) < 4.0
    assert of(2.0, 2.0, 2.0) == pytest.approx(2.0, rel=0.2)


def test_runs_of_its_own_count_for_a_further_curve() -> None:
    variance, doublings = np.array([1.0, 1.0, 9.0]), np.arange(5.0, 8.0)
    little, much = (
        noise.predicted(variance, np.array([20.0, 20.0, own]), doublings, -1)[0]
        for own in (0.0, 20.0)
    )
    assert little < 1.3 < 3.0 < much
