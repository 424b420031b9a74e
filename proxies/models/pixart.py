"""PixArt-α (Chen et al., arXiv 2310.00426), by width: adaLN-single and captions.

Shapes: B batch, T tokens, L caption tokens, D width; the legend of `layers` holds here too.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mutransfer.proxies.batch import Condition, DataInfo
from mutransfer.proxies.config.model import PixArtConfig
from mutransfer.proxies.models.layers import (
    MLP,
    Attention,
    TimeEmbedder,
    attend,
    drawn,
    heads,
    image,
    linear,
    modulate,
    patches,
    positions,
    readout,
)
from mutransfer.proxies.mup.modules import ResidualBlock


class CrossAttention(nn.Module):
    """Attention of image tokens to caption tokens, with heads of fixed size."""

    def __init__(self, width: int, head_dim: int, *, zero_proj: bool) -> None:
        super().__init__()
        self.head_dim = head_dim
        self.q = linear(width, width)
        self.kv = linear(width, 2 * width)
        self.proj = linear(width, width, is_zero=zero_proj)

    def forward(self, x_BTD: Tensor, y_BLD: Tensor, mask_B11L: Tensor) -> Tensor:
        """Return (B, T, D); the mask is true where a caption has a token, which is somewhere."""
        (q_BHTK,) = heads(self.q(x_BTD), 1, self.head_dim)
        k_BHLK, v_BHLK = heads(self.kv(y_BLD), 2, self.head_dim)
        return self.proj(attend(q_BHTK, k_BHLK, v_BHLK, mask_B11L))


class Block(ResidualBlock):
    """Self-attention, attention to the caption, and MLP; the first and last modulated and gated.

    All blocks share one modulation of the time; the table of each is added to it.
    """

    def __init__(self, config: PixArtConfig, width: int) -> None:
        super().__init__()
        self.table_6D = nn.Parameter(torch.randn(6, width) * config.table_std)
        self.param_std = {"table_6D": config.table_std}
        self.attn = Attention(width, config.head_dim)
        self.cross = CrossAttention(width, config.head_dim, zero_proj=config.zero_cross_attention)
        self.mlp = MLP(width, int(config.mlp_ratio * width))

    def forward(self, x_BTD: Tensor, c_B6D: Tensor, y_BLD: Tensor, mask_B11L: Tensor) -> Tensor:
        """Return (B, T, D) for image tokens, modulation and caption."""
        parts = (self.table_6D + c_B6D).chunk(6, dim=1)
        shift_1, scale_1, gate_1, shift_2, scale_2, gate_2 = parts
        found_BTD, r = self.attn(modulate(x_BTD, shift_1, scale_1)), self.residual_mult
        x_BTD = torch.addcmul(x_BTD, gate_1, found_BTD, value=r)
        x_BTD = torch.add(x_BTD, self.cross(x_BTD, y_BLD, mask_B11L), alpha=r)
        found_BTD = self.mlp(modulate(x_BTD, shift_2, scale_2))
        return torch.addcmul(x_BTD, gate_2, found_BTD, value=r)


class FinalLayer(nn.Module):
    """A norm modulated by its table and the time, and the readout onto patches."""

    def __init__(self, config: PixArtConfig, width: int, n_out: int) -> None:
        super().__init__()
        self.table_2D = nn.Parameter(torch.randn(2, width) * config.table_std)
        self.param_std = {"table_2D": config.table_std}
        self.readout = readout(width, n_out, is_zero=config.zero_readout)

    def forward(self, x_BTD: Tensor, t_BD: Tensor) -> Tensor:
        """Return (B, T, n_out)."""
        shift, scale = (self.table_2D + t_BD[:, None]).chunk(2, dim=1)
        return self.readout(modulate(x_BTD, shift, scale))


class CaptionProjector(nn.Module):
    """Linear, GELU, Linear: from the features of a caption token to the width."""

    def __init__(self, n_features: int, width: int) -> None:
        super().__init__()
        self.fc1 = linear(n_features, width)
        self.fc2 = linear(width, width)

    def forward(self, caption_BLE: Tensor) -> Tensor:
        """Return (B, L, D)."""
        return self.fc2(F.gelu(self.fc1(caption_BLE), approximate="tanh"))


class PixArt(nn.Module):
    """A PixArt-α for square images: predicts as many channels as it gets, or twice (learned σ).

    The null caption of guidance is a frozen buffer in the published code; here it is part of the
    data, which give it in place of a dropped caption.
    """

    pos_TD: Tensor

    def __init__(self, config: PixArtConfig, *, width: int, info: DataInfo) -> None:
        super().__init__()
        assert info.caption is not None, "data without captions are a fault of the configuration"
        channels, side, _ = info.shape
        self.patch = config.patch_size
        self.out_channels = 2 * channels if config.learn_sigma else channels
        self.patch_embed = linear(channels * self.patch**2, width)
        self.register_buffer("pos_TD", positions(width, side // self.patch), persistent=False)
        self.time_embed = TimeEmbedder(width)
        self.modulation = linear(width, 6 * width)
        self.caption = CaptionProjector(info.caption[1], width)
        if config.embedder_std is not None:
            self._redraw_embedders(config.embedder_std, math.sqrt(config.base_width / width))
        self.blocks = nn.ModuleList(Block(config, width) for _ in range(config.depth))
        self.final = FinalLayer(config, width, self.out_channels * self.patch**2)

    def forward(self, x_BCSS: Tensor, t_B: Tensor, condition: Condition) -> Tensor:
        """Return the prediction, (B, C or 2C, S, S).

        Args:
            x_BCSS: Noised images.
            t_B: Timesteps in 0 … 1000, float.
            condition: Its caption (B, L, E) and caption_mask (B, L) are read; a mask has a token.
        """
        x_BTD = self.patch_embed(patches(x_BCSS, self.patch)) + self.pos_TD
        t_BD = self.time_embed(t_B)
        c_B6D = self.modulation(F.silu(t_BD)).unflatten(1, (6, -1))
        y_BLD = self.caption(condition["caption"])
        mask_B11L = condition["caption_mask"][:, None, None]
        for block in self.blocks:
            x_BTD = block(x_BTD, c_B6D, y_BLD, mask_B11L)
        return image(self.final(x_BTD, t_BD), self.out_channels, self.patch)

    def _redraw_embedders(self, std: float, hidden_mult: float) -> None:
        """Draw the embedders with one std at base width; that of hidden matrices falls from it."""
        for module in (self.time_embed.fc1, self.caption.fc1):
            drawn(module, std)
        for module in (self.time_embed.fc2, self.modulation, self.caption.fc2):
            drawn(module, std * hidden_mult)
