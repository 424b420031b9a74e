"""Diffusion objectives: the loss of a batch, and the distributions of timesteps and noise.

A model is called as model(x_BCSS, t_B, condition), with t in 0 … 1000; parts of a batch as in
`proxies.batch`. It returns its prediction or, with REPA's projector, (prediction, projected
tokens).
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from mutransfer.proxies.batch import Batch, Condition, condition
from mutransfer.proxies.config.trial import ObjectiveConfig
from mutransfer.proxies.diffusion.vlb import bound, linear_chain
from mutransfer.proxies.rng import generator

Prediction = Tensor | tuple[Tensor, Tensor]
Model = Callable[[Tensor, Tensor, Condition], Prediction]
# Factor on rectified flow's t, so that the time embedding has the same range as DDPM's.
TIME_SCALE = 1000.0


class Objective(Protocol):
    """A diffusion objective. Losses are per sample, (B,), float32 or wider."""

    def loss(self, model: Model, batch: Batch, t_B: Tensor, noise: Tensor) -> Tensor:
        """Return the loss of each sample at its timestep and noise."""

    def trivial_loss(self, batch: Batch, t_B: Tensor, noise: Tensor) -> Tensor:
        """Return the loss of a model whose prediction is always zero."""

    def quantile(self, u_B: Tensor) -> Tensor:
        """Return the timesteps at the quantiles u of their training distribution, (B,)."""


class RectifiedFlow:
    """Velocity matching on straight paths (arXiv 2209.03003): x_t = (1-t)·x + t·ε, target ε - x."""

    def __init__(self, t_distribution: str = "uniform") -> None:
        self.t_distribution = t_distribution

    def loss(self, model: Model, batch: Batch, t_B: Tensor, noise: Tensor) -> Tensor:
        """Return the mean squared error of the velocity, (B,)."""
        image = batch["image"]
        x_BCSS = torch.lerp(image, noise, t_B[:, None, None, None])
        out = predicted(model(x_BCSS, TIME_SCALE * t_B, condition(batch)))
        return _mean(torch.square(out.to(image.dtype) - (noise - image)))

    def trivial_loss(self, batch: Batch, t_B: Tensor, noise: Tensor) -> Tensor:
        """Return the loss of zero velocity, (B,)."""
        return _mean(torch.square(noise - batch["image"]))

    def quantile(self, u_B: Tensor) -> Tensor:
        """Return t in (0, 1): uniform or logit-normal (arXiv 2403.03206)."""
        return u_B if self.t_distribution == "uniform" else torch.special.ndtri(u_B).sigmoid()


class DDPM:
    """Noise prediction with linear betas (arXiv 2006.11239), and learned σ as DiT adds it.

    With `learn_sigma` the model returns 2C channels, and the variational bound of the variances,
    in bits per dimension and with the mean frozen, is added (arXiv 2102.09672).
    """

    def __init__(self, n_timesteps: int = 1000, *, learn_sigma: bool = False) -> None:
        self.n_timesteps = n_timesteps
        self.learn_sigma = learn_sigma

    def loss(self, model: Model, batch: Batch, t_B: Tensor, noise: Tensor) -> Tensor:
        """Return the mean squared error of the noise, plus the bound of learned variances, (B,)."""
        image = batch["image"]
        chain = linear_chain(self.n_timesteps, image.dtype, image.device)
        x_BCSS = chain.noised(image, t_B, noise)
        # The model's time spans 0 … 1000 whatever the number of steps.
        time_B = t_B.to(image.dtype) * (TIME_SCALE / self.n_timesteps)
        out = predicted(model(x_BCSS, time_B, condition(batch))).to(image.dtype)
        if not self.learn_sigma:
            return _mean(torch.square(out - noise))
        eps, v = out.chunk(2, dim=1)
        variational = bound(chain, image, x_BCSS, t_B, eps=eps.detach(), v=v)
        return _mean(torch.square(eps - noise)) + variational

    def trivial_loss(self, batch: Batch, t_B: Tensor, noise: Tensor) -> Tensor:
        """Return the loss of zero noise (and of the geometric mean of the two variances), (B,)."""
        repeats = (1, 2 if self.learn_sigma else 1, 1, 1)
        return self.loss(lambda x, t, c: torch.zeros_like(x).repeat(repeats), batch, t_B, noise)

    def quantile(self, u_B: Tensor) -> Tensor:
        """Return integer timesteps 0 … n-1."""
        return (u_B * self.n_timesteps).long().clamp(max=self.n_timesteps - 1)


def predicted(out: Prediction) -> Tensor:
    """Return the prediction in the output of a model."""
    return out[0] if isinstance(out, tuple) else out


def objective(config: ObjectiveConfig, *, learn_sigma: bool = False) -> RectifiedFlow | DDPM:
    """Return the objective of a configuration; `learn_sigma` is the model's option."""
    if config.kind == "ddpm":
        return DDPM(config.n_timesteps, learn_sigma=learn_sigma)
    return RectifiedFlow(config.t_distribution)


def draw(
    objective: Objective, rng: torch.Generator, size: int, shape: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """Return timesteps (B,) and noise (B, C, S, S) of a training batch, from a CPU generator."""
    u_B = torch.rand(size, generator=rng)
    return objective.quantile(u_B), torch.randn(size, *shape, generator=rng)


def validation_draws(
    objective: Objective, n_images: int, n_draws: int, shape: tuple[int, ...]
) -> tuple[Tensor, Tensor]:
    """Return fixed timesteps (n_draws·N,) and noise for N images repeated `n_draws` times.

    Timesteps are midpoints of n_draws·N equal slices of their distribution; every image gets one in
    each of `n_draws` equal ranges, so that neither images nor times are over-represented.
    """
    rng = generator("validation")
    orders = [torch.randperm(n_images, generator=rng) for _ in range(n_draws)]
    slices = torch.cat([order + k * n_images for k, order in enumerate(orders)])
    u = (slices.double() + 0.5) / (n_draws * n_images)
    noise = torch.randn(n_draws * n_images, *shape, generator=rng)
    return objective.quantile(u.float()), noise


def _mean(x_BCSS: Tensor) -> Tensor:
    return x_BCSS.flatten(1).mean(dim=1)
