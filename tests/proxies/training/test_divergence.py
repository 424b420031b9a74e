"""Divergence, on planted histories."""

import math

import pytest
import torch

from mutransfer.proxies.training.divergence import first_diverged_step, window

STEPS = 200  # a window of 10


def history(losses, trivial=1.0):
    """A history of losses where the zero predictor has `trivial` and the gradient norm is one."""
    loss = torch.as_tensor(losses, dtype=torch.float32)
    return torch.stack([loss, torch.full_like(loss, trivial), torch.ones_like(loss)], dim=1)


def first(losses, *, warmup_steps=0, init_excess=0.0, steps=STEPS):
    rows = losses if isinstance(losses, torch.Tensor) else history(losses)
    return first_diverged_step(
        rows, steps=steps, warmup_steps=warmup_steps, init_excess=init_excess
    )


def test_a_falling_loss_has_not_diverged():
    assert first(torch.linspace(1, 0.5, STEPS).tolist()) is None
    assert first([1.0] * STEPS) is None, "a loss at its start is not above it"


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("column", [0, 2])
def test_a_value_that_is_not_finite_is_the_step_of_divergence(value, column):
    rows = history([0.5] * 50)
    rows[36:, column] = value
    assert first(rows) == 37


def test_a_loss_above_its_start_for_a_window_has_diverged():
    # Smoothed over 10 steps, 0.5 → 2 passes 1 with the fourth high value: step 104.
    losses = [0.5] * 100 + [2.0] * 100
    assert first(losses) == 104
    assert first(losses[:113]) == 104
    assert first(losses[:112]) is None, "not yet above for ten steps in a row"


@pytest.mark.parametrize("height", [2.0, 1e6])
def test_a_short_spike_is_forgiven_however_high(height):
    assert first([0.5] * 100 + [height] * 6 + [0.5] * 94) is None
    assert first([0.5] * 100 + [height] * 9 + [0.5] * 91) == 104


def test_a_rise_within_the_warmup_is_not_counted():
    losses = [2.0] * 40 + [0.5] * 160
    assert first(losses) == 10
    assert first(losses, warmup_steps=45) is None
    assert first([2.0] * 80, warmup_steps=45) == 46


def test_the_threshold_is_the_loss_at_initialization():
    assert first([1.5] * STEPS, init_excess=0.6) is None
    assert first([1.5] * STEPS, init_excess=0.4) is not None


def test_noise_of_single_batches_is_not_divergence():
    """A loss that hardly falls, in batches whose zero predictor moves as much as the model."""
    noise = 0.3 * torch.randn(STEPS, generator=torch.Generator().manual_seed(0))
    rows = history((1 + noise - 0.001).tolist())
    rows[:, 1] += noise
    assert first(rows) is None
    rows[:, 1] = 1.0
    assert first(rows) is not None, "without pairing, it would be"


def test_the_first_of_both_criteria_counts():
    losses = [2.0] * 100
    losses[60] = math.nan
    assert first(losses) == 10
    losses[3] = math.nan
    assert first(losses) == 4


def test_short_runs_have_a_window_that_is_not_a_single_batch():
    assert (window(20), window(200), window(201)) == (5, 10, 11)
    assert first([2.0] * 9, steps=20) == 5
    assert first([2.0] * 4, steps=20) is None
