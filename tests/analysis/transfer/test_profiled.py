"""Bracketed optima with their profiles, and weighted linear fits to them."""

import numpy as np
import pytest

from mutransfer.analysis.fit.curve import fit_slice
from mutransfer.analysis.transfer.profiled import FAR_Z, WeightedFit, profiled_optimum
from tests.analysis.transfer.planted_fits import ladder, target


def test_a_profile_is_zero_at_the_optimum_and_changes_sign_there() -> None:
    profiled = profiled_optimum(fit_slice(target(0)))
    assert np.interp(profiled.log2_opt, profiled.grid, profiled.z) == pytest.approx(0, abs=0.1)
    assert (profiled.z[profiled.grid < profiled.log2_opt - 0.1] < 0).all()
    assert (profiled.z[profiled.grid > profiled.log2_opt + 0.1] > 0).all()
    assert np.abs(profiled.z).max() <= FAR_Z


def test_an_optimum_that_is_not_bracketed_has_no_profile() -> None:
    assert profiled_optimum(fit_slice(target(0, log2_opt=-4.0))) is None


def test_a_weighted_fit_is_that_of_the_normal_equations_with_pooled_degrees_of_freedom() -> None:
    optima = [profiled_optimum(f) for f in ladder(-1.0)]
    doublings = np.log2([o.axis_value for o in optima])
    design = np.stack([np.ones_like(doublings), doublings], axis=1)
    fit = WeightedFit.solve(design, optima)
    weights = [o.variance**-0.5 for o in optima]
    slope, intercept = np.polyfit(doublings, [o.log2_opt for o in optima], 1, w=weights)
    np.testing.assert_allclose(fit.beta, [intercept, slope])
    assert max(o.df for o in optima) < fit.df(1) <= sum(o.df_slice for o in optima)
    capped = [o._replace(df_slice=1.0) for o in optima]
    assert WeightedFit.solve(design, capped).df(1) == len(optima)
