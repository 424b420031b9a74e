"""Objectives against short references in numpy, their draws, and the sampler against an oracle."""

import math

import numpy as np
import pytest
import torch

from mutransfer.proxies import diffusion
from mutransfer.proxies.config.trial import ObjectiveConfig
from mutransfer.proxies.diffusion.objective import DDPM, RectifiedFlow
from mutransfer.proxies.diffusion.sampler import sample
from mutransfer.proxies.rng import generator

SHAPE = (2, 4, 4)


def batch_of(n=6, seed=0):
    rng = torch.Generator().manual_seed(seed)
    image = torch.rand(n, *SHAPE, generator=rng) * 2 - 1
    # Both ends, where the decoder's bins are open.
    image[:, 0, 0, 0], image[:, 0, 0, 1] = -1.0, 1.0
    return {"image": image, "label": torch.arange(n)}


class Recorder:
    """A model that answers a fixed tensor and keeps what it was asked."""

    def __init__(self, answer):
        self.answer, self.asked = answer, None

    def __call__(self, x, t, condition):
        self.asked = x, t, condition
        return self.answer


def test_rectified_flow_is_the_squared_error_of_the_velocity():
    batch, rng = batch_of(), generator("test")
    t, noise = diffusion.draw(RectifiedFlow(), rng, 6, SHAPE)
    model = Recorder(torch.randn(6, *SHAPE, generator=rng))
    loss = RectifiedFlow().loss(model, batch, t, noise)
    x0, e, s = batch["image"].numpy(), noise.numpy(), t.numpy()[:, None, None, None]
    np.testing.assert_allclose(model.asked[0], (1 - s) * x0 + s * e, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.asked[1], 1000 * t, rtol=1e-6)
    expected = ((model.answer.numpy() - (e - x0)) ** 2).mean((1, 2, 3))
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


def reference_ddpm(x0, noise, t, eps, v):
    """Formulas of arXiv 2006.11239 and 2102.09672, image by image in float64."""
    betas = np.linspace(1e-4, 0.02, 1000)
    bar = np.cumprod(1 - betas)
    losses = []
    for k, s in enumerate(t):
        before = bar[s - 1] if s else 1.0
        x = np.sqrt(bar[s]) * x0[k] + np.sqrt(1 - bar[s]) * noise[k]
        loss = ((eps[k] - noise[k]) ** 2).mean()
        if v is not None:
            i = max(s, 1)
            posterior = betas[i] * (1 - bar[i - 1]) / (1 - bar[i])
            a = np.sqrt(before) * betas[s] / (1 - bar[s])
            b = np.sqrt(1 - betas[s]) * (1 - before) / (1 - bar[s])
            mean = a * (x - np.sqrt(1 - bar[s]) * eps[k]) / np.sqrt(bar[s]) + b * x
            frac = (v[k] + 1) / 2
            var = np.exp(frac * np.log(betas[s]) + (1 - frac) * np.log(posterior))
            if s:
                gap = (a * x0[k] + b * x - mean) ** 2
                nats = 0.5 * (np.log(var / posterior) - 1 + posterior / var + gap / var)
            else:
                phi = np.vectorize(lambda z: 0.5 * (1 + math.erf(z / math.sqrt(2))))
                upper = phi((x0[k] - mean + 1 / 255) / np.sqrt(var))
                lower = phi((x0[k] - mean - 1 / 255) / np.sqrt(var))
                upper[x0[k] > 0.999], lower[x0[k] < -0.999] = 1, 0
                nats = -np.log(np.maximum(upper - lower, 1e-12))
            loss += nats.mean() / np.log(2)
        losses.append(loss)
    return np.array(losses)


@pytest.mark.parametrize("learn_sigma", [False, True])
def test_ddpm_agrees_with_a_reference(learn_sigma):
    batch, rng = batch_of(), generator("ddpm")
    t = torch.tensor([0, 0, 1, 10, 500, 999])
    noise = torch.randn(6, *SHAPE, generator=rng)
    # Near the truth, as a trained model is: far from it all bins of the decoder have no mass.
    eps = noise + 0.05 * torch.randn(6, *SHAPE, generator=rng)
    v = torch.rand(6, *SHAPE, generator=rng) * 2 - 1
    model = Recorder(torch.cat([eps, v], 1) if learn_sigma else eps)
    loss = DDPM(learn_sigma=learn_sigma).loss(model, batch, t, noise)
    parts = [part.double().numpy() for part in (batch["image"], noise)]
    predicted = eps.double().numpy(), v.double().numpy() if learn_sigma else None
    expected = reference_ddpm(*parts, t.numpy(), *predicted)
    np.testing.assert_allclose(loss, expected, rtol=2e-3)
    assert torch.equal(model.asked[1], t.float())


def test_the_bound_trains_variances_alone():
    batch, noise = batch_of(), torch.randn(6, *SHAPE, generator=generator("bound"))
    t = torch.tensor([0, 3, 50, 200, 700, 999])
    out = torch.cat([noise, torch.zeros_like(noise)], 1).requires_grad_()
    DDPM(learn_sigma=True).loss(Recorder(out), batch, t, noise).sum().backward()
    of_eps, of_v = out.grad.chunk(2, dim=1)
    assert not of_eps.any(), "at ε = noise the error has no slope, and the bound gives none"
    assert of_v.abs().amax(dim=(1, 2, 3)).min() > 0


def test_time_spans_a_thousand_whatever_the_number_of_steps():
    model = Recorder(torch.zeros(6, *SHAPE))
    t = torch.tensor([0, 1, 2, 3, 4, 49])
    DDPM(50).loss(model, batch_of(), t, torch.zeros(6, *SHAPE))
    assert torch.equal(model.asked[1], t.float() * 20)


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
