"""Samplers with an exact model end at the data."""

import pytest
import torch

from mutransfer.proxies.diffusion.objective import DDPM, RectifiedFlow
from mutransfer.proxies.diffusion.sampler import sample
from mutransfer.proxies.rng import generator
from tests.proxies.diffusion.recorder import SHAPE


def no_class(size):
    return {"label": torch.full((size,), 10)}


POINT = torch.linspace(-0.8, 0.8, 32).view(1, *SHAPE)


def velocity_to_point(x, t, condition):
    """The velocity of data that is one image, shifted by the label: E[ε - x0 | x_t]."""
    target = POINT + 0.01 * condition["label"][:, None, None, None]
    return (x - target) / (t[:, None, None, None] / 1000)


@pytest.mark.parametrize("steps", [1, 7])
def test_euler_steps_along_straight_paths_end_at_the_data(steps):
    label = torch.tensor([0, 3, 5])
    out = sample(
        RectifiedFlow(),
        velocity_to_point,
        {"label": label},
        shape=SHAPE,
        null=no_class(3),
        rng=generator("euler"),
        steps=steps,
    )
    expected = POINT + 0.01 * label[:, None, None, None]
    torch.testing.assert_close(out, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("learn_sigma", [False, True])
@pytest.mark.parametrize("steps", [1, 25, 1000])
def test_ancestral_sampling_ends_at_the_data(steps, learn_sigma):
    bar = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64), 0)

    def noise_of_point(x, t, condition):
        alpha = bar[t.long()][:, None, None, None]
        eps = ((x - alpha.sqrt() * POINT) / (1 - alpha).sqrt()).float()
        return torch.cat([eps, torch.zeros_like(eps)], 1) if learn_sigma else eps

    out = sample(
        DDPM(learn_sigma=learn_sigma),
        noise_of_point,
        {"label": torch.zeros(3, dtype=torch.int64)},
        shape=SHAPE,
        null=no_class(3),
        rng=generator("ancestral"),
        steps=steps,
    )
    torch.testing.assert_close(out, POINT.expand_as(out), rtol=0, atol=1e-2)


def test_guidance_extrapolates_from_no_class_through_the_class():
    def guided(guidance):
        return sample(
            RectifiedFlow(),
            velocity_to_point,
            {"label": torch.tensor([4])},
            shape=SHAPE,
            null=no_class(1),
            rng=generator("guidance"),
            steps=1,
            guidance=guidance,
        )

    for guidance, shift in ((0.0, 0.10), (1.0, 0.04), (2.0, -0.02)):
        torch.testing.assert_close(guided(guidance), POINT + shift, rtol=0, atol=1e-5)
