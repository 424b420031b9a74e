"""Bracketed optima with their profiles, and lines through them."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy import special

from mutransfer.analysis.fit.curve import fit_slice
from mutransfer.analysis.fit.optimum import optimum
from mutransfer.analysis.transfer.profiled import ProfiledOptimum, coefficient, profiled_optimum
from tests.analysis.planted_shapes import TOLERANCE, drawn
from tests.analysis.transfer.planted_fits import target

DOUBLINGS = np.array([0.0, 1.0, 2.0, 4.0])
ONES = np.ones_like(DOUBLINGS)


@dataclass
class Normal:
    """A profile in closed form: that of an optimum with a normal error."""

    log2_opt: float
    error: float
    df: float = 12.0

    def location_z(self, log2_x: np.ndarray) -> np.ndarray:
        return (log2_x - self.log2_opt) / self.error


def normals(log2_opts: np.ndarray, errors: np.ndarray) -> list[ProfiledOptimum]:
    """Optima with normal errors, one a doubling."""
    return [
        ProfiledOptimum(int(2**d), x, Normal(x, s))
        for d, x, s in zip(DOUBLINGS, log2_opts, errors, strict=True)
    ]


@pytest.mark.parametrize("bend", [0.0, 1.0])
def test_a_line_through_normal_optima_is_that_of_weighted_least_squares(bend: float) -> None:
    errors = np.array([0.1, 0.2, 0.15, 0.3])
    log2_opts = -8.0 - 0.5 * DOUBLINGS + np.array([0.02, -0.1, 0.1, -0.05]) + bend * DOUBLINGS**2
    line = coefficient(
        normals(log2_opts, errors), DOUBLINGS, ONES, limit=8.0, tested=(0.0, -0.5 + 4.5 * bend)
    )
    slope, intercept = np.polyfit(DOUBLINGS, log2_opts, 1, w=1 / errors)
    assert (line.estimate, line.intercept) == pytest.approx((slope, intercept), abs=2e-3)
    design = np.stack([DOUBLINGS, ONES], 1) / errors[:, None]
    residual = (log2_opts - slope * DOUBLINGS - intercept) / errors
    misfit = max(1.0, float(residual @ residual) / 2)
    assert (misfit > 1) == (bend > 0)
    error = np.sqrt(misfit * np.linalg.inv(design.T @ design)[0, 0])
    half = error * np.sqrt(special.fdtri(1, 12.0, 0.95))
    assert (line.low, line.high) == pytest.approx((slope - half, slope + half), rel=0.02)
    expected = [
        special.fdtrc(1, 12.0, ((slope - k) / error) ** 2) for k in (0.0, -0.5 + 4.5 * bend)
    ]
    assert line.p_values == pytest.approx(expected, rel=0.1, abs=1e-4)


def test_a_slope_that_leaves_the_range_that_is_searched_has_an_open_end() -> None:
    vague = normals(-8.0 * ONES, 10.0 * ONES)
    line = coefficient(vague, DOUBLINGS, ONES, limit=4.0)
    assert line.low is None and line.high is None
    sharp = coefficient(normals(-8.0 * ONES, 0.1 * ONES), DOUBLINGS, ONES, limit=4.0)
    assert sharp.low is not None and sharp.high is not None


def test_a_bracketed_optimum_has_the_profile_of_its_fit() -> None:
    fitted = fit_slice(target(0))
    profiled = profiled_optimum(fitted)
    assert profiled is not None and profiled.log2_opt == optimum(fitted).log2_opt
    assert fitted.location_z(np.array([profiled.log2_opt])) == pytest.approx(0.0, abs=1.0)


def test_an_optimum_that_is_open_or_beside_a_wall_has_none() -> None:
    assert profiled_optimum(fit_slice(target(0, log2_opt=-4.0))) is None
    beside_wall = drawn("falling", 0, diverges_from=1.0)
    assert profiled_optimum(fit_slice(beside_wall, tolerance_loss=TOLERANCE)) is None
