"""The rule by which a training run counts as diverged."""

import math

import torch
from torch import Tensor

# Columns of a history: loss, loss of the zero predictor on the same batch, gradient norm.
LOSS, TRIVIAL, NORM = range(3)
WINDOW_FRAC = 0.05
# A mean over fewer single batches is too noisy to judge divergence by.
MIN_WINDOW = 5


def window(steps: int) -> int:
    """Return over how many steps the loss is averaged, and how many in a row must be too high."""
    return max(MIN_WINDOW, math.ceil(WINDOW_FRAC * steps))


def first_diverged_step(
    history: Tensor, *, steps: int, warmup_steps: int, init_excess: float
) -> int | None:
    """Return the step, counted from 1, at which a run diverged; None if it did not.

    Either the first non-finite loss or gradient norm, or the start of the first stretch after the
    warmup, as long as `window`, in which the smoothed loss is above its value at initialization.
    Losses are compared as excess over the zero predictor's on the same batch. That removes most of
    the noise of single batches, which alone could lift a slowly falling loss above its start.

    Args:
        history: (steps so far, 3): loss, zero predictor's loss, gradient norm.
        steps: Steps of the complete run.
        warmup_steps: Steps in which a rise does not count.
        init_excess: Validation loss at initialization minus the zero predictor's.
    """
    finite = torch.isfinite(history).all(dim=1)
    n_finite = len(history) if bool(finite.all()) else int(finite.long().argmin())
    loss, trivial = history[:n_finite, [LOSS, TRIVIAL]].double().unbind(1)
    # A loss counts as at most twice the zero predictor's, so that one spike is no divergence.
    excess = (loss - trivial).minimum(trivial) - init_excess
    high = _start_of_high_stretch(excess, length=window(steps), warmup_steps=warmup_steps)
    if high is not None:
        return high
    return n_finite + 1 if n_finite < len(history) else None


def _start_of_high_stretch(excess: Tensor, *, length: int, warmup_steps: int) -> int | None:
    """Return the step, from 1, that starts `length` smoothed values above zero in a row."""
    first = max(0, warmup_steps + 1 - length)
    # Entry i of the sums ends at step i + length, counted from 1.
    is_high = _moving_sum(excess, length)[first:] > 0
    stretches = _moving_sum(is_high.double(), length) > length - 0.5
    return int(stretches.long().argmax()) + first + length if bool(stretches.any()) else None


def _moving_sum(values: Tensor, length: int) -> Tensor:
    """Return the sums of `length` neighbours, (n - length + 1,); empty where there are fewer."""
    sums = torch.cat([values.new_zeros(1), values.cumsum(0)])
    return sums[length:] - sums[:-length]
