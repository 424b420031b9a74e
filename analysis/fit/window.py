"""The contiguous part of a slice, about its best value, that a curve is fitted to."""

from typing import NamedTuple

import numpy as np

from mutransfer.analysis.table.slice import Slice, bracket, mean_loss

REACH_STEPS = 2.0

REACH_OCTAVES = 4.0


class Window(NamedTuple):
    """What to fit.

    Attributes:
        slice: Whose values.
        means: (P,) mean losses, NaN where not usable.
        near: (P,) True for the values near the best one.
        kept: (P,) True for those that no cliff has cut off.
        center: log2 of the best value; NaN if there is none.
        level: Index of a value that is compared by its own losses, or None.
        spacing_log2: Lattice step, octaves.
    """

    slice: Slice
    means: np.ndarray
    near: np.ndarray
    kept: np.ndarray
    center: float
    level: int | None
    spacing_log2: float


def window_of(slice_: Slice, spacing_log2: float, pinned: float | None) -> Window:
    """Return the values near the best one, up to the nearest diverged on either side."""
    marks, x, means = bracket(slice_), slice_.log2_x, mean_loss(slice_)
    center = float("nan") if marks.best is None else float(x[marks.best])
    reach = max(REACH_STEPS * spacing_log2, REACH_OCTAVES) * (1 + 1e-6)
    near = slice_.usable & (np.abs(x - center) <= reach)
    near &= x > (-np.inf if marks.diverged_left is None else marks.diverged_left)
    near &= x < (np.inf if marks.diverged_right is None else marks.diverged_right)
    level = None if pinned is None else slice_.index(pinned)
    return Window(slice_, means, near, near, center, level, spacing_log2)
