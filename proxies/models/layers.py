"""Layers that the families share: attention, MLP, adaLN, embedders, patches.

Every module declares the std of its tensors in `param_std`, so that a plan needs no measurement.

Shapes: B batch, T tokens, L caption tokens, D width, H heads, K head dim, C channels, S image side,
P patch side, G patches per side, N features of any kind.
"""

import math
from typing import Literal, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mutransfer.proxies.mup.modules import Readout

# Frequencies of timestep and position sinusoids fall from 1 to 1 / MAX_PERIOD (DiT).
MAX_PERIOD = 10_000.0
N_TIME_FEATURES = 256

M = TypeVar("M", Readout, nn.Linear, nn.Embedding, nn.Conv2d)


def with_normal_init(module: M, std: float) -> M:
    """Return the module with its weight drawn from N(0, std²), a zero bias, and both declared."""
    nn.init.normal_(module.weight, std=std) if std else nn.init.zeros_(module.weight)
    if (bias := getattr(module, "bias", None)) is not None:
        nn.init.zeros_(bias)
    module.param_std = {"weight": std, "bias": 0.0}  # type: ignore[assignment]
    return module


def linear(n_in: int, n_out: int, *, is_zero: bool = False, bias: bool = True) -> nn.Linear:
    """Return a Linear with weights N(0, 1 / n_in), or zero, and a zero bias."""
    std = 0.0 if is_zero else 1 / math.sqrt(n_in)
    return with_normal_init(nn.Linear(n_in, n_out, bias=bias), std)


def readout(n_in: int, n_out: int, *, is_zero: bool) -> Readout:
    """Return a `Readout` with weights N(0, 1 / n_in), or zero, and a zero bias."""
    std = 0.0 if is_zero else 1 / math.sqrt(n_in)
    return with_normal_init(Readout(n_in, n_out), std)


def modulate(x_BTD: Tensor, shift_B1D: Tensor, scale_B1D: Tensor) -> Tensor:
    """Return the layer norm of x without affine parameters, scaled by 1 + scale and shifted."""
    normed_BTD = F.layer_norm(x_BTD, x_BTD.shape[-1:], eps=1e-6)
    return torch.addcmul(shift_B1D, normed_BTD, 1 + scale_B1D)


def add_gated(x_BTD: Tensor, r: float, gate_B1D: Tensor, branch_BTD: Tensor) -> Tensor:
    """Return x + r · gate · branch, a step of the residual stream, in one kernel.

    Not written as `x + r * gate * branch`: the last bits differ (measured on CPU in fp32 and bf16),
    and equal trials must give equal results, bit for bit.
    """
    return torch.addcmul(x_BTD, gate_B1D, branch_BTD, value=r)


def attend(q_BHTK: Tensor, k_BHLK: Tensor, v_BHLK: Tensor, mask: Tensor | None = None) -> Tensor:
    """Return the output of attention, (B, T, D), over the key tokens where the mask is true.

    Logits are scaled by 1/√K, a constant, since the head dim K does not grow with width.
    """
    out_BHTK = F.scaled_dot_product_attention(q_BHTK, k_BHLK, v_BHLK, attn_mask=mask)
    return out_BHTK.transpose(1, 2).flatten(2)


def split_heads(x_BTN: Tensor, n: int, head_dim: int) -> tuple[Tensor, ...]:
    """Return the n tensors (B, H, T, K) in the output of a fused Linear, (B, T, n·D)."""
    return x_BTN.unflatten(2, (n, -1, head_dim)).permute(2, 0, 3, 1, 4).unbind(0)


class Attention(nn.Module):
    """Self-attention with heads of fixed size."""

    def __init__(self, width: int, head_dim: int, *, qkv_bias: bool = True) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.qkv = linear(width, 3 * width, bias=qkv_bias)
        self.proj = linear(width, width)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Return (B, T, D) for (B, T, D)."""
        q_BHTK, k_BHTK, v_BHTK = split_heads(self.qkv(x_BTD), 3, self.head_dim)
        return self.proj(attend(q_BHTK, k_BHTK, v_BHTK))


class MLP(nn.Module):
    """Linear, GELU (in its tanh form, or exact), Linear."""

    def __init__(
        self, width: int, hidden: int, *, approximate: Literal["tanh", "none"] = "tanh"
    ) -> None:
        super().__init__()
        self.approximate = approximate
        self.fc1 = linear(width, hidden)
        self.fc2 = linear(hidden, width)

    def forward(self, x_BTD: Tensor) -> Tensor:
        """Return (B, T, D) for (B, T, D)."""
        hidden = F.gelu(self.fc1(x_BTD), approximate=self.approximate)
        return self.fc2(hidden)


class AdaLNReadout(nn.Module):
    """A layer norm modulated by the condition, and the readout onto patches."""

    def __init__(self, width: int, n_out: int, *, is_zero: bool, zero_readout: bool) -> None:
        super().__init__()
        self.modulation = linear(width, 2 * width, is_zero=is_zero)
        self.readout = readout(width, n_out, is_zero=zero_readout)

    def forward(self, x_BTD: Tensor, c_BD: Tensor) -> Tensor:
        """Return (B, T, n_out) for tokens x and the condition after its SiLU, c."""
        shift, scale = self.modulation(c_BD).unsqueeze(1).chunk(2, dim=2)
        return self.readout(modulate(x_BTD, shift, scale))


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
        return self.fc2(F.silu(self.fc1(sinusoids(t_B, self.freqs))))


def sinusoids(t_B: Tensor, freqs: Tensor) -> Tensor:
    """Return cosines, then sines, of times at n frequencies, (B, 2n)."""
    angles = t_B[:, None] * freqs
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def frequencies(n: int) -> Tensor:
    """Return n frequencies, (n,), geometric from 1 down to almost 1 / MAX_PERIOD."""
    return torch.exp(torch.arange(n) * (-math.log(MAX_PERIOD) / n))


def sincos_positions(width: int, side: int) -> Tensor:
    """Return 2-D sine-cosine positions of side × side patches, (side², width), Θ(1) (MAE, DiT)."""
    angles = torch.arange(side)[:, None] * frequencies(width // 4)
    axis_GD = torch.cat([angles.sin(), angles.cos()], dim=1)
    columns = axis_GD[None, :, :].expand(side, side, -1)
    rows = axis_GD[:, None, :].expand(side, side, -1)
    return torch.cat([columns, rows], dim=2).reshape(side * side, width)


def patchify(x_BCSS: Tensor, patch: int) -> Tensor:
    """Return the patches of an image, (B, T, C·P·P)."""
    B, C, S, _ = x_BCSS.shape
    grid = S // patch
    x = x_BCSS.reshape(B, C, grid, patch, grid, patch).permute(0, 2, 4, 1, 3, 5)
    return x.reshape(B, grid * grid, C * patch * patch)


def unpatchify(x_BTN: Tensor, channels: int, patch: int) -> Tensor:
    """Return the image (B, C, S, S) of patches (B, T, C·P·P)."""
    B, T, _ = x_BTN.shape
    grid = math.isqrt(T)
    x = x_BTN.reshape(B, grid, grid, channels, patch, patch).permute(0, 3, 1, 4, 2, 5)
    return x.reshape(B, channels, grid * patch, grid * patch)
