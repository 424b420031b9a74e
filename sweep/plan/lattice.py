"""The lattice of the slices, log2(x) = k · spacing, and the values of HPs on it and beside it.

Every value that is trained in a slice comes from here, so that one value is one number: a point
that is reached by another sum, or by a fit, must not become a second trial in a cell of a slice.
"""

import math
from collections.abc import Iterable

from mutransfer.sweep.spec import space
from mutransfer.words import SAME_VALUE

# Refinement adds halves of a spacing, `run --settle` quarters; no stage adds finer parts.
PARTS = 4
# Sums and products of multiples of a spacing differ by 1e-14 of an octave, which decides where 2^x
# lies halfway between two numbers of 6 digits, as 2^-9 and 2^-10 do.
EXACT_DECIMALS = 9


def values(
    centre: float, *, low: int, high: int, spacing_log2: float, limits: tuple[float, float]
) -> list[float]:
    """log2 values k·spacing with k from centre/spacing+low to centre/spacing+high, within limits.

    Args:
        centre: log2 of the centre, on the lattice.
        low: Lattice spacings to the left, zero or negative.
        high: Lattice spacings to the right.
        spacing_log2: Octaves between neighbours.
        limits: (log2 of the hard minimum, log2 of the hard maximum); may be infinite.
    """
    start = round(centre / spacing_log2)
    points = (spacing_log2 * (start + k) for k in range(low, high + 1))
    return [x for x in points if limits[0] <= x <= limits[1]]


def nearest(log2_x: float, spacing_log2: float) -> float:
    """The lattice point nearest to ``log2_x``."""
    return spacing_log2 * round(log2_x / spacing_log2)


def value_at(name: str, log2_x: float) -> float:
    """The value of an HP at ``log2_x``, as it enters a trial's identity."""
    return space.rounded(name, 2.0 ** round(log2_x, EXACT_DECIMALS))


def chosen(
    name: str,
    log2_x: float,
    spacing_log2: float,
    known: Iterable[float] = (),
    *,
    limits: tuple[float, float] = (-math.inf, math.inf),
) -> float:
    """The value of an HP that a fit or a proposal puts at ``log2_x``, as it enters an identity.

    It is the nearest value that is run in any case, a part of the lattice or one of ``known``, if
    that is the same but for `words.SAME_VALUE`; else the value at ``log2_x`` itself. A part of the
    lattice beyond ``limits``, the log2 of the hard limits, is none of these.
    """
    candidates = {value: math.log2(value) for value in known if value > 0}
    part = nearest(log2_x, spacing_log2 / PARTS)
    if limits[0] <= part <= limits[1]:
        candidates[value_at(name, part)] = part
    distance = {value: abs(at - log2_x) for value, at in candidates.items()}
    same = [value for value in distance if distance[value] <= math.log2(1 + SAME_VALUE)]
    return min(same, key=distance.__getitem__) if same else value_at(name, log2_x)
