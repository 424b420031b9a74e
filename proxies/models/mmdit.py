"""MMDiT (Esser et al., arXiv 2403.03206) of any width: image and caption are two streams.

    x = patch embedding + fixed positions
    y = caption embedding
    c = SiLU(time embedding + pooled caption embedding)
    in each block, with r = 1 unless a depth rule is on:
        a_x, a_y = attention over the tokens of both, modulated norm(x, c) and modulated norm(y, c)
        x = x + r · gate(c) · Linear(a_x)
        x = x + r · gate(c) · MLP(modulated norm(x, c))
        and the same for y, with separate weights
    prediction = patches of readout(modulated norm(x, c)), joined

Options: `config.model.MMDiTConfig`.

Shapes: B batch, T image tokens, L caption tokens, E and P features of a caption token and of a
whole caption, D width, H heads, K head dim, C channels, S image side, F REPA features.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mutransfer.proxies.batch import Condition, DataInfo
from mutransfer.proxies.config.model import MMDiTConfig
from mutransfer.proxies.models.layers import (
    MLP,
    AdaLNReadout,
    TimeEmbedder,
    add_gated,
    attend,
    linear,
    modulate,
    patchify,
    sincos_positions,
    split_heads,
    unpatchify,
)
from mutransfer.proxies.models.repa import projector_of
from mutransfer.proxies.mup.modules import ResidualBlock


class Stream(nn.Module):
    """The layers of one stream in a block: modulation, queries, keys, values, and MLP."""

    def __init__(self, config: MMDiTConfig, width: int) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.modulation = linear(width, 6 * width, is_zero=config.adaln == "zero")
        self.qkv = linear(width, 3 * width)
        self.q_norm = head_norm(config)
        self.k_norm = head_norm(config)
        self.proj = linear(width, width)
        self.mlp = MLP(width, int(config.mlp_ratio * width))

    def modulations(self, c_BD: Tensor) -> tuple[Tensor, ...]:
        """Return shift, scale and gate of attention, then of the MLP, each (B, 1, D)."""
        return self.modulation(c_BD).unsqueeze(1).chunk(6, dim=2)

    def project(self, x_BTD: Tensor, modulations: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return queries, keys and values, each (B, H, T, K)."""
        shift, scale, *_ = modulations
        q, k, v = split_heads(self.qkv(modulate(x_BTD, shift, scale)), 3, self.head_dim)
        return self.q_norm(q), self.k_norm(k), v

    def update(
        self, x_BTD: Tensor, attended_BTD: Tensor, modulations: tuple[Tensor, ...], r: float
    ) -> Tensor:
        """Return the stream, (B, T, D), plus r times attention, plus r times the MLP."""
        _, _, gate_attn, shift_mlp, scale_mlp, gate_mlp = modulations
        attn_BTD = self.proj(attended_BTD)
        x_BTD = add_gated(x_BTD, r, gate_attn, attn_BTD)  # x = x + r · gate · attn
        mlp_BTD = self.mlp(modulate(x_BTD, shift_mlp, scale_mlp))
        return add_gated(x_BTD, r, gate_mlp, mlp_BTD)  # x + r · gate · mlp


class Block(ResidualBlock):
    """Both streams, with attention over the tokens of both."""

    def __init__(self, config: MMDiTConfig, width: int) -> None:
        super().__init__()
        self.image = Stream(config, width)
        self.caption = Stream(config, width)

    def forward(
        self, x_BTD: Tensor, y_BLD: Tensor, c_BD: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return both streams, (B, T, D) and (B, L, D), for them and c after its SiLU."""
        r = self.residual_mult
        x_modulations = self.image.modulations(c_BD)
        y_modulations = self.caption.modulations(c_BD)
        x_qkv = self.image.project(x_BTD, x_modulations)
        y_qkv = self.caption.project(y_BLD, y_modulations)
        q, k, v = (torch.cat(pair, dim=2) for pair in zip(x_qkv, y_qkv, strict=True))
        lengths = [x_BTD.shape[1], y_BLD.shape[1]]
        x_attended, y_attended = attend(q, k, v, mask).split(lengths, dim=1)
        x_BTD = self.image.update(x_BTD, x_attended, x_modulations, r)
        y_BLD = self.caption.update(y_BLD, y_attended, y_modulations, r)
        return x_BTD, y_BLD


class KeyValueStream(nn.Module):
    """The caption in the last block: keys and values only, since no later layer reads it."""

    def __init__(self, config: MMDiTConfig, width: int) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.modulation = linear(width, 2 * width, is_zero=config.adaln == "zero")
        self.kv = linear(width, 2 * width)
        self.k_norm = head_norm(config)

    def project(self, y_BLD: Tensor, c_BD: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values, each (B, H, L, K)."""
        shift, scale = self.modulation(c_BD).unsqueeze(1).chunk(2, dim=2)
        k, v = split_heads(self.kv(modulate(y_BLD, shift, scale)), 2, self.head_dim)
        return self.k_norm(k), v


class LastBlock(ResidualBlock):
    """The block that updates the image alone."""

    def __init__(self, config: MMDiTConfig, width: int) -> None:
        super().__init__()
        self.image = Stream(config, width)
        self.caption = KeyValueStream(config, width)

    def forward(
        self, x_BTD: Tensor, y_BLD: Tensor, c_BD: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return the image stream, (B, T, D), and the unchanged caption stream."""
        r = self.residual_mult
        modulations = self.image.modulations(c_BD)
        q, x_k, x_v = self.image.project(x_BTD, modulations)
        y_k, y_v = self.caption.project(y_BLD, c_BD)
        k = torch.cat([x_k, y_k], dim=2)
        v = torch.cat([x_v, y_v], dim=2)
        attended_BTD = attend(q, k, v, mask)
        return self.image.update(x_BTD, attended_BTD, modulations, r), y_BLD


class PooledEmbedder(nn.Module):
    """Linear, SiLU, Linear: from the features of a whole caption to the width."""

    def __init__(self, n_features: int, width: int) -> None:
        super().__init__()
        self.fc1 = linear(n_features, width)
        self.fc2 = linear(width, width)

    def forward(self, pooled_BP: Tensor) -> Tensor:
        """Return (B, D)."""
        return self.fc2(F.silu(self.fc1(pooled_BP)))


class MMDiT(nn.Module):
    """An MMDiT for square images: predicts as many channels as it gets, or twice (learned σ)."""

    pos_TD: Tensor

    def __init__(self, config: MMDiTConfig, *, width: int, info: DataInfo) -> None:
        super().__init__()
        assert info.caption is not None, "data without captions are a fault of the configuration"
        channels, side, _ = info.shape
        self.patch = config.patch_size
        self.mask_caption = config.mask_caption
        self.out_channels = 2 * channels if config.learn_sigma else channels
        self.patch_embed = linear(channels * self.patch**2, width)
        pos_TD = sincos_positions(width, side // self.patch)
        self.register_buffer("pos_TD", pos_TD, persistent=False)
        self.time_embed = TimeEmbedder(width)
        has_pooled = config.pooled and info.pooled is not None
        self.pooled_embed = PooledEmbedder(info.pooled or 0, width) if has_pooled else None
        self.caption_embed = linear(info.caption[1], width)
        self.blocks = nn.ModuleList(Block(config, width) for _ in range(config.depth - 1))
        self.blocks.append(LastBlock(config, width))
        self.final = AdaLNReadout(
            width,
            self.out_channels * self.patch**2,
            is_zero=config.adaln == "zero",
            zero_readout=config.zero_readout,
        )
        self.projector = projector_of(config, width, info)
        self.repa_block = config.repa_block

    def forward(
        self, x_BCSS: Tensor, t_B: Tensor, condition: Condition
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Return the prediction, (B, C or 2C, S, S); with REPA's projector, also (B, T, F).

        Args:
            x_BCSS: Noised images.
            t_B: Timesteps in 0 … 1000, float.
            condition: Reads caption (B, L, E); with the options mask_caption and pooled, also
                caption_mask (B, L) and pooled (B, P).
        """
        x_BTD = self.patch_embed(patchify(x_BCSS, self.patch))
        x_BTD = x_BTD + self.pos_TD
        y_BLD = self.caption_embed(condition["caption"])
        c_BD = self.time_embed(t_B)
        if self.pooled_embed is not None:
            c_BD = c_BD + self.pooled_embed(condition["pooled"])
        c_BD = F.silu(c_BD)  # once for all blocks: every modulation is a SiLU, then a Linear
        mask = self._mask(condition["caption_mask"], x_BTD.shape[1]) if self.mask_caption else None
        projected_BTF = None
        for k, block in enumerate(self.blocks):
            x_BTD, y_BLD = block(x_BTD, y_BLD, c_BD, mask)
            if self.projector is not None and k == self.repa_block:
                projected_BTF = self.projector(x_BTD)
        out_BCSS = unpatchify(self.final(x_BTD, c_BD), self.out_channels, self.patch)
        return out_BCSS if projected_BTF is None else (out_BCSS, projected_BTF)

    @staticmethod
    def _mask(caption_mask_BL: Tensor, n_image_tokens: int) -> Tensor:
        """Return which tokens are attended to, (B, 1, 1, T + L): all of the image's."""
        return F.pad(caption_mask_BL, (n_image_tokens, 0), value=True)[:, None, None]


class HeadNorm(nn.Module):
    """RMS norm of queries or keys; its K gains are shared by the heads, so their role is scalar."""

    def __init__(self, head_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(head_dim))
        self.param_std = {"weight": 0.0}

    def forward(self, x_BHTK: Tensor) -> Tensor:
        """Return (B, H, T, K)."""
        # The fused kernel needs one dtype; under autocast the gains have another.
        gain_K = self.weight.to(x_BHTK.dtype)
        return F.rms_norm(x_BHTK, gain_K.shape, gain_K, eps=1e-6)


def head_norm(config: MMDiTConfig) -> nn.Module:
    """Return the norm of queries or keys; the identity without `qk_norm`."""
    return HeadNorm(config.head_dim) if config.qk_norm else nn.Identity()
