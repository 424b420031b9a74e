"""Layers of the proxies: attention, MLP, adaLN, embedders.

Every module declares the std of its tensors in `param_std`, so that a plan needs no measurement.

Shapes: B batch, T tokens, D width, H heads, K head dim, C channels, S image side, P patch side,
G patches a side.
"""

import math
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Frequencies of timestep and position sinusoids fall from 1 to 1 / MAX_PERIOD (DiT).
MAX_PERIOD = 10_000.0
N_TIME_FEATURES = 256

M = TypeVar("M", nn.Linear, nn.Embedding)


def drawn(module: M, std: float) -> M:
    """Return the module with its weight drawn from N(0, std²), zero bias, and both declared."""
    nn.init.normal_(module.weight, std=std) if std else nn.init.zeros_(module.weight)
    if (bias := getattr(module, "bias", None)) is not None:
        nn.init.zeros_(bias)
    module.param_std = {"weight": std, "bias": 0.0}  # type: ignore[assignment]
    return module


def linear(n_in: int, n_out: int, *, is_zero: bool = False) -> nn.Linear:
    """Return a Linear with weights N(0, 1 / n_in), or zero, and a zero bias."""
    return drawn(nn.Linear(n_in, n_out), 0.0 if is_zero else 1 / math.sqrt(n_in))


def modulate(x_BTD: Tensor, shift_B1D: Tensor, scale_B1D: Tensor) -> Tensor:
    """Return the layer norm of x without affine parameters, scaled by 1 + scale and shifted."""
    normed_BTD = F.layer_norm(x_BTD, x_BTD.shape[-1:], eps=1e-6)
    return torch.addcmul(shift_B1D, normed_BTD, 1 + scale_B1D)


class Attention(nn.Module):
    """Self-attention with heads of fixed size, so that its 1/√K is a constant in width."""

    def __init__(self, width: int, head_dim: int) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.qkv = linear(width, 3 * width)
        self.proj = linear(width, width)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Return (B, T, D) for (B, T, D)."""
        B, T, D = x_BTD.shape
        qkv_BT3HK = self.qkv(x_BTD).view(B, T, 3, D // self.head_dim, self.head_dim)
        q_BHTK, k_BHTK, v_BHTK = qkv_BT3HK.permute(2, 0, 3, 1, 4).unbind(0)
        mixed_BHTK = F.scaled_dot_product_attention(q_BHTK, k_BHTK, v_BHTK)
        return self.proj(mixed_BHTK.transpose(1, 2).reshape(B, T, D))


class MLP(nn.Module):
    """Linear, GELU (tanh form), Linear."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = linear(width, hidden)
        self.fc2 = linear(hidden, width)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Return (B, T, D) for (B, T, D)."""
        return self.fc2(F.gelu(self.fc1(x_BTD), approximate="tanh"))


class TimeEmbedder(nn.Module):
    """Sinusoids of the timestep, then Linear, SiLU, Linear."""

    freqs: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = linear(N_TIME_FEATURES, width)
        self.fc2 = linear(width, width)
        self.register_buffer("freqs", frequencies(N_TIME_FEATURES // 2), persistent=False)

    def forward(self, t_B: Tensor) -> Tensor:
        """Return (B, D) for timesteps in 0 … 1000."""
        angles = t_B[:, None] * self.freqs
        features = torch.cat([angles.cos(), angles.sin()], dim=-1)
        return self.fc2(F.silu(self.fc1(features)))


def frequencies(n: int) -> Tensor:
    """Return n frequencies, (n,), geometric from 1 down to almost 1 / MAX_PERIOD."""
    return torch.exp(torch.arange(n) * (-math.log(MAX_PERIOD) / n))


def positions(width: int, side: int) -> Tensor:
    """Return fixed 2-D sine-cosine positions, (side², width), entries of Θ(1) (MAE, DiT)."""
    angles = torch.arange(side)[:, None] * frequencies(width // 4)
    axis_GD = torch.cat([angles.sin(), angles.cos()], dim=1)
    columns = axis_GD[None, :, :].expand(side, side, -1)
    rows = axis_GD[:, None, :].expand(side, side, -1)
    return torch.cat([columns, rows], dim=2).reshape(side * side, width)


def patches(x_BCSS: Tensor, patch: int) -> Tensor:
    """Return an image cut into patches, (B, T, C·P·P)."""
    B, C, S, _ = x_BCSS.shape
    grid = S // patch
    x = x_BCSS.reshape(B, C, grid, patch, grid, patch).permute(0, 2, 4, 1, 3, 5)
    return x.reshape(B, grid * grid, C * patch * patch)


def image(x_BTF: Tensor, channels: int, patch: int) -> Tensor:
    """Return patches (B, T, C·P·P) put together again, (B, C, S, S)."""
    B, T, _ = x_BTF.shape
    grid = math.isqrt(T)
    x = x_BTF.reshape(B, grid, grid, channels, patch, patch).permute(0, 3, 1, 4, 2, 5)
    return x.reshape(B, channels, grid * patch, grid * patch)
