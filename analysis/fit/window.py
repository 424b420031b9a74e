"""The window of a slice: the contiguous values about the best one to which a curve is fitted."""

from typing import NamedTuple

import numpy as np

from mutransfer.analysis.table.slice import Slice, bracket, mean_loss

# The window reaches this far from the best value, whichever is more.
REACH_STEPS, REACH_OCTAVES = 2.0, 4.0


class Window(NamedTuple):
    """The values of a slice to be fitted.

    Attributes:
        slice: The slice.
        means: (P,) mean losses, NaN where not usable.
        near: (P,) True for the values near the best one.
        kept: (P,) True for those of them that no cliff has cut off.
        center: log2 of the best value; NaN if there is none.
        pinned: Index of the value that is compared by its own mean loss, not by the curve, or None.
        spacing_log2: Lattice step, octaves.
    """

    slice: Slice
    means: np.ndarray
    near: np.ndarray
    kept: np.ndarray
    center: float
    pinned: int | None
    spacing_log2: float

    @property
    def on_curve(self) -> np.ndarray:
        """(P,) True for the values that the curve is fitted to."""
        mask = self.kept.copy()
        if self.pinned is not None:
            mask[self.pinned] = False
        return mask


def window_of(slice_: Slice, spacing_log2: float, pinned: float | None) -> Window:
    """Return the window of a slice: the values near the best, up to the nearest diverged ones.

    Args:
        slice_: The slice.
        spacing_log2: Lattice step, octaves.
        pinned: log2 of the value that is compared by its own mean loss, or None.
    """
    sides, x, means = bracket(slice_), slice_.log2_x, mean_loss(slice_)
    center = float("nan") if sides.best is None else float(x[sides.best])
    reach = max(REACH_STEPS * spacing_log2, REACH_OCTAVES) * (1 + 1e-6)
    near = slice_.usable & (np.abs(x - center) <= reach)
    near &= x > (-np.inf if sides.diverged_left is None else sides.diverged_left)
    near &= x < (np.inf if sides.diverged_right is None else sides.diverged_right)
    index = None if pinned is None else slice_.index(pinned)
    return Window(slice_, means, near, near, center, index, spacing_log2)
