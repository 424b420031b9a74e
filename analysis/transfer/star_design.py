"""Which values of a star are run, and when: places by the ladder's curve, looks by its noise."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from mutransfer.analysis.fit.curve import Fit
from mutransfer.analysis.fit.optimum import lowest_point

# The neighbours stand where the ladder's curve lies so many tolerances above its minimum.
# Source: a prototype on planted curves, where half an octave and one octave on either side did
# worse.
HEIGHT_TOLERANCES = 3.0
MIN_OFFSET, MAX_OFFSET = 0.25, 2.0
# Noise of one run, tolerances, from which on three values at the first look show nothing.
NOISE_FOR_FIVE = 0.6


class Look(NamedTuple):
    """What a look adds: runs of a seed at shares of the offsets, 0 being the transferred set."""

    seed: int
    shares: tuple[float, ...]


FEW_FIRST = (
    Look(1, (-1.0, 0.0, 1.0)),
    Look(1, (-0.5, 0.5)),
    Look(2, (-1.0, -0.5, 0.0, 0.5, 1.0)),
)
FIVE_FIRST = (
    Look(1, (-1.0, -0.5, 0.0, 0.5, 1.0)),
    Look(2, (-1.0, 0.0, 1.0)),
    Look(2, (-0.5, 0.5)),
)


def star_offsets(fits: Sequence[Fit]) -> tuple[float, float] | None:
    """Return how far the neighbours stand below and above the transferred value, octaves.

    Where the curves of the ladder are `HEIGHT_TOLERANCES` above their minimum, the geometric mean
    over the slices that have one; at most as far as their values reach. None where none has.

    Args:
        fits: μP fits of one HP along the ladder.
    """
    of_fits = [offsets for fit in fits if (offsets := _offsets(fit)) is not None]
    if not of_fits:
        return None
    below, above = np.exp(np.log(of_fits).mean(axis=0))
    return float(below), float(above)


def _offsets(fit: Fit) -> tuple[float, float] | None:
    lowest = lowest_point(fit) if fit.ok else None
    if lowest is None:
        return None
    limit = fit.value(lowest)[0] + HEIGHT_TOLERANCES * fit.tolerance_loss
    below, above = (_reaches(fit, lowest, end, limit) for end in (fit.values[0], fit.values[-1]))
    return below, above


def _reaches(fit: Fit, lowest: float, end: float, limit: float) -> float:
    side = np.linspace(lowest, end, 200)
    above = np.flatnonzero(fit.value(side) >= limit)
    at = side[above[0]] if above.size else end
    return float(np.clip(abs(at - lowest), MIN_OFFSET, MAX_OFFSET))


def star_looks(fits: Iterable[Fit]) -> tuple[Look, ...]:
    """Return the looks of a star by the noise of the ladder.

    Args:
        fits: μP fits of all HPs along the ladder.
    """
    noises = [
        fit.noise_var / fit.tolerance_loss**2 for fit in fits if fit.ok and not fit.from_residuals
    ]
    is_noisy = bool(noises) and np.median(noises) > NOISE_FOR_FIVE**2
    return FIVE_FIRST if is_noisy else FEW_FIRST
