"""U-ViT (Bao et al., arXiv 2209.12152) of any width: all inputs are tokens, with long skips.

    x = [label token, time token, patch embedding] + learned positions
    in each block:
        x = Linear([x, output of the mirrored block])     in the second half only
        x = x + attention(norm(x))
        x = x + MLP(norm(x))
    prediction = 3×3 convolution of the patches of readout(norm(x)), joined

Options: `config.model.UViTConfig`.

Shapes: B batch, T tokens (label, time, patches), D width, C channels, S image side.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mutransfer.proxies.batch import Condition, DataInfo
from mutransfer.proxies.config.model import UViTConfig
from mutransfer.proxies.models.layers import (
    MLP,
    Attention,
    frequencies,
    linear,
    patchify,
    readout,
    sinusoids,
    unpatchify,
    with_normal_init,
)

# The label token and the time token.
N_EXTRA_TOKENS = 2


class Block(nn.Module):
    """Attention and MLP on layer norms; in the second half, a long skip is merged in first."""

    def __init__(self, config: UViTConfig, width: int, *, has_skip: bool = False) -> None:
        super().__init__()
        self.skip = linear(2 * width, width) if has_skip else None
        self.norm_1 = layer_norm(width, is_affine=config.affine_norm)
        self.attn = Attention(width, config.head_dim, qkv_bias=False)
        self.norm_2 = layer_norm(width, is_affine=config.affine_norm)
        self.mlp = MLP(width, int(config.mlp_ratio * width), approximate="none")

    def forward(self, x_BTD: Tensor, skip_BTD: Tensor | None = None) -> Tensor:
        """Return (B, T, D) for tokens x and, in the second half, the mirrored block's output."""
        if self.skip is not None and skip_BTD is not None:
            x_BTD = self.skip(torch.cat([x_BTD, skip_BTD], dim=2))
        x_BTD = x_BTD + self.attn(self.norm_1(x_BTD))
        return x_BTD + self.mlp(self.norm_2(x_BTD))


class TimeToken(nn.Module):
    """Sinusoids of the timestep, as many as the width, and optionally an MLP on them.

    The number of sinusoids grows with width, so both layers of the MLP are hidden matrices; the
    first layer of DiT's time MLP is an input matrix.
    """

    freqs: Tensor

    def __init__(self, width: int, *, has_mlp: bool) -> None:
        super().__init__()
        self.register_buffer("freqs", frequencies(width // 2), persistent=False)
        self.fc1 = linear(width, 4 * width) if has_mlp else None
        self.fc2 = linear(4 * width, width) if has_mlp else None

    def forward(self, t_B: Tensor) -> Tensor:
        """Return (B, D) for timesteps in 0 … 1000."""
        t_BD = sinusoids(t_B, self.freqs)
        if self.fc1 is None or self.fc2 is None:
            return t_BD
        return self.fc2(F.silu(self.fc1(t_BD)))


class UViT(nn.Module):
    """A U-ViT for square images: predicts as many channels as it gets, or twice (learned σ)."""

    def __init__(self, config: UViTConfig, *, width: int, info: DataInfo) -> None:
        super().__init__()
        channels, side, _ = info.shape
        self.patch = config.patch_size
        self.out_channels = 2 * channels if config.learn_sigma else channels
        self.patch_embed = linear(channels * self.patch**2, width)
        self.time_token = TimeToken(width, has_mlp=config.mlp_time_embed)
        n_labels = info.n_classes + 1  # the last is the null class
        self.label_table = with_normal_init(nn.Embedding(n_labels, width), config.embedding_std)
        n_tokens = N_EXTRA_TOKENS + (side // self.patch) ** 2
        self.pos_TD = nn.Parameter(torch.randn(n_tokens, width) * config.position_std)
        self.param_std = {"pos_TD": config.position_std}
        self.param_roles = {"pos_TD": "vector"}
        half = config.depth // 2
        self.first = nn.ModuleList(Block(config, width) for _ in range(half))
        self.middle = Block(config, width)
        self.second = nn.ModuleList(Block(config, width, has_skip=True) for _ in range(half))
        self.norm = layer_norm(width, is_affine=config.affine_norm)
        n_out = self.out_channels * self.patch**2
        self.readout = readout(width, n_out, is_zero=config.zero_readout)
        self.conv = conv_3x3(self.out_channels) if config.conv else None

    def forward(self, x_BCSS: Tensor, t_B: Tensor, condition: Condition) -> Tensor:
        """Return the prediction, (B, C or 2C, S, S).

        Args:
            x_BCSS: Noised images.
            t_B: Timesteps in 0 … 1000, float.
            condition: Reads label (B,), in 0 … n_classes; n_classes is the null class.
        """
        label_B1D = self.label_table(condition["label"])[:, None]
        time_B1D = self.time_token(t_B)[:, None]
        patches_BTD = self.patch_embed(patchify(x_BCSS, self.patch))
        x_BTD = torch.cat([label_B1D, time_B1D, patches_BTD], dim=1)
        x_BTD = x_BTD + self.pos_TD
        skips = []
        for block in self.first:
            x_BTD = block(x_BTD)
            skips.append(x_BTD)
        x_BTD = self.middle(x_BTD)
        for block in self.second:
            x_BTD = block(x_BTD, skips.pop())
        image_BTD = x_BTD[:, N_EXTRA_TOKENS:]
        out_BCSS = unpatchify(self.readout(self.norm(image_BTD)), self.out_channels, self.patch)
        return out_BCSS if self.conv is None else self.conv(out_BCSS)


def layer_norm(width: int, *, is_affine: bool) -> nn.LayerNorm:
    """Return a layer norm, optionally with learned gains (from 1) and biases (from 0)."""
    module = nn.LayerNorm(width, elementwise_affine=is_affine)
    module.param_std = {"weight": 0.0, "bias": 0.0}  # type: ignore[assignment]
    return module


def conv_3x3(channels: int) -> nn.Conv2d:
    """Return a 3×3 convolution that keeps the image size; weights N(0, 1 / fan_in), zero bias."""
    module = nn.Conv2d(channels, channels, kernel_size=3, padding=1)
    return with_normal_init(module, (9 * channels) ** -0.5)
