"""The fit of a slice: its noise, what more seeds would change, and the profile of its minimum."""

import dataclasses

import numpy as np
import pytest

from mutransfer.analysis.fit.curve import N_PARAMETERS, Fit, fit_slice, fit_slices, with_more_seeds
from mutransfer.analysis.table.slice import Slice
from tests.analysis.planted_shapes import LOSS, TOLERANCE, a_slice, drawn

X = np.arange(-4.0, 5.0)


def spread(fitted: Fit) -> float:
    """Length of the set of locations that are not rejected, octaves."""
    low, high = fitted.profile.location_bounds(fitted.room(0.025))
    return high - low


def with_seeds(slice_: Slice, n: int) -> Slice:
    """The slice with its first seeds alone."""
    return dataclasses.replace(slice_, loss=slice_.loss[:, :n], seeds=slice_.seeds[:n])


def wavy(height: float, noise: float = 0.02) -> Slice:
    """A parabola with waves so many tolerances high: no shape of the library for large ones."""
    rng = np.random.default_rng(0)
    mean = X**2 + height * np.cos(2.5 * X)
    errors = noise * rng.normal(0, 1, (X.size, 3))
    return a_slice(X, LOSS + TOLERANCE * (mean[:, None] + errors))


def test_a_fit_does_not_depend_on_those_fitted_with_it_but_on_its_family() -> None:
    mixed = [drawn("valley", 1), drawn("V", 2, noise=1.0), drawn("valley", 3, n_seeds=1)]
    together = fit_slices(mixed, tolerance_loss=TOLERANCE)
    for alone, other in zip(mixed, together, strict=True):
        single = fit_slice(alone, tolerance_loss=TOLERANCE)
        assert (other.noise_var, other.df) == (single.noise_var, single.df)
        np.testing.assert_array_equal(other.profile.misfit, single.profile.misfit)
    family = fit_slices(mixed, tolerance_loss=TOLERANCE, families=[0, 0, 1])
    assert family[0].noise_var > together[0].noise_var and family[1].df > together[1].df


def test_slices_of_equal_noise_have_shorter_intervals_together() -> None:
    valleys = [drawn("valley", k, n_seeds=2) for k in range(5)]
    alone = fit_slices(valleys, tolerance_loss=TOLERANCE)
    together = fit_slices(valleys, tolerance_loss=TOLERANCE, families=[0] * 5)
    assert np.mean([spread(f) for f in together]) < np.mean([spread(f) for f in alone])
    assert all(f.df > f.df_slice for f in together)


def test_the_only_slice_of_a_family_or_one_beside_an_empty_one_is_fitted_as_if_alone() -> None:
    valley = drawn("valley", 4)
    empty = dataclasses.replace(valley, diverged=np.ones_like(valley.diverged))
    alone = fit_slice(valley)
    for slices in ([valley], [valley, empty]):
        first, *others = fit_slices(slices, families=[0] * len(slices))
        assert (first.noise_var, first.df) == (alone.noise_var, alone.df)
        assert not any(f.ok for f in others)


@pytest.mark.parametrize(("n_seeds", "least"), [(1, 5), (2, 3), (3, 3)])
def test_too_few_values_get_no_curve(n_seeds: int, least: int) -> None:
    for n in range(1, least + 1):
        fitted = fit_slice(a_slice(X[:n], LOSS + 1e-3 * np.ones((n, n_seeds)) * X[:n, None] ** 2))
        assert fitted.ok == (n == least)


def test_unpaired_seeds_have_the_variance_of_the_runs_of_a_value() -> None:
    """Effects of seeds that the values share are noise where seeds are only numbered."""
    paired = drawn("valley", 5, n_seeds=4, noise=0.4)
    unpaired = dataclasses.replace(paired, paired=False)
    assert fit_slice(unpaired).noise_var > fit_slice(paired).noise_var
    assert fit_slice(unpaired).noise_var == pytest.approx(
        paired.loss[fit_slice(unpaired).window].var(axis=1, ddof=1).mean()
    )
    assert fit_slice(unpaired).df > fit_slice(paired).df
    assert not fit_slice(with_seeds(unpaired, 1)).is_one_seed
    assert fit_slice(with_seeds(paired, 1)).is_one_seed


def test_the_noise_of_one_seed_makes_the_misfit_what_is_expected() -> None:
    errors = []
    for k in range(6):
        slice_ = drawn("valley", k, n_seeds=1, noise=3.0, n_values=9)
        one = fit_slice(slice_, tolerance_loss=TOLERANCE)
        spare = one.values.size - N_PARAMETERS
        assert one.from_residuals and one.df == spare
        ratio = one.profile.least_misfit / spare
        assert ratio == pytest.approx(1.0, abs=0.02) if one.noise_var > 0 else ratio <= 1.0
        errors.append(np.sqrt(one.noise_var) / TOLERANCE)
    assert 1.0 < np.sqrt(np.mean(np.square(errors))) < 4.0
    smooth = fit_slice(drawn("valley", 0, n_seeds=1, noise=0.0, n_values=9))
    assert smooth.noise_var == 0.0


def test_more_seeds_shrink_the_noise_and_what_it_leaves_open() -> None:
    fitted = fit_slice(drawn("valley", 6, n_seeds=2, noise=1.0), tolerance_loss=TOLERANCE)
    more = {n: with_more_seeds(fitted, n) for n in (0, 2, 6, 10_000)}
    spreads = [spread(f) for f in more.values()]
    assert spreads == sorted(spreads, reverse=True) and spreads[0] > 1.2 * spreads[-1]
    inside = fitted.window
    np.testing.assert_allclose(more[2].variance[inside], fitted.variance[inside] / 2)
    # None more changes nothing.
    np.testing.assert_allclose(more[0].profile.misfit, fitted.profile.misfit)
    # The means come to lie on the curve that is taken for the true one.
    curve = fitted.value(fitted.values)
    distance = np.abs(fitted.means - curve).max()
    np.testing.assert_allclose(more[10_000].means, curve, atol=0.02 * distance)


def test_waves_that_no_shape_has_widen_the_bounds() -> None:
    plain, wave = (fit_slice(wavy(h), tolerance_loss=TOLERANCE) for h in (0.0, 3.0))
    assert plain.scale == 1.0 and wave.scale > 2.0
    ratio = wave.room(0.025) / plain.room(0.025)
    assert ratio == pytest.approx(wave.scale) and spread(wave) > spread(plain)
    # One run a value has no noise but its scatter, which the waves are a part of.
    assert fit_slice(with_seeds(wavy(3.0), 1), tolerance_loss=TOLERANCE).scale == 1.0


def test_the_signed_root_of_the_profile_ends_the_interval_and_goes_on_beyond_it() -> None:
    fitted = fit_slice(drawn("valley", 7), tolerance_loss=TOLERANCE)
    low, high = fitted.profile.location_bounds(fitted.room(0.025))
    z = float(np.sqrt(fitted.room(0.025) / fitted.scale))
    at_ends = fitted.location_z(np.array([low, high]))
    np.testing.assert_allclose(np.abs(at_ends), z, rtol=0.25)
    assert at_ends[0] < 0 < at_ends[1]
    far = np.array([-30.0, -20.0, 20.0, 30.0])
    assert (np.diff(fitted.location_z(far)) > 0).all()


def test_a_seed_with_a_tilt_of_its_own_widens_the_interval() -> None:
    straight = drawn("valley", 8, n_seeds=3)
    tilts = TOLERANCE * np.array([-3.0, 1.0, 2.0]) * straight.log2_x[:, None]
    tilted = dataclasses.replace(straight, loss=straight.loss + tilts)
    plain, other = (fit_slice(s, tolerance_loss=TOLERANCE) for s in (straight, tilted))
    assert plain.tilt < 1.5 and other.tilt > 2.5 and spread(other) > spread(plain)
