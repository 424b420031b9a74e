"""The window of a slice: the contiguous values about the best one to which a curve is fitted."""

import numpy as np

from mutransfer.analysis.table.slice import Slice, mean_loss

# Values up to this many tolerances above the best lie in the window: 20 % of the loss at a
# tolerance of 0.5 %. What lies higher says on which side the optimum is and no more.
# With 20 a valley passes at regret 0 in 50 instead of 90 % (benchmarks/results/constants.md); with
# 60 curves that change shape far out passed wrongly in a prototype.
REACH_TOLERANCES = 40.0
# Fewer values carry no curve: so many are kept however high they lie, unless a wall or a cliff is
# between. Along a parabola a value lies at most 4 ranges of the values no further from the best
# above that, beyond a cliff more.
MIN_VALUES, CLIFF_RANGES = 5, 4.1


def window_of(slice_: Slice, tolerance_loss: float) -> np.ndarray:
    """Return the mask of the values of a slice to which a curve is fitted, (P,).

    From the best value outwards, up to the nearest wall or value that is too high.

    Args:
        slice_: The slice.
        tolerance_loss: The regret that is accepted, loss.
    """
    kept = np.zeros(slice_.log2_x.size, dtype=bool)
    means, x = mean_loss(slice_), slice_.log2_x
    usable = np.flatnonzero(slice_.usable)
    if not usable.size:
        return kept
    best = int(usable[means[usable].argmin()])
    kept[best] = True
    limit = means[best] + REACH_TOLERANCES * tolerance_loss
    sides = [_reachable(slice_, best, -1), _reachable(slice_, best, 1)]
    while any(sides):
        side = min((s for s in sides if s), key=lambda s: means[s[0]])
        i = side.pop(0)
        near = kept & (np.abs(x - x[best]) <= np.abs(x[i] - x[best]) * (1 + 1e-9))
        is_cliff = means[i] > means[best] + CLIFF_RANGES * np.ptp(means[near])
        if means[i] > limit and (kept.sum() >= MIN_VALUES or (is_cliff and kept.sum() > 1)):
            side.clear()
        else:
            kept[i] = True
    return kept


def _reachable(slice_: Slice, best: int, step: int) -> list[int]:
    """The usable values on one side of the best, nearest first, up to the nearest wall."""
    index = np.arange(best + step, slice_.log2_x.size if step > 0 else -1, step)
    walls = np.flatnonzero(slice_.walls[index])
    index = index[: walls[0]] if walls.size else index
    return [int(i) for i in index[slice_.usable[index]]]
