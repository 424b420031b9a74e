"""The curves that pass a star's values of one HP: a shape with its minimum at a location.

The mean loss of a value is that of the transferred set's own runs and the rise of the curve from
there, so that HPs whose effects add up share nothing but the mean of these runs.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from mutransfer.analysis.fit.curve import misfit_variance
from mutransfer.analysis.fit.ladder_shape import LadderShape, fixed_shapes
from mutransfer.analysis.fit.shapes import library

# Minima of the target's curve are sought so far beyond the outermost values, octaves; steps are at
# most a share of the smallest distance between values.
BEYOND, LOCATION_STEP, SHARE_OF_OFFSET = 0.75, 0.03, 0.1
# Nodes whose misfit exceeds the least by more are left out; where a bound may reach further, there
# is none.
MAX_EXCESS = 36.0
# Regrets, in tolerances, at which the least misfit is computed; the tolerance is one of them.
REGRETS = np.array(
    [*np.arange(0.0, 2.0, 0.125), 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0, 20.0, 50.0, 200.0]
)
# The misfit where no node has such a regret; finite, for it is interpolated.
IMPOSSIBLE = 1e9
# Means of the set's own runs that are tried, in standard errors about the one that was seen.
CENTRES = np.linspace(-3.5, 3.5, 9)


class SetRuns(NamedTuple):
    """The runs of the transferred set: their number, the noise of one (loss²), the tolerance."""

    n_runs: int
    noise_var: float
    tolerance_loss: float

    @property
    def error(self) -> float:
        """Standard error of their mean, with the misfit that is allowed for at the minimum."""
        floor = misfit_variance(np.zeros(1), np.ones(1), self.tolerance_loss)[0]
        return float(np.sqrt(self.noise_var / self.n_runs + floor))


@dataclass(frozen=True, kw_only=True, eq=False)
class StarValues:
    """The values of one HP about the transferred one, at the target.

    Attributes:
        log2_x: (J,) their log2 minus that of the transferred value.
        excess: (J,) their mean loss minus that of the transferred value, loss.
        n_runs: (J,) runs of each.
        low, high: Walls, or minus and plus infinity: the minimum lies between.
        shape: What the ladder says about the curve.
        slope_variance: Of a seed's own slope, loss² per octave².
    """

    log2_x: np.ndarray
    excess: np.ndarray
    n_runs: np.ndarray
    low: float
    high: float
    shape: LadderShape
    slope_variance: float

    def precision(self, runs: SetRuns) -> np.ndarray:
        """Return the inverse covariance of the means of the values, (J, J)."""
        variance = runs.noise_var / self.n_runs
        means = np.append(self.excess, 0.0)
        variances = np.append(variance, runs.noise_var / runs.n_runs)
        misfit = misfit_variance(means, variances, runs.tolerance_loss)[:-1]
        slopes = self.slope_variance / self.n_runs.min() * np.outer(self.log2_x, self.log2_x)
        return np.linalg.inv(np.diag(variance + misfit) + slopes)

    @property
    def locations(self) -> np.ndarray:
        """Locations of the minimum that are tried, octaves from the transferred value."""
        step = min(LOCATION_STEP, SHARE_OF_OFFSET * float(np.abs(self.log2_x).min()))
        start = max(min(self.log2_x.min(), 0.0) - BEYOND, self.low)
        stop = min(max(self.log2_x.max(), 0.0) + BEYOND, self.high)
        # One of them is the transferred value, whose regret is then 0.
        return step * np.arange(np.ceil(start / step), np.floor(stop / step) + 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Nodes:
    """The nodes of one HP; those that do not fit are left out.

    Attributes:
        excess: (J,) mean losses of the values minus that of the transferred one.
        precision: (J, J) inverse covariance of these.
        at_centre: (N,) loss of each curve at the transferred value, per size.
        rise: (N, J) its loss at the values minus that.
        low, high: (N,) bounds of the size, loss.
        misfit: (N,) misfit of the ladder.
        tolerance_loss: The accepted regret, loss.
    """

    excess: np.ndarray
    precision: np.ndarray
    at_centre: np.ndarray
    rise: np.ndarray
    low: np.ndarray
    high: np.ndarray
    misfit: np.ndarray
    tolerance_loss: float

    @classmethod
    def of(cls, runs: SetRuns, values: StarValues) -> "Nodes":
        """Return the nodes of an HP that fit its values."""
        shapes, ladder, sides = fixed_shapes(), values.shape, library()
        kept = np.flatnonzero(ladder.misfit <= MAX_EXCESS)
        x, location = np.append(values.log2_x, 0.0), values.locations
        side = np.arange(len(sides.sides))[:, None, None]
        distance = x - location[:, None]
        left, right = sides.at(side, -distance), sides.at(side, distance)
        pair, ratio = shapes.pair[kept], shapes.ratio[kept][:, None, None]
        loss = (left[sides.left[pair]] + ratio * right[sides.right[pair]]).reshape(-1, x.size)
        low, high, misfit = (
            np.repeat(of[kept], location.size)
            for of in (ladder.size_low, ladder.size_high, ladder.misfit)
        )
        every = cls(
            excess=values.excess,
            precision=values.precision(runs),
            at_centre=loss[:, -1],
            rise=loss[:, :-1] - loss[:, -1:],
            low=low * runs.tolerance_loss,
            high=high * runs.tolerance_loss,
            misfit=misfit,
            tolerance_loss=runs.tolerance_loss,
        )
        return every.within(runs, MAX_EXCESS)

    def within(self, runs: SetRuns, excess: float) -> "Nodes":
        """Return the nodes whose misfit is at most ``excess`` above the least."""
        cost = self._best_costs(runs).min(axis=0)
        kept = cost <= cost.min() + excess
        return replace(
            self,
            at_centre=self.at_centre[kept],
            rise=self.rise[kept],
            low=self.low[kept],
            high=self.high[kept],
            misfit=self.misfit[kept],
        )

    def least_by_centre(self, runs: SetRuns) -> np.ndarray:
        """Return the least misfit by mean of the set's own runs, its misfit included, (C,)."""
        return self._best_costs(runs).min(axis=1)

    def _best_costs(self, runs: SetRuns) -> np.ndarray:
        misfits = [self._least(self._all, c, self.low, self.high) for c in CENTRES * runs.error]
        return np.array(misfits) + (CENTRES**2)[:, None]

    @property
    def _all(self) -> np.ndarray:
        return np.arange(self.misfit.size)

    @cached_property
    def _weighted(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """(N, J) weighted rises; (N,) their squares, products with the excess and sums."""
        weighted = self.rise @ self.precision
        square = np.maximum(np.einsum("nj,nj->n", weighted, self.rise), 1e-300)
        return weighted, square, weighted @ self.excess, weighted.sum(axis=1)

    def _least(
        self, nodes: np.ndarray, centre: float, low: np.ndarray, high: np.ndarray
    ) -> np.ndarray:
        """The least misfit of nodes whose size lies within bounds, low ≤ high."""
        _, square, slope, shift = self._weighted
        off = self.excess - centre
        best = (slope[nodes] - centre * shift[nodes]) / square[nodes]
        missed = np.maximum(low - best, 0.0) + np.maximum(best - high, 0.0)
        least = self.misfit[nodes] + square[nodes] * (missed**2 - best**2)
        return off @ self.precision @ off + least

    def least(self, centres: np.ndarray, *, at_most: bool) -> np.ndarray:
        """Return the least misfit by mean of the set's own runs and by regret, (C, R).

        Args:
            centres: Means of the set's own runs minus the one that was seen, loss, (C,).
            at_most: The regret is at most, not at least, each of `REGRETS`.
        """
        out = np.full((centres.size, REGRETS.size), IMPOSSIBLE)
        for r, regret in enumerate(REGRETS * self.tolerance_loss):
            # At the minimum itself no size gives a regret.
            limit = np.full(self.at_centre.size, np.inf)
            np.divide(regret, self.at_centre, out=limit, where=self.at_centre > 0)
            low, high = self.low, self.high
            if at_most:
                high = np.minimum(high, limit)
            elif regret > 0:
                low = np.maximum(low, limit)
            nodes = np.flatnonzero(low <= high)
            for c, centre in enumerate(centres if nodes.size else ()):
                out[c, r] = self._least(nodes, float(centre), low[nodes], high[nodes]).min()
        return out
