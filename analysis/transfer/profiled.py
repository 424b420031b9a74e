"""The optima of several axis values as data: their profiles, and weighted linear fits to them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special

from mutransfer.analysis.fit.curve import Fit
from mutransfer.analysis.fit.minimum import CONFIDENCE, slope_z
from mutransfer.analysis.fit.optimum import optimum

GRID_PER_STEP = 32
# A value of `slope_z` that no data reach: no minimum is possible there.
FAR_Z = 1e6


class ProfiledOptimum(NamedTuple):
    """A bracketed optimum with its profile.

    Attributes:
        axis_value: Value on the axis.
        log2_opt: log2 of the optimum.
        variance: Of ``log2_opt`` to first order, octaves².
        df: Degrees of freedom of its noise; ``df_slice`` those of its slice alone.
        grid: (G,) log2 locations, from a lattice step below the window to one above it.
        z: (G,) `slope_z` there; ±FAR_Z where a minimum is impossible.
    """

    axis_value: int
    log2_opt: float
    variance: float
    df: float
    df_slice: float
    grid: np.ndarray
    z: np.ndarray


def profiled_optimum(fitted: Fit) -> ProfiledOptimum | None:
    """Return the optimum of a fit; None if not bracketed, or at the edge of stability."""
    opt = optimum(fitted)
    edge = {"edge_of_stability", "no_minimum"} & set(opt.flags)
    if not opt.bracketed or opt.curvature is None or opt.log2_opt is None or edge:
        return None
    row = fitted.slope_rows(opt.log2_opt)[0]
    variance = float(row @ fitted.cov @ row) / (2 * opt.curvature) ** 2
    step = fitted.spacing_log2
    first, last = fitted.values[0] - step, fitted.values[-1] + step
    grid = np.linspace(first, last, math.ceil((last - first) / step * GRID_PER_STEP) + 1)
    z, convex = slope_z(fitted, grid)
    # Where a minimum is impossible it is far away, on the side of the sign.
    side = np.where(grid < opt.log2_opt, -FAR_Z, FAR_Z)
    z = np.where(convex, np.clip(z, -FAR_Z, FAR_Z), side)
    return ProfiledOptimum(
        axis_value=fitted.slice.axis_value,
        log2_opt=opt.log2_opt,
        variance=variance,
        df=fitted.df,
        df_slice=fitted.df_slice,
        grid=grid,
        z=z,
    )


@dataclass(frozen=True, kw_only=True)
class WeightedFit:
    """A weighted least squares fit of C linear terms to optima.

    Attributes:
        beta: (C,) coefficients; ``cov`` (C, C) their covariance.
        influence: (C, O) derivative of each coefficient by each optimum.
        optima: The O optima.
        misfit: Mean square residual in units of the variance, at least 1.
    """

    beta: np.ndarray
    cov: np.ndarray
    influence: np.ndarray
    optima: Sequence[ProfiledOptimum]
    misfit: float

    @classmethod
    def solve(cls, design: np.ndarray, optima: Sequence[ProfiledOptimum]) -> "WeightedFit":
        """Return the fit of a design, (O, C), to optima."""
        x = np.array([o.log2_opt for o in optima])
        weighted = design / np.array([o.variance for o in optima])[:, None]
        cov = np.linalg.inv(design.T @ weighted)
        influence = cov @ weighted.T
        beta = influence @ x
        spare = x.size - design.shape[1]
        statistic = float((weighted[:, 0] * (x - design @ beta) ** 2).sum()) if spare else 0.0
        return cls(
            beta=beta,
            cov=cov,
            influence=influence,
            optima=optima,
            misfit=max(1.0, statistic / spare) if spare else 1.0,
        )

    def df(self, i: int) -> float:
        """Return the degrees of freedom of coefficient ``i`` (Satterthwaite 1946).

        At most the sum of those of the slices: fits with shared noise would count it twice.
        """
        parts = self.influence[i] ** 2 * np.array([o.variance for o in self.optima])
        each = np.array([o.df for o in self.optima])
        combined = float(parts.sum() ** 2 / (parts**2 / each).sum())
        return min(combined, sum(o.df_slice for o in self.optima))

    def half_length(self, i: int) -> float:
        """Return half the length of the 95 % interval of coefficient ``i``, misfit included."""
        quantile = float(special.stdtrit(self.df(i), 0.5 + CONFIDENCE / 2))
        return quantile * math.sqrt(self.cov[i, i] * self.misfit)
