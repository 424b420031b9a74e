"""The minimum of a curve: its location, and the locations at which it is not rejected."""

import numpy as np
import pytest

from mutransfer.analysis.fit.curve import fit_slice
from mutransfer.analysis.fit.minimum import (
    interior_minimum,
    minimum_interval,
    slope_z,
    t_quantile,
)
from tests.analysis import planted


def test_slope_z_is_the_slope_in_standard_errors_and_its_quantiles_end_the_interval() -> None:
    """On a stiff parabola this is Fieller's set: z = (k1 + 2 k2 u) / error (Fieller 1954)."""
    rng = np.random.default_rng(3)
    slice_ = planted.a_slice(planted.parabola, log2_opt=-9.5, noise_sd=0.003, n_seeds=2, rng=rng)
    fitted = fit_slice(slice_)
    at = np.array([-9.7])
    form = fitted.slope_rows(at)[0]
    z, convex = slope_z(fitted, at)
    assert z[0] == pytest.approx(form @ fitted.beta / np.sqrt(form @ fitted.cov @ form))
    assert convex[0]
    ends, _ = slope_z(fitted, np.array(minimum_interval(fitted)))
    quantile = t_quantile(fitted)
    np.testing.assert_allclose(ends, [-quantile, quantile], rtol=1e-4)


def test_a_curve_that_falls_throughout_has_no_interior_minimum() -> None:
    rng = np.random.default_rng(0)
    for log2_opt, has_minimum in ((-9.5, True), (-3.0, False)):
        slice_ = planted.a_slice(
            planted.parabola, log2_opt=log2_opt, noise_sd=1e-5, n_seeds=2, rng=rng
        )
        assert (interior_minimum(fit_slice(slice_)) is not None) == has_minimum
