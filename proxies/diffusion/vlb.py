"""The Gaussian chain of DDPM: its tables, posterior, and the terms of the variational bound.

Formulas: Ho et al., arXiv 2006.11239 (equations by number); learned variances: Nichol and Dhariwal,
arXiv 2102.09672, equation 15. Images are 8-bit values scaled to [-1, 1], as in DiT.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

BETA_FIRST, BETA_LAST = 1e-4, 0.02
# The decoder's bins are those of 256 values in [-1, 1].
_HALF_BIN = 1 / 255
_LOG_FLOOR = 1e-12


@dataclass(frozen=True, kw_only=True)
class Chain:
    """Tables by timestep, (n,): β, ᾱ, and the posterior's log variance and mean coefficients."""

    betas: Tensor
    alphas_bar: Tensor
    posterior_log_var: Tensor
    mean_of_image: Tensor
    mean_of_noised: Tensor

    def noised(self, image: Tensor, t_B: Tensor, noise: Tensor) -> Tensor:
        """Return x_t = √ᾱ·image + √(1-ᾱ)·noise (equation 4), (B, C, S, S)."""
        alpha_bar = at(self.alphas_bar, t_B)
        return alpha_bar.sqrt() * image + (1 - alpha_bar).sqrt() * noise

    def image_of(self, x_BCSS: Tensor, t_B: Tensor, eps: Tensor) -> Tensor:
        """Return the image in x_t if its noise is ε (equation 15), (B, C, S, S)."""
        alpha_bar = at(self.alphas_bar, t_B)
        return (x_BCSS - (1 - alpha_bar).sqrt() * eps) / alpha_bar.sqrt()

    def posterior_mean(self, image: Tensor, x_BCSS: Tensor, t_B: Tensor) -> Tensor:
        """Return the mean of q(x_{t-1} | x_t, image) (equation 7), (B, C, S, S)."""
        return at(self.mean_of_image, t_B) * image + at(self.mean_of_noised, t_B) * x_BCSS

    def log_var(self, v: Tensor, t_B: Tensor) -> Tensor:
        """Return log σ², from the posterior's (v = -1) to log β (v = 1), (B, C, S, S)."""
        frac = (v + 1) / 2
        low, high = at(self.posterior_log_var, t_B), at(self.betas, t_B).log()
        return frac * high + (1 - frac) * low


def at(table: Tensor, t_B: Tensor) -> Tensor:
    """Return a table's entries at timesteps, (B, 1, 1, 1)."""
    return table[t_B][:, None, None, None]


@lru_cache
def linear_chain(n: int, dtype: torch.dtype, device: torch.device) -> Chain:
    """Return the chain of n steps with β from 1e-4 to 0.02 (at n = 1000; else scaled as in DiT)."""
    scale = 1000 / n
    betas = torch.linspace(scale * BETA_FIRST, scale * BETA_LAST, n, dtype=torch.float64)
    return chain_of(betas.clamp(max=0.999), dtype, device)


def chain_of(betas: Tensor, dtype: torch.dtype, device: torch.device) -> Chain:
    """Return the chain of given betas, (n,) float64; tables in `dtype` on `device`."""
    alphas_bar = (1 - betas).cumprod(0)
    alphas_bar_prev = torch.cat([alphas_bar.new_ones(1), alphas_bar[:-1]])
    variance = betas * (1 - alphas_bar_prev) / (1 - alphas_bar)
    # The first posterior variance is zero, whose logarithm is -∞: the second's is used.
    clipped = torch.cat([variance[1:2], variance[1:]]) if len(betas) > 1 else betas
    tables = {
        "betas": betas,
        "alphas_bar": alphas_bar,
        "posterior_log_var": clipped.log(),
        "mean_of_image": betas * alphas_bar_prev.sqrt() / (1 - alphas_bar),
        "mean_of_noised": (1 - alphas_bar_prev) * (1 - betas).sqrt() / (1 - alphas_bar),
    }
    return Chain(**{name: table.to(device, dtype) for name, table in tables.items()})


def bound(
    chain: Chain, image: Tensor, x_BCSS: Tensor, t_B: Tensor, *, eps: Tensor, v: Tensor
) -> Tensor:
    """Return the variational bound's term at each timestep, bits per dimension, (B,).

    The Kullback-Leibler divergence to the posterior; at t = 0 the decoder's negative log
    likelihood. `eps` is the predicted noise, `v` what `Chain.log_var` takes.
    """
    mean = chain.posterior_mean(chain.image_of(x_BCSS, t_B, eps), x_BCSS, t_B)
    log_var = chain.log_var(v, t_B)
    true_mean = chain.posterior_mean(image, x_BCSS, t_B)
    kl = _kl(true_mean, at(chain.posterior_log_var, t_B), mean, log_var)
    nll = -_log_likelihood(image, mean, 0.5 * log_var)
    nats = torch.where((t_B == 0)[:, None, None, None], nll, kl)
    return nats.flatten(1).mean(dim=1) / math.log(2)


def _kl(mean_1: Tensor, log_var_1: Tensor, mean_2: Tensor, log_var_2: Tensor) -> Tensor:
    """Return the divergence of two diagonal Gaussians, nats per entry."""
    ratio = (log_var_1 - log_var_2).exp()
    distance = torch.square(mean_1 - mean_2) * (-log_var_2).exp()
    return 0.5 * (log_var_2 - log_var_1 - 1 + ratio + distance)


def _log_likelihood(image: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Return the log probability of each 8-bit value under a Gaussian, nats per entry.

    The outer bins are open (equation 13). The normal distribution function is exact; the original
    code approximates it to 1e-3 by a tanh.
    """
    inverse_std = (-log_std).exp()
    upper = torch.special.ndtr(inverse_std * (image - mean + _HALF_BIN))
    lower = torch.special.ndtr(inverse_std * (image - mean - _HALF_BIN))
    inside = torch.where(image > 0.999, 1 - lower, upper - lower)
    probability = torch.where(image < -0.999, upper, inside)
    return probability.clamp(min=_LOG_FLOOR).log()
