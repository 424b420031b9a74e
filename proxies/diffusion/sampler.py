"""Sampling of a trained model: Euler for rectified flow, ancestral for DDPM, with guidance."""

from collections.abc import Callable

import torch
from torch import Tensor

from mutransfer.proxies.batch import Condition
from mutransfer.proxies.diffusion.objective import DDPM, TIME_SCALE, Model, RectifiedFlow, predicted
from mutransfer.proxies.diffusion.vlb import chain_of, linear_chain

Predictor = Callable[[Tensor, Tensor, Condition], Tensor]


@torch.no_grad()
def sample(
    objective: RectifiedFlow | DDPM,
    model: Model,
    condition: Condition,
    *,
    shape: tuple[int, int, int],
    null: Condition,
    rng: torch.Generator,
    steps: int = 50,
    guidance: float = 1.0,
) -> Tensor:
    """Return images in about [-1, 1], (B, C, S, S), on the device of the condition.

    Args:
        objective: The objective that the model was trained on.
        model: Called as in `objective`.
        condition: Condition of each image; parts as in `proxies.batch`.
        shape: (C, S, S) of the data.
        null: The null condition, of as many samples as `condition`.
        rng: CPU generator of all noise.
        steps: Model calls; DDPM uses a subset of its timesteps (arXiv 2102.09672).
        guidance: Scale of classifier-free guidance (arXiv 2207.12598): 1 is none.
    """
    guided = _guided(model, null, guidance, n_channels=shape[0])
    part = next(iter(condition.values()))
    noise = torch.randn(len(part), *shape, generator=rng).to(part.device)
    if isinstance(objective, DDPM):
        return _ancestral(objective, guided, noise, condition, rng, steps)
    return _euler(guided, noise, condition, steps)


def _guided(model: Model, null: Condition, guidance: float, *, n_channels: int) -> Predictor:
    """Return the model's prediction with guidance; learned variances are not guided."""
    if guidance == 1.0:
        return lambda x_BCSS, t_B, condition: predicted(model(x_BCSS, t_B, condition))

    def guided(x_BCSS: Tensor, t_B: Tensor, condition: Condition) -> Tensor:
        both = {name: torch.cat([part, null[name]]) for name, part in condition.items()}
        out = predicted(model(x_BCSS.repeat(2, 1, 1, 1), t_B.repeat(2), both))
        conditional, unconditional = out.chunk(2)
        out = conditional.clone()
        out[:, :n_channels] = torch.lerp(
            unconditional[:, :n_channels], out[:, :n_channels], guidance
        )
        return out

    return guided


def _euler(model: Predictor, x_BCSS: Tensor, condition: Condition, steps: int) -> Tensor:
    """Follow the velocity from t = 1 to t = 0 in equal steps."""
    for k in range(steps, 0, -1):
        t_B = torch.full((len(x_BCSS),), TIME_SCALE * k / steps, device=x_BCSS.device)
        x_BCSS = x_BCSS - model(x_BCSS, t_B, condition) / steps
    return x_BCSS


def _ancestral(
    objective: DDPM,
    model: Predictor,
    x_BCSS: Tensor,
    condition: Condition,
    rng: torch.Generator,
    steps: int,
) -> Tensor:
    """Draw from the learned reverse chain over a subset of its timesteps."""
    n = objective.n_timesteps
    kept = torch.linspace(0, n - 1, min(steps, n)).round().long()
    full = linear_chain(n, torch.float64, torch.device("cpu"))
    alphas_bar = full.alphas_bar[kept]
    alphas_bar_prev = torch.cat([alphas_bar.new_ones(1), alphas_bar[:-1]])
    chain = chain_of(1 - alphas_bar / alphas_bar_prev, x_BCSS.dtype, x_BCSS.device)
    for k in range(len(kept) - 1, -1, -1):
        k_B = torch.full((len(x_BCSS),), k, device=x_BCSS.device)
        time_B = torch.full_like(k_B, kept[k].item(), dtype=x_BCSS.dtype) * (TIME_SCALE / n)
        out = model(x_BCSS, time_B, condition)
        eps, v = out.chunk(2, dim=1) if objective.learn_sigma else (out, -torch.ones_like(out))
        mean = chain.posterior_mean(chain.image_of(x_BCSS, k_B, eps), x_BCSS, k_B)
        if k == 0:
            return mean
        noise = torch.randn(x_BCSS.shape, generator=rng).to(x_BCSS)
        x_BCSS = mean + (0.5 * chain.log_var(v, k_B)).exp() * noise
    return x_BCSS
