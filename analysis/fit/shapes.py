"""The shapes that a curve may have about its minimum.

The mean loss is level + a·left(−u) for u < 0 and level + b·right(u) for u > 0, u in octaves from
the minimum. Left and right are taken from a library of sides, each 0 at 0 and 1 at one octave, and
the ratio b/a is bounded for each pair: what a shape may not be is bounded, what it is is not
assumed. Within its bounds a ratio is continuous, so the library has no gaps in it.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

# Sides are tabulated up to REACH octaves; linear interpolation at this step is exact to 1e-5.
REACH, STEP = 16.0, 1 / 160
# Bounds of the ratio of the two sides of a general pair, one octave from the minimum.
RATIO = 4.0
# The same for the sides of one smooth valley, whose curvature is then nearly continuous; it also
# closes the gaps between the exponents k below.
RATIO_SMOOTH = 1.25


class Shapes(NamedTuple):
    """The library.

    Attributes:
        sides: (K, N) losses of the sides at 0, STEP, 2·STEP … octaves from the minimum.
        left, right: (Q,) index of the side of each pair.
        least, greatest: (Q,) bounds of the ratio of right to left.
    """

    sides: np.ndarray
    left: np.ndarray
    right: np.ndarray
    least: np.ndarray
    greatest: np.ndarray

    def at(self, side: np.ndarray, distance: np.ndarray) -> np.ndarray:
        """Return the loss of sides at distances, octaves, elementwise; 0 where those are < 0."""
        position = np.clip(distance, 0.0, REACH - STEP) / STEP
        i = position.astype(np.intp)
        share = position - i
        return (1 - share) * self.sides[side, i] + share * self.sides[side, i + 1]


@lru_cache(maxsize=1)
def library() -> Shapes:
    """Return the library.

    General pairs: u^p·exp(ku) with p = 1 (a V) to 3 and k = 0, ½, 1 (growing as away from an
    optimum towards instability), u⁴, and √(u² + d²) − d (straight branches with a round bottom, as
    in most public sweeps). Smooth pairs: the valley 2(exp(ku) − 1 − ku)/k² with |k| = ¼ … 4 (LINEX,
    Varian 1975) and Morse's (1 − exp(au))²/a² (1929), slow and saturating on one side.
    """
    u = np.arange(0.0, REACH + STEP, STEP)
    general = [u**p * np.exp(k * u) for p in (1.0, 1.5, 2.0, 3.0) for k in (0.0, 0.5, 1.0)]
    general += [u**4, *(np.sqrt(u**2 + d**2) - d for d in (0.25, 0.5, 1.0))]
    valleys = [
        tuple(2 * (np.exp(np.minimum(s * k * u, 60.0)) - 1 - s * k * u) / k**2 for s in (-1, 1))
        for k in np.arange(0.25, 4.01, 0.25)
    ]
    valleys += [
        tuple((1 - np.exp(np.minimum(s * a * u, 30.0))) ** 2 / a**2 for s in (-1, 1))
        for a in (0.25, 0.5, 0.8, 1.2, 1.8)
    ]
    unit = round(1 / STEP)
    n = len(general)
    pairs = [(i, j, 1 / RATIO, RATIO) for i in range(n) for j in range(n)]
    sides = [side / side[unit] for side in general]
    for k, (slow, steep) in enumerate(valleys):
        # The ratio at one octave at which the curvatures are equal.
        ratio = steep[unit] / slow[unit]
        i, j = n + 2 * k, n + 2 * k + 1
        pairs.append((i, j, ratio / RATIO_SMOOTH, ratio * RATIO_SMOOTH))
        pairs.append((j, i, 1 / ratio / RATIO_SMOOTH, 1 / ratio * RATIO_SMOOTH))
        sides += [slow / slow[unit], steep / steep[unit]]
    left, right, least, greatest = (np.array(column) for column in zip(*pairs, strict=True))
    return Shapes(np.array(sides), left, right, least, greatest)
