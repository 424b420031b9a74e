"""PixArt-α (Chen et al., arXiv 2310.00426) of any width: adaLN-single, attention to captions.

    x = patch embedding + fixed positions
    y = caption projector(caption)
    c = Linear(SiLU(time embedding)), one for all blocks
    in each block, with c + the block's table in place of c, and r = 1 unless a depth rule is on:
        x = x + r · gate(c) · self-attention(modulated norm(x, c))
        x = x + r · cross-attention(x, y)
        x = x + r · gate(c) · MLP(modulated norm(x, c))
    prediction = patches of readout(norm(x) modulated by table + time embedding), joined

Options: `config.model.PixArtConfig`.

Shapes: B batch, T image tokens, L caption tokens, E caption features, D width, H heads, K head dim,
C channels, S image side.
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
    add_gated,
    attend,
    linear,
    modulate,
    patchify,
    readout,
    sincos_positions,
    split_heads,
    unpatchify,
    with_normal_init,
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
        """Return (B, T, D); the mask is true at caption tokens, at least one per caption."""
        (q_BHTK,) = split_heads(self.q(x_BTD), 1, self.head_dim)
        k_BHLK, v_BHLK = split_heads(self.kv(y_BLD), 2, self.head_dim)
        return self.proj(attend(q_BHTK, k_BHLK, v_BHLK, mask_B11L))


class Block(ResidualBlock):
    """Self-attention, attention to the caption, and MLP; the first and last modulated and gated.

    All blocks share one modulation, a function of time; each adds its own learned table.
    """

    def __init__(self, config: PixArtConfig, width: int) -> None:
        super().__init__()
        self.table_6D = nn.Parameter(torch.randn(6, width) * config.table_std)
        self.param_std = {"table_6D": config.table_std}
        self.param_roles = {"table_6D": "vector"}
        self.attn = Attention(width, config.head_dim)
        self.cross = CrossAttention(width, config.head_dim, zero_proj=config.zero_cross_attention)
        self.mlp = MLP(width, int(config.mlp_ratio * width))

    def forward(self, x_BTD: Tensor, c_B6D: Tensor, y_BLD: Tensor, mask_B11L: Tensor) -> Tensor:
        """Return (B, T, D) for image tokens x, shared modulation c, caption y and its mask."""
        r = self.residual_mult
        modulations = (self.table_6D + c_B6D).chunk(6, dim=1)
        shift_attn, scale_attn, gate_attn, shift_mlp, scale_mlp, gate_mlp = modulations
        attn_BTD = self.attn(modulate(x_BTD, shift_attn, scale_attn))
        x_BTD = add_gated(x_BTD, r, gate_attn, attn_BTD)  # x = x + r · gate · attn
        cross_BTD = self.cross(x_BTD, y_BLD, mask_B11L)
        x_BTD = torch.add(x_BTD, cross_BTD, alpha=r)  # x = x + r · cross
        mlp_BTD = self.mlp(modulate(x_BTD, shift_mlp, scale_mlp))
        return add_gated(x_BTD, r, gate_mlp, mlp_BTD)  # x + r · gate · mlp


class FinalLayer(nn.Module):
    """A norm modulated by a table plus the time embedding, and the readout onto patches."""

    def __init__(self, config: PixArtConfig, width: int, n_out: int) -> None:
        super().__init__()
        self.table_2D = nn.Parameter(torch.randn(2, width) * config.table_std)
        self.param_std = {"table_2D": config.table_std}
        self.param_roles = {"table_2D": "vector"}
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
        hidden_BLD = F.gelu(self.fc1(caption_BLE), approximate="tanh")
        return self.fc2(hidden_BLD)


class PixArt(nn.Module):
    """A PixArt-α for square images: predicts as many channels as it gets, or twice (learned σ).

    The null caption of guidance is a frozen buffer in the published code; here the data supply it.
    """

    pos_TD: Tensor

    def __init__(self, config: PixArtConfig, *, width: int, info: DataInfo) -> None:
        super().__init__()
        assert info.caption is not None, "data without captions are a fault of the configuration"
        channels, side, _ = info.shape
        self.patch = config.patch_size
        self.out_channels = 2 * channels if config.learn_sigma else channels
        self.patch_embed = linear(channels * self.patch**2, width)
        pos_TD = sincos_positions(width, side // self.patch)
        self.register_buffer("pos_TD", pos_TD, persistent=False)
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
            condition: Reads caption (B, L, E) and caption_mask (B, L), true for at least one token
                of each caption.
        """
        x_BTD = self.patch_embed(patchify(x_BCSS, self.patch))
        x_BTD = x_BTD + self.pos_TD
        t_BD = self.time_embed(t_B)
        c_B6D = self.modulation(F.silu(t_BD)).unflatten(1, (6, -1))
        y_BLD = self.caption(condition["caption"])
        mask_B11L = condition["caption_mask"][:, None, None]
        for block in self.blocks:
            x_BTD = block(x_BTD, c_B6D, y_BLD, mask_B11L)
        return unpatchify(self.final(x_BTD, t_BD), self.out_channels, self.patch)

    def _redraw_embedders(self, std: float, hidden_mult: float) -> None:
        """Redraw the embedders with one std, times `hidden_mult` in hidden matrices."""
        for module in (self.time_embed.fc1, self.caption.fc1):
            with_normal_init(module, std)
        for module in (self.time_embed.fc2, self.modulation, self.caption.fc2):
            with_normal_init(module, std * hidden_mult)
