"""Noise of planted runs, in units of the standard deviation of one run."""

from typing import Literal, get_args

import numpy as np

Kind = Literal[
    "normal", "t3", "growing", "slopes shared", "slopes own", "outliers", "random divergence"
]
KINDS: tuple[Kind, ...] = get_args(Kind)
# Standard deviation of a seed's slope, per octave.
TILT = 0.5
OUTLIER_SHARE, OUTLIER_SIZE = 0.03, 6.0
DIVERGED_SHARE = 0.03
# Growing noise, and the chance of a divergence, double in so many octaves.
DOUBLING = 2.0


class Noise:
    """The noise of one study: effects and slopes of its seeds, and what is independent.

    Args:
        kind: One of `KINDS`.
        seeds: Number of seeds.
        rng: Source of all that is random.
    """

    def __init__(self, kind: Kind, seeds: int, rng: np.random.Generator) -> None:
        self.kind, self.seeds, self.rng = kind, seeds, rng
        self.effects = rng.normal(size=seeds)
        self._slopes = self._new_slopes()

    def width_slopes(self) -> np.ndarray:
        """Return the slopes of the seeds at one more width, (S,) per octave."""
        return self._new_slopes() if self.kind == "slopes own" else self._slopes

    def _new_slopes(self) -> np.ndarray:
        return TILT * self.rng.normal(size=self.seeds) * self.kind.startswith("slopes")

    def draw(self, u: np.ndarray, slopes: np.ndarray) -> np.ndarray:
        """Return the noise of runs, (P, S); NaN: the run diverged.

        Args:
            u: Octaves from the optimum, (P,).
            slopes: Those of the width, (S,).
        """
        return self.effects + u[:, None] * slopes + self._independent(u[:, None])

    def _independent(self, u: np.ndarray) -> np.ndarray:
        size, rng = (u.size, self.seeds), self.rng
        noise, chance = rng.normal(size=size), rng.random(size)
        match self.kind:
            case "t3":
                return rng.standard_t(3, size) / np.sqrt(3)
            case "growing":
                return noise * 2 ** (u / DOUBLING)
            case "slopes shared" | "slopes own":
                return noise * np.sqrt(1 - TILT**2)  # with the slopes 1 at one octave
            case "outliers":
                return noise + OUTLIER_SIZE * (chance < OUTLIER_SHARE)
            case "random divergence":
                return np.where(chance < DIVERGED_SHARE * 2 ** (u / DOUBLING), np.nan, noise)
        return noise
