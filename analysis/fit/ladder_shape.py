"""The shape of the curve that the slices of a ladder share, as evidence for a further curve.

Each slice may have its minimum anywhere; its shape is one of the library's, with a ratio of its
sides on a grid. A shape counts at a further axis value by the misfit of the best one within a
*dilation* of it: what may change from one axis value to the next.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mutransfer.analysis.fit.curve import Fit
from mutransfer.analysis.fit.profile import TINY, Grid
from mutransfer.analysis.fit.shapes import STEP, library

# Neighbours on the grid of ratios differ by at most this factor.
RATIO_STEP = 1.19
# What may change between axis values: log of the ratio of the sides at one octave, and the local
# exponent of each side between half an octave and one. Source: a prototype on planted curves;
# without it changes of this size pass wrongly in up to 99 %.
RATIO_DILATION, EXPONENT_DILATION = 0.45, 0.35
# Size of a curve, in tolerances at one octave: within this factor of the ladder's.
SIZE_FACTOR = 2.2
# Scatter of the log of the size between axis values, beyond noise.
SIZE_SCATTER = 0.2
# Step of the locations, octaves.
LOCATION_STEP = 0.05


class FixedShapes(NamedTuple):
    """The library with a grid of ratios.

    Attributes:
        pair: (N,) index of a pair of sides in the library.
        ratio: (N,) loss of the right side over that of the left one at one octave.
        near: Indices of the shapes within the dilation of each, one shape after the other, and
            ``first`` (N,), where those of each begin.
    """

    pair: np.ndarray
    ratio: np.ndarray
    near: np.ndarray
    first: np.ndarray


class LadderShape(NamedTuple):
    """What a ladder says about the shape at a further axis value.

    Attributes:
        misfit: (N,) misfit of each of `fixed_shapes` beyond the least, with the dilation.
        size_low, size_high: (N,) bounds of the size of its left side at one octave, tolerances.
    """

    misfit: np.ndarray
    size_low: np.ndarray
    size_high: np.ndarray


@lru_cache(maxsize=1)
def fixed_shapes() -> FixedShapes:
    """Return the library with a grid of ratios."""
    shapes = library()
    spans = np.log(shapes.greatest / shapes.least)
    counts = np.ceil(spans / np.log(RATIO_STEP)).astype(int) + 1
    pair = np.repeat(np.arange(counts.size), counts)
    ratio = np.concatenate(
        [np.geomspace(*of) for of in zip(shapes.least, shapes.greatest, counts, strict=True)]
    )
    half = round(0.5 / STEP)
    exponents = [-np.log2(shapes.sides[side[pair], half]) for side in (shapes.left, shapes.right)]
    features = np.stack(
        [
            np.log(ratio) / RATIO_DILATION,
            exponents[0] / EXPONENT_DILATION,
            exponents[1] / EXPONENT_DILATION,
        ],
        axis=1,
    )
    near = [np.flatnonzero((np.abs(features - f) <= 1 + 1e-9).all(axis=1)) for f in features]
    first = np.cumsum([0, *(of.size for of in near[:-1])])
    return FixedShapes(pair, ratio, np.concatenate(near), first)


@lru_cache(maxsize=64)
def ladder_shape(fits: tuple[Fit, ...], *, dilated: bool = True) -> LadderShape:
    """Return what the slices of a ladder say about the shape at a further axis value.

    Args:
        fits: Fits of one HP and arm with a curve, one or more.
        dilated: Allow for a dilation; False: the shape carries over exactly.
    """
    shapes = fixed_shapes()
    of_fits = [_best_of_shapes(fit) for fit in fits]
    misfit = np.sum([of[0] for of in of_fits], axis=0)
    misfit -= misfit.min()
    log_size = np.array([of[1] for of in of_fits])
    weight = 1 / np.array([of[2] + SIZE_SCATTER**2 for of in of_fits])
    middle = (weight * log_size).sum(axis=0) / weight.sum(axis=0)
    error = np.log(SIZE_FACTOR) + 2 / np.sqrt(weight.sum(axis=0))
    if dilated:
        misfit = np.minimum.reduceat(misfit[shapes.near], shapes.first)
    return LadderShape(misfit, np.exp(middle - error), np.exp(middle + error))


def _best_of_shapes(fit: Fit) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each shape the least misfit of a slice, the log of its size and the variance of that."""
    shapes, values = fixed_shapes(), fit.curve_values
    n = int(np.ceil((values.stop - values.start) / LOCATION_STEP)) + 1
    grid = Grid.of(values, np.linspace(values.start, values.stop, n))
    n_pairs = library().left.size
    profile = grid.profile(np.repeat(np.arange(n_pairs), n), np.tile(np.arange(n), n_pairs))
    aa, ab, bb, a, b = (term.reshape(n_pairs, n)[shapes.pair] for term in profile.normal)
    ratio = shapes.ratio[:, None]
    precision = np.maximum(aa + 2 * ab * ratio + bb * ratio**2, TINY)
    slope = np.maximum(a + b * ratio, 0.0)
    gain = slope**2 / precision
    at = (np.arange(ratio.size), gain.argmax(axis=1))
    size = slope[at] / precision[at]
    # Where a slice shows no size, its variance says so.
    size_in_tolerances = np.maximum(size, TINY) / fit.tolerance_loss
    relative_variance = 1 / np.maximum(precision[at] * size**2, TINY)
    return (profile.total - gain[at]) / fit.scale, np.log(size_in_tolerances), relative_variance
