"""The moving average of weights."""

import pytest
import torch

from mutransfer.proxies.training.ema import EMA


def test_the_ema_is_a_mean_at_first_and_forgets_beyond_its_horizon():
    parameter = torch.nn.Parameter(torch.tensor([100.0]))
    ema = EMA([parameter], horizon_steps=4)
    values = [1.0, 2.0, 3.0, 6.0, 7.0]
    for step, value in enumerate(values, start=1):
        parameter.data.fill_(value)
        ema.update(step)
        if step <= 4:
            assert ema.average[0].item() == pytest.approx(sum(values[:step]) / step)
    assert ema.average[0].item() == pytest.approx(3.0 * 0.75 + 7.0 * 0.25)
    with ema.in_place():
        assert parameter.item() == pytest.approx(4.0)
    assert parameter.item() == 7.0
