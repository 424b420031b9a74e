"""How often any honest test can pass a star: its ceiling, by Neyman and Pearson.

Known are the noise and, within the dilation and the factor of the size, the shape. No test that
passes each curve of a regret of one tolerance in at most 5 % passes the true curve more often than
Φ(d − 1.645), d being the distance in standard deviations from its means to the nearest of these.
"""

from dataclasses import dataclass, replace

import numpy as np
from benchmarks.calibration.shapes import Shape
from benchmarks.decisions.study import BEST, ladder, slice_of_values
from scipy import special

from mutransfer.analysis.fit.curve import fit_slices
from mutransfer.analysis.transfer.star import star_of
from mutransfer.analysis.transfer.star_design import star_looks, star_offsets
from mutransfer.analysis.transfer.star_nodes import (
    CENTRES,
    MAX_EXCESS,
    REGRETS,
    Nodes,
    SetRuns,
    StarValues,
)

# The ladder of which the shape is known: hardly any noise, close values, tolerances and octaves.
LADDER_NOISE, FINE_LADDER = 0.02, ((32, 33, 0.25, 4), (64, 33, 0.25, 4), (128, 33, 0.25, 4))
ERROR = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class _Exact(StarValues):
    """Values whose covariance is known, (J, J), without an allowance for misfit."""

    covariance: np.ndarray

    def precision(self, runs: SetRuns) -> np.ndarray:
        """Return the inverse of the covariance, (J, J)."""
        inverse: np.ndarray = np.linalg.inv(self.covariance)
        return inverse


def ceiling(shape: Shape, noise: float, *, n_looks: int = 3) -> float | None:
    """Return the highest chance of a PASS at regret 0 after so many looks; None without a star.

    Args:
        shape: The curve, tolerances.
        noise: Standard deviation of one run, tolerances.
        n_looks: Looks at the star that are taken.
    """
    fits = ladder(shape, LADDER_NOISE, np.random.default_rng(0), FINE_LADDER)
    offsets = star_offsets(fits)
    if offsets is None:
        return None
    looks = star_looks([replace(fit, noise_var=noise**2) for fit in fits])[:n_looks]
    runs = [share for look in looks for share in look.shares]
    shares, counts = np.unique(runs, return_counts=True)
    at = np.where(shares < 0, offsets[0], offsets[1]) * shares
    target = fit_slices(
        [slice_of_values("0", 256, at, BEST + shape(at)[:, None])], tolerance_loss=1.0
    )[0]
    star = star_of({"0": target}, {"0": fits}, {"0": 0.0})
    if star is None:
        return None
    of_set = counts[shares == 0]
    n_of = counts[np.isin(np.round(at, 5), np.round(star.values["0"].log2_x, 5)) & (shares != 0)]
    values = star.values["0"]
    shape = values.shape._replace(misfit=np.where(values.shape.misfit <= MAX_EXCESS, 0.0, np.inf))
    covariance = noise**2 * (np.diag(1 / n_of) + 1 / of_set)
    exact = _Exact(**{**vars(values), "shape": shape}, covariance=covariance)
    nodes = Nodes.of(star.runs._replace(noise_var=noise**2), exact)
    misfit = nodes.least(np.full(CENTRES.size, np.inf), at_most=False)
    distance = misfit[CENTRES == 0, REGRETS == 1.0][0]
    return float(special.ndtr(np.sqrt(distance) - special.ndtri(1 - ERROR)))
