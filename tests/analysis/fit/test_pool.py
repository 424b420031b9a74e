"""What a family of curves shares: noise and roughness."""

import dataclasses

import numpy as np
import pytest
from benchmarks.calibration import score
from benchmarks.calibration.settings import BRACKETED

from mutransfer.analysis.fit.curve import Fit, fit_slice, fit_slices
from mutransfer.analysis.fit.optimum import optimum
from tests.analysis.fit.planted_slices import slices, wavy


def length(fitted: Fit) -> float:
    opt = optimum(fitted)
    assert opt.log2_low is not None and opt.log2_high is not None
    return opt.log2_high - opt.log2_low


def test_a_family_of_valleys_has_shorter_intervals_than_each_alone() -> None:
    valleys = slices(5)
    alone, together = fit_slices(valleys), fit_slices(valleys, families=[0] * 5)
    assert np.mean([length(f) for f in together]) < 0.95 * np.mean([length(f) for f in alone])
    assert len({f.roughness for f in together}) == 1


def test_one_curve_that_is_no_valley_makes_its_family_rough_and_no_other() -> None:
    mixed = [*slices(3), *slices(1, curve=wavy), *slices(3)]
    alone = fit_slices(mixed)
    together = fit_slices(mixed, families=[0] * 4 + [1] * 3)
    assert together[0].roughness > 3 * alone[0].roughness
    assert together[-1].roughness <= alone[-1].roughness


def test_the_only_curve_of_a_family_is_fitted_as_if_alone() -> None:
    (only,) = slices(1)
    alone, family = fit_slice(only), fit_slices([only], families=[0])[0]
    np.testing.assert_allclose(family.beta, alone.beta, rtol=1e-9)
    assert (family.roughness, family.df, family.noise_var) == pytest.approx(
        (alone.roughness, alone.df, alone.noise_var)
    )


def test_a_width_without_losses_does_not_disturb_its_family() -> None:
    """Three widths with a cliff make one likely; at a fourth every value diverged."""
    setting = next(s for s in BRACKETED if s.name == "noisy cliff, 2 seeds")
    ladder = score.ladder(setting, np.random.default_rng(7))[1]
    without_losses = dataclasses.replace(
        ladder[-1],
        loss=np.full_like(ladder[-1].loss, np.nan),
        diverged=np.ones_like(ladder[-1].diverged),
    )
    fits = fit_slices([*ladder[:3], without_losses], families=[0] * 4)
    assert [f.ok for f in fits] == [True, True, True, False]
    for a, b in zip(fits, fit_slices(ladder[:3], families=[0] * 3), strict=False):
        assert a.barrier_right is not None
        np.testing.assert_allclose(a.beta, b.beta, rtol=1e-9)
