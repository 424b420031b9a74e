"""When a training run counts as diverged."""

import math

import torch
from torch import Tensor

# Columns of a history: loss, loss of the zero predictor on the same batch, gradient norm.
LOSS, TRIVIAL, NORM = range(3)
WINDOW_FRAC = 0.05
# Below this many steps a mean of single batches is too noisy to call a run diverged by.
MIN_WINDOW = 5


def window(steps: int) -> int:
    """Return the steps over which a loss is smoothed, and for which it must be too high."""
    return max(MIN_WINDOW, math.ceil(WINDOW_FRAC * steps))


def first_diverged_step(
    history: Tensor, *, steps: int, warmup_steps: int, init_excess: float
) -> int | None:
    """Return the step, counted from 1, at which a run diverged; None if it did not.

    Either the first non-finite loss or gradient norm; or the begin of the first stretch after the
    warmup, as long as `window`, in which the smoothed loss is above its value at initialization.
    Losses are compared as excess over the zero predictor's on the same batch: that takes out most
    of the noise of single batches, which alone could lift a slowly falling loss above its begin.

    Args:
        history: (steps so far, 3): loss, zero predictor's loss, gradient norm.
        steps: Length of the whole run.
        warmup_steps: Steps in which a rise is not counted.
        init_excess: Validation loss at initialization minus the zero predictor's.
    """
    finite = torch.isfinite(history).all(dim=1)
    n_finite = len(history) if bool(finite.all()) else int(finite.long().argmin())
    loss, trivial = history[:n_finite, [LOSS, TRIVIAL]].double().unbind(1)
    # A loss counts as at most twice the zero predictor's: one spike is no divergence, however high.
    excess = (loss - trivial).minimum(trivial) - init_excess
    high = _begin_of_high_stretch(excess, width=window(steps), warmup_steps=warmup_steps)
    if high is not None:
        return high
    return n_finite + 1 if n_finite < len(history) else None


def _begin_of_high_stretch(excess: Tensor, *, width: int, warmup_steps: int) -> int | None:
    """Return the step, from 1, at which `width` smoothed values above zero in a row begin."""
    first = max(0, warmup_steps + 1 - width)
    # Entry i of the sums ends at step i + width, counted from 1.
    is_high = _moving_sum(excess, width)[first:] > 0
    stretches = _moving_sum(is_high.double(), width) > width - 0.5
    return int(stretches.long().argmax()) + first + width if bool(stretches.any()) else None


def _moving_sum(values: Tensor, width: int) -> Tensor:
    """Return the sums of `width` neighbours, (n - width + 1,); empty where there are fewer."""
    sums = torch.cat([values.new_zeros(1), values.cumsum(0)])
    return sums[width:] - sums[:-width]
