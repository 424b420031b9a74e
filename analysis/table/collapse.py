"""Collapsed runs: those that ended, finite, far above the curve of the others.

A run may get stuck on a plateau or spike late and end "done" with a loss that says nothing about
the curve. With its value a slice has a wall, as with a diverged one.
"""

import numpy as np

# "Far above" is this share of the size of the losses: 20 tolerances of 0.5 %. Without it noise on a
# flat curve is taken for a collapse.
FAR = 0.1
# The loss jumps to a value that rises STEEPER times as steeply as the step before it on its side
# of the best, STEEPER_THAN_ALL times as steeply as all steps that are no further from the best, and
# to MIN_JUMP times the range of the values that are no further. An exponential wall exp(ku)
# steepens by e^k an octave: on a lattice of octaves one of k = 1 is no collapse, one of k = 2 often
# and one of k = 3 nearly always is taken for one (`benchmarks/calibration`, "collapsed wrongly").
STEEPER, STEEPER_THAN_ALL, MIN_JUMP = 12.0, 6.0, 5.0
# It also exceeds the noise: so many standard deviations between the runs of one value, over the
# values of the curve that have several. Else noise of a tenth of the loss is taken for a collapse
# in 4 to 11 % of slices of 2 to 4 seeds × 5 to 9 values (800 draws each); so in under 1 %.
MIN_NOISES = 6.0
# Fewer values than these have no range to compare a jump with. More are needed below the best,
# where runs are slow rather than unstable.
MIN_VALUES_ABOVE, MIN_VALUES_BELOW = 3, 4


def collapsed(
    log2_x: np.ndarray, means: np.ndarray, loss: np.ndarray, barrier: np.ndarray
) -> np.ndarray:
    """Return the mask of the collapsed values of a slice, (P,); one seed is enough.

    From the best value outwards, the lower of the two next values is taken into the curve or, if
    the loss jumps to its worst run, marked as collapsed together with the values beyond it that are
    about as high. Near a wall some seeds collapse where others still follow the curve.

    Args:
        log2_x: (P,) log2 of the values, ascending.
        means: (P,) mean losses; NaN where there is none.
        loss: (P, S) losses of the runs; NaN where there is none.
        barrier: (P,) True where a run diverged: what lies beyond is not looked at.
    """
    is_collapsed = np.zeros(means.size, dtype=bool)
    inside = np.isfinite(means) & ~barrier
    if not inside.any():
        return is_collapsed
    worst = np.where(np.isfinite(loss), loss, -np.inf).max(axis=1, initial=-np.inf)
    best = int(np.flatnonzero(inside)[means[inside].argmin()])
    sides = {s: _outwards(best, s, inside, barrier) for s in (-1, 1)}
    low = high = best
    while any(sides.values()):
        side = min((s for s in sides if sides[s]), key=lambda s: means[sides[s][0]])
        i = sides[side].pop(0)
        curve = inside.copy()
        curve[:low], curve[high + 1 :] = False, False
        noise = _noise(loss[curve])
        if worst[i] - means[curve].min() > MIN_NOISES * noise and _jumps(
            log2_x, means, curve, i, float(worst[i])
        ):
            beyond = np.array([i, *sides[side]])
            high_enough = (means[curve].min() + worst[i]) / 2
            is_collapsed[beyond[worst[beyond] > high_enough]] = True
            sides[side] = []
        else:
            low, high = min(low, i), max(high, i)
    return is_collapsed


def _noise(loss: np.ndarray) -> float:
    """The standard deviation between the runs of a value, over all values; 0 where unknown."""
    present = np.isfinite(loss)
    df = (present.sum(axis=1) - 1).sum()
    mean = np.where(present, loss, 0.0).sum(axis=1) / np.maximum(present.sum(axis=1), 1)
    squares = np.where(present, loss - mean[:, None], 0.0) ** 2
    return float(np.sqrt(squares.sum() / df)) if df > 0 else 0.0


def _outwards(best: int, side: int, inside: np.ndarray, barrier: np.ndarray) -> list[int]:
    """The values on one side of the best, nearest first, up to a barrier."""
    index = np.arange(best + 1, inside.size) if side > 0 else np.arange(best - 1, -1, -1)
    stop = np.flatnonzero(barrier[index])
    index = index[: stop[0]] if stop.size else index
    return [int(i) for i in index[inside[index]]]


def _jumps(log2_x: np.ndarray, means: np.ndarray, curve: np.ndarray, i: int, worst: float) -> bool:
    """Whether the loss jumps from the values of the curve to a run at value ``i``."""
    at = np.flatnonzero(curve)
    x, loss, end = log2_x[at], means[at], log2_x[i]
    min_values = MIN_VALUES_ABOVE
    if i < at[0]:  # mirrored, so that the value lies on the right
        x, loss, end, min_values = -x[::-1], loss[::-1], -end, MIN_VALUES_BELOW
    best = int(loss.argmin())
    excess = worst - loss[best]
    if loss.size < min_values or excess <= FAR * np.median(np.abs(loss)):
        return False
    near = np.abs(x - x[best]) <= end - x[best] + 1e-9
    slopes = np.diff(loss) / np.diff(x)
    steepest = float(np.abs(slopes[near[1:] & near[:-1]]).max(initial=0.0))
    before = max(float(slopes[-1]), steepest / 3) if best < loss.size - 1 else steepest
    jump = (worst - loss[-1]) / (end - x[-1])
    return bool(
        jump > STEEPER * before
        and jump > STEEPER_THAN_ALL * steepest
        and excess > MIN_JUMP * np.ptp(loss[near])
    )
