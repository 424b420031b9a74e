"""The learning-rate schedule."""

import dataclasses

import pytest

from mutransfer.proxies.config.trial import TrainConfig
from mutransfer.proxies.training.schedule import lr_scale

TRAIN = TrainConfig(steps=100, batch_size=1)


def scales(warmup=0, **changes):
    train = dataclasses.replace(TRAIN, **changes)
    return [lr_scale(step, train, warmup) for step in range(train.steps)]


def test_constant_is_one_after_a_linear_warmup():
    assert scales() == [1.0] * 100
    assert scales(warmup=4)[:6] == [0.25, 0.5, 0.75, 1.0, 1.0, 1.0]


def test_cosine_falls_from_one_to_its_end():
    factors = scales(warmup=20, schedule="cosine", final_lr_frac=0.1)
    assert factors[20] == 1.0 and factors[60] == pytest.approx(0.55)
    assert factors[99] == pytest.approx(0.1, abs=1e-3) and factors[99] > 0.1
    assert factors[20:] == sorted(factors[20:], reverse=True)


def test_wsd_is_flat_then_linear():
    factors = scales(schedule="wsd", decay_frac=0.2)
    assert factors[:81] == [1.0] * 81
    assert factors[80:] == pytest.approx([1 - k / 20 for k in range(20)])
    assert scales(schedule="wsd", final_lr_frac=0.5)[90] == pytest.approx(0.75)
