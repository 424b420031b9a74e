"""Objectives against short references, and their draws."""

import numpy as np
import pytest
import torch

from mutransfer.proxies import diffusion
from mutransfer.proxies.config.trial import ObjectiveConfig
from mutransfer.proxies.diffusion.objective import DDPM, RectifiedFlow
from mutransfer.proxies.rng import generator
from tests.proxies.diffusion.recorder import SHAPE, Recorder, batch_of


def test_rectified_flow_is_the_squared_error_of_the_velocity():
    batch, rng = batch_of(), generator("test")
    t, noise = diffusion.draw(RectifiedFlow(), rng, 6, SHAPE)
    model = Recorder(torch.randn(6, *SHAPE, generator=rng))
    loss = RectifiedFlow().loss(model, batch, t, noise)
    x0, e, s = batch["image"].numpy(), noise.numpy(), t.numpy()[:, None, None, None]
    np.testing.assert_allclose(model.arguments[0], (1 - s) * x0 + s * e, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.arguments[1], 1000 * t, rtol=1e-6)
    expected = ((model.output.numpy() - (e - x0)) ** 2).mean((1, 2, 3))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def test_time_spans_a_thousand_whatever_the_number_of_steps():
    model = Recorder(torch.zeros(6, *SHAPE))
    t = torch.tensor([0, 1, 2, 3, 4, 49])
    DDPM(50).loss(model, batch_of(), t, torch.zeros(6, *SHAPE))
    assert torch.equal(model.arguments[1], t.float() * 20)


@pytest.mark.parametrize(
    ("config", "learn_sigma"),
    [
        (ObjectiveConfig(), False),
        (ObjectiveConfig(kind="ddpm"), False),
        (ObjectiveConfig(kind="ddpm"), True),
    ],
)
def test_the_trivial_loss_is_that_of_the_zero_predictor(config, learn_sigma):
    objective = diffusion.objective(config, learn_sigma=learn_sigma)
    batch = batch_of()
    t, noise = diffusion.draw(objective, generator("trivial"), 6, SHAPE)
    channels = 4 if learn_sigma else 2
    zero = objective.loss(lambda x, t, condition: torch.zeros(6, channels, 4, 4), batch, t, noise)
    torch.testing.assert_close(objective.trivial_loss(batch, t, noise), zero)


def test_draws_are_functions_of_their_generator_and_follow_the_distribution():
    uniform, normal = (
        diffusion.draw(RectifiedFlow(name), generator("t"), 20_000, (1,))
        for name in ("uniform", "logit_normal")
    )
    assert torch.equal(uniform[1], normal[1])
    again = diffusion.draw(RectifiedFlow(), generator("t"), 20_000, (1,))
    assert torch.equal(uniform[0], again[0])
    assert abs(uniform[0].std() - 12**-0.5) < 0.01
    logits = normal[0].logit()
    assert abs(logits.mean()) < 0.03 and abs(logits.std() - 1) < 0.03
    steps, _ = diffusion.draw(DDPM(10), generator("t"), 20_000, (1,))
    assert (steps.bincount() / 20_000 - 0.1).abs().max() < 0.01 and len(steps.bincount()) == 10


def test_validation_draws_are_fixed_and_stratified_in_time_and_image():
    t, noise = diffusion.validation_draws(RectifiedFlow(), 50, 4, SHAPE)
    again = diffusion.validation_draws(RectifiedFlow(), 50, 4, SHAPE)
    assert torch.equal(t, again[0]) and torch.equal(noise, again[1])
    torch.testing.assert_close(t.sort().values, (torch.arange(200) + 0.5) / 200)
    per_image = t.view(4, 50)
    assert torch.equal((per_image * 4).floor(), torch.arange(4.0)[:, None].expand(4, 50))
    assert (per_image[0].argsort() != torch.arange(50)).any(), "images are shuffled over times"
    assert abs(noise.mean()) < 0.05 and noise.shape == (200, *SHAPE)
