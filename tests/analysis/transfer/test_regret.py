"""Regret and sensitivity against planted truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutransfer.analysis.fit.curve import fit_slice
from mutransfer.analysis.fit.optimum import lowest_point
from mutransfer.analysis.table.slice import Slice
from mutransfer.analysis.transfer.regret import regret, sensitivity
from tests.analysis.planted_shapes import FEW, TOLERANCE, slices
from tests.analysis.transfer.planted_fits import target

CURVATURE = 0.01


@given(slices(), st.floats(0.0, 1.0))
@FEW
def test_a_regret_lies_between_its_bounds_which_grow_with_the_confidence(
    slice_: Slice, share: float
) -> None:
    fitted = fit_slice(slice_, tolerance_loss=TOLERANCE)
    ends = fitted.values[[0, -1]]
    log2_x = float(ends[0] + share * (ends[1] - ends[0]))
    bounds = [regret(fitted, log2_x, confidence=c) for c in (0.5, 0.8, 0.95, 0.999)]
    if not fitted.ok:
        assert bounds == [None] * 4
        return
    for one in bounds:
        assert 0 <= one.lower <= one.estimate <= one.upper
    uppers, lowers = [r.upper for r in bounds], [r.lower for r in bounds]
    assert uppers == sorted(uppers) and lowers == sorted(lowers, reverse=True)
    assert uppers[0] < uppers[-1]


@given(slices())
@FEW
def test_the_regret_of_the_lowest_point_is_0_and_of_values_far_away_is_not(slice_: Slice) -> None:
    fitted = fit_slice(slice_, tolerance_loss=TOLERANCE)
    lowest = lowest_point(fitted) if fitted.ok else None
    if lowest is None:
        return
    assert regret(fitted, lowest).estimate == pytest.approx(0.0, abs=1e-9)
    regrets = [regret(fitted, float(x)).estimate for x in fitted.values]
    assert max(regrets) > 0 and fitted.values[np.argmin(regrets)] == pytest.approx(
        lowest, abs=np.diff(fitted.values).max()
    )


@pytest.mark.parametrize("noise", [0.0005, 0.002])
def test_the_bounds_of_the_regret_cover(noise: float) -> None:
    truth = CURVATURE * (-8.0 + 9.3) ** 2
    bounds = [regret(fit_slice(target(seed, noise)), -8.0) for seed in range(40)]
    # 34 or fewer of 40 at 95 % have a probability of 1.4 %.
    assert sum(r.upper >= truth for r in bounds) >= 35
    assert sum(r.lower <= truth for r in bounds) >= 35
    # And not because they are wide.
    assert np.median([r.upper for r in bounds]) < 2 * truth
    assert np.median([r.lower for r in bounds]) > truth / 2


def test_the_regret_of_the_optimum_is_small_and_its_bound_holds() -> None:
    x = np.union1d(np.arange(-13.0, -6.0), [-9.3])
    bounds = regret(fit_slice(target(0, 1e-6, log2_x=x)), -9.3)
    tolerance = 0.005 * 0.5
    assert bounds.estimate < 0.1 * tolerance and bounds.lower < 0.01 * tolerance
    assert 0 <= bounds.upper < 0.5 * tolerance
    # Where the value was not run the curve may have its minimum beside it.
    unseen = regret(fit_slice(target(0, 1e-6)), -9.3)
    assert unseen.upper > 2 * bounds.upper


def test_a_value_off_the_curve_is_pinned_to_its_own_mean() -> None:
    x = np.arange(-15.0, -6.0)
    bounds = regret(fit_slice(target(0, log2_x=x)), -15.0)
    assert bounds.pinned
    assert bounds.estimate == pytest.approx(CURVATURE * 5.7**2, rel=0.05)
    assert bounds.lower > 0.3
    near = regret(fit_slice(target(0)), -10.0)
    assert not near.pinned
    assert regret(fit_slice(target(0)), -20.0) is None


def test_sensitivity_needs_a_significant_excess() -> None:
    curved, flat = fit_slice(target(0)), fit_slice(target(0, curvature=0.0))
    assert sensitivity(curved, 0.005).sensitive
    assert not sensitivity(flat, 0.005).sensitive
    assert not sensitivity(curved, 1.0).sensitive


@pytest.mark.slow
def test_flat_curves_are_called_sensitive_in_less_than_five_percent() -> None:
    flat = [sensitivity(fit_slice(target(s, curvature=0.0)), 1e-9).sensitive for s in range(60)]
    assert np.mean(flat) <= 0.05


def test_a_diverged_value_counts_as_worse() -> None:
    fitted = fit_slice(target(0, curvature=0.0, diverged_from=-7.0))
    assert sensitivity(fitted, 0.005).by_divergence
    assert sensitivity(fitted, 0.005).sensitive
