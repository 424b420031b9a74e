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
        at_centre: (N,) loss of each curve at the transferred value, per size.
        low, high: (N,) bounds of the size, loss.
        square: (N,) weighted square of its rise to the values.
        best: (C, N) size that fits best by mean of the set's own runs, `CENTRES`, loss.
        misfit: (C, N) misfit of that size, with that of the ladder but not of the bounds.
        tolerance_loss: The accepted regret, loss.
    """

    at_centre: np.ndarray
    low: np.ndarray
    high: np.ndarray
    square: np.ndarray
    best: np.ndarray
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
        rise, precision = loss[:, :-1] - loss[:, -1:], values.precision(runs)
        weighted = rise @ precision
        square = np.maximum(np.einsum("nj,nj->n", weighted, rise), 1e-300)
        # A higher mean of the set's own runs lowers every excess over it.
        off = values.excess - CENTRES[:, None] * runs.error
        best = off @ weighted.T / square
        every = cls(
            at_centre=loss[:, -1],
            low=low * runs.tolerance_loss,
            high=high * runs.tolerance_loss,
            square=square,
            best=best,
            misfit=np.einsum("cj,jk,ck->c", off, precision, off)[:, None]
            + misfit
            - square * best**2,
            tolerance_loss=runs.tolerance_loss,
        )
        return every.within(MAX_EXCESS)

    def within(self, excess: float) -> "Nodes":
        """Return the nodes whose misfit is at most ``excess`` above the least."""
        cost = (self._cost + (CENTRES**2)[:, None]).min(axis=0)
        kept = cost <= cost.min() + excess
        return replace(
            self,
            at_centre=self.at_centre[kept],
            low=self.low[kept],
            high=self.high[kept],
            square=self.square[kept],
            best=self.best[:, kept],
            misfit=self.misfit[:, kept],
        )

    @cached_property
    def _cost(self) -> np.ndarray:
        """(C, N) misfit of the size that fits best within its bounds."""
        return self.misfit + self.square * _beyond(self.best, self.low, self.high) ** 2

    @cached_property
    def least_by_centre(self) -> np.ndarray:
        """The least misfit by mean of the set's own runs, (C,)."""
        return self._cost.min(axis=1)

    def least(self, allowed: np.ndarray, *, at_most: bool) -> np.ndarray:
        """Return the least misfit by mean of the set's own runs and by regret, (C, R).

        Args:
            allowed: (C,) misfit beyond which none is asked for.
            at_most: The regret is at most, not at least, each of `REGRETS`.
        """
        out = np.full((CENTRES.size, REGRETS.size), IMPOSSIBLE)
        for c, cost in enumerate(self._cost):
            kept = np.flatnonzero(cost <= allowed[c])
            at_centre, best, square, misfit = (
                of[kept] for of in (self.at_centre, self.best[c], self.square, self.misfit[c])
            )
            for r, regret in enumerate(REGRETS * self.tolerance_loss):
                low, high = self.low[kept], self.high[kept]
                # At the minimum itself no size gives a regret.
                limit = np.full(kept.size, np.inf)
                np.divide(regret, at_centre, out=limit, where=at_centre > 0)
                if at_most:
                    high = np.minimum(high, limit)
                elif regret > 0:
                    low = np.maximum(low, limit)
                of = low <= high
                if of.any():
                    missed = _beyond(best[of], low[of], high[of])
                    out[c, r] = (misfit[of] + square[of] * missed**2).min()
        return out


def _beyond(size: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """How far sizes lie beyond bounds, low ≤ high."""
    return np.maximum(low - size, 0.0) + np.maximum(size - high, 0.0)
