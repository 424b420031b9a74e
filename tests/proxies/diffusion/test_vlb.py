"""The variational bound of DDPM against a short reference in numpy."""

import math

import numpy as np
import pytest
import torch

from mutransfer.proxies.diffusion.objective import DDPM
from mutransfer.proxies.rng import generator
from tests.proxies.diffusion.recorder import SHAPE, Recorder, batch_of


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
    assert torch.equal(model.arguments[1], t.float())


def test_the_bound_trains_variances_alone():
    batch, noise = batch_of(), torch.randn(6, *SHAPE, generator=generator("bound"))
    t = torch.tensor([0, 3, 50, 200, 700, 999])
    out = torch.cat([noise, torch.zeros_like(noise)], 1).requires_grad_()
    DDPM(learn_sigma=True).loss(Recorder(out), batch, t, noise).sum().backward()
    of_eps, of_v = out.grad.chunk(2, dim=1)
    assert not of_eps.any(), "at ε = noise the error has no slope, and the bound gives none"
    assert of_v.abs().amax(dim=(1, 2, 3)).min() > 0
