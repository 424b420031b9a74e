"""Curves: as if alone however many are fitted, one roughness a family, doubt at the optimum."""

import dataclasses

import numpy as np
import pytest
from benchmarks.calibration import score
from benchmarks.calibration.settings import BRACKETED

from mutransfer.analysis.fit.curve import Fit, fit, fits
from mutransfer.analysis.fit.optimum import optimum
from mutransfer.analysis.fit.regression import Linear
from mutransfer.analysis.fit.solve import step_sd
from mutransfer.analysis.table.slice import Slice, mean_loss
from tests.analysis import planted


def slices(n: int, *, curve=planted.mild_cubic, noise_sd: float = 0.0005, **asked) -> list[Slice]:
    rng = np.random.default_rng(3)
    return [
        planted.a_slice(
            curve, log2_opt=-9.3 + 0.1 * k, noise_sd=noise_sd, n_seeds=3, rng=rng, **asked
        )
        for k in range(n)
    ]


def wavy(u: np.ndarray) -> np.ndarray:
    """No valley: its bend goes up and down."""
    return u**2 + 0.8 * np.cos(2.5 * u)


def length(fitted: Fit) -> float:
    found = optimum(fitted)
    assert found.log2_low is not None and found.log2_high is not None
    return found.log2_high - found.log2_low


def test_a_curve_does_not_depend_on_those_fitted_with_it() -> None:
    x = np.arange(-12.0, -7.0)
    mixed = [*slices(3), *slices(2, log2_x=x), *slices(2, noise_sd=0.005)]
    for alone, together in zip(map(fit, mixed), fits(mixed), strict=True):
        np.testing.assert_allclose(together.beta, alone.beta, rtol=1e-9, atol=1e-12)
        assert together.roughness == pytest.approx(alone.roughness)


def test_a_family_of_valleys_has_shorter_intervals_than_each_alone() -> None:
    found = slices(5)
    alone, together = fits(found), fits(found, families=[0] * 5)
    assert np.mean([length(f) for f in together]) < 0.95 * np.mean([length(f) for f in alone])
    assert len({f.roughness for f in together}) == 1


def test_one_curve_that_is_no_valley_makes_its_family_rough_and_no_other() -> None:
    found = [*slices(3), *slices(1, curve=wavy), *slices(3)]
    alone = fits(found)
    together = fits(found, families=[0] * 4 + [1] * 3)
    assert together[0].roughness > 3 * alone[0].roughness
    assert together[-1].roughness <= alone[-1].roughness


def test_doubt_widens_between_values_and_not_at_them() -> None:
    fitted = fit(slices(1, noise_sd=2e-5)[0])
    low = optimum(fitted).log2_opt
    assert low is not None

    def wider(places: np.ndarray) -> np.ndarray:
        differences_with_kink = fitted.differences_with_kink(
            -8.0, places, np.full(places.size, low)
        )[1]
        return differences_with_kink / fitted.differences(-8.0, places)[1]

    at = fitted.values[(np.abs(fitted.values - low) < 2) & (fitted.values != -8.0)]
    assert wider(np.array([-9.6])) > 1.2
    assert wider(at).max() < 1.05


@pytest.mark.parametrize("noise_sd", [5e-4, 1e-7])
@pytest.mark.parametrize("log2_a", [-10.8, -8.7])
@pytest.mark.parametrize("at", [-9.13, -8.4])
def test_doubt_is_one_coefficient_more_in_the_linear_model(
    monkeypatch, noise_sd, log2_a, at
) -> None:
    """Told once more by a fit with the jump as one of its steps."""
    monkeypatch.setattr("mutransfer.analysis.fit.curve.JUMP_SD", 1.5)
    fitted = fit(slices(1, noise_sd=noise_sd)[0])
    whole = with_a_step(fitted, at, 1.5 * fitted.scale)
    b = np.array([-10.4, -9.13, -8.0])
    told = fitted.differences_with_kink(log2_a, b, np.full(3, at))
    np.testing.assert_allclose(told, whole.differences(log2_a, b), rtol=1e-4, atol=1e-9)


def test_doubt_leaves_a_value_with_losses_of_its_own_where_they_are(monkeypatch) -> None:
    monkeypatch.setattr("mutransfer.analysis.fit.curve.JUMP_SD", 1.5)
    fitted = fit(slices(1)[0], pinned=-8.0)
    whole = with_a_step(fitted, -9.13, 1.5 * fitted.scale)
    b = np.array([-10.4, -9.13, -8.4])
    told = fitted.differences_with_kink(-8.0, b, np.full(3, -9.13))
    np.testing.assert_allclose(told, whole.differences(-8.0, b), rtol=1e-4)


def with_a_step(fitted: Fit, at: float, sd: float) -> Fit:
    """The curve fitted again with a jump of its bend at a place."""
    place = np.array([at - fitted.center])
    linear = Linear(
        u=fitted.values - fitted.center,
        m=mean_loss(fitted.slice)[fitted.window],
        variance=fitted.variance[fitted.window],
        rho=fitted.a / 3,
        scale=fitted.scale,
        steps=np.concatenate([fitted.steps, place]),
        step_sd=np.append(step_sd(fitted.scale, fitted.roughness, fitted.steps.size), sd),
    )
    beta, cov = linear.coefficients()
    return dataclasses.replace(fitted, beta=beta, cov=cov, steps=linear.steps)


def test_a_family_of_one_is_fitted_as_if_it_were_alone() -> None:
    (one,) = slices(1)
    alone, family = fit(one), fits([one], families=[0])[0]
    np.testing.assert_allclose(family.beta, alone.beta, rtol=1e-9)
    assert (family.roughness, family.df, family.noise_var) == pytest.approx(
        (alone.roughness, alone.df, alone.noise_var)
    )


def test_a_width_without_losses_does_not_disturb_its_family() -> None:
    """Three widths with a cliff make one likely; a fourth has diverged everywhere."""
    setting = next(s for s in BRACKETED if s.name == "noisy cliff, 2 seeds")
    ladder = score.ladder(setting, np.random.default_rng(7))[1]
    gone = dataclasses.replace(
        ladder[-1],
        loss=np.full_like(ladder[-1].loss, np.nan),
        diverged=np.ones_like(ladder[-1].diverged),
    )
    found = fits([*ladder[:3], gone], families=[0] * 4)
    assert [f.ok for f in found] == [True, True, True, False]
    for a, b in zip(found, fits(ladder[:3], families=[0] * 3), strict=False):
        assert a.barrier_right is not None
        np.testing.assert_allclose(a.beta, b.beta, rtol=1e-9)


def test_fewer_than_three_values_carry_no_curve_in_a_family_either() -> None:
    few = slices(1, log2_x=np.array([-10.0, -9.0]))
    found = fits([*slices(2), *few], families=[0, 0, 0])
    assert [f.ok for f in found] == [True, True, False]
