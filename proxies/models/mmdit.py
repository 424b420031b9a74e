"""MMDiT (Esser et al., arXiv 2403.03206), by width: image and caption are two streams.

Each stream has weights of its own; attention is over the tokens of both.

Shapes: B batch, T image tokens, L caption tokens, D width; the legend of `layers` holds here too.
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
    attend,
    heads,
    image,
    linear,
    modulate,
    patches,
    positions,
)
from mutransfer.proxies.models.repa import projector_of
from mutransfer.proxies.mup.modules import ResidualBlock


class Stream(nn.Module):
    """What one stream has of its own in a block: modulation, queries, keys, values, and MLP."""

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
        q, k, v = heads(self.qkv(modulate(x_BTD, shift, scale)), 3, self.head_dim)
        return self.q_norm(q), self.k_norm(k), v

    def update(
        self, x_BTD: Tensor, found_BTD: Tensor, modulations: tuple[Tensor, ...], r: float
    ) -> Tensor:
        """Return the stream after r times what its queries found, and r times its MLP."""
        _, _, gate_1, shift_2, scale_2, gate_2 = modulations
        x_BTD = torch.addcmul(x_BTD, gate_1, self.proj(found_BTD), value=r)
        found_BTD = self.mlp(modulate(x_BTD, shift_2, scale_2))
        return torch.addcmul(x_BTD, gate_2, found_BTD, value=r)


class Block(ResidualBlock):
    """Both streams, with attention over the tokens of both."""

    def __init__(self, config: MMDiTConfig, width: int) -> None:
        super().__init__()
        self.image = Stream(config, width)
        self.caption = Stream(config, width)

    def forward(
        self, x_BTD: Tensor, y_BLD: Tensor, c_BD: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return both streams, (B, T, D) and (B, L, D), for them and the activated condition."""
        x_parts, y_parts = self.image.modulations(c_BD), self.caption.modulations(c_BD)
        of_image, of_caption = (
            self.image.project(x_BTD, x_parts),
            self.caption.project(y_BLD, y_parts),
        )
        q, k, v = (torch.cat(pair, dim=2) for pair in zip(of_image, of_caption, strict=True))
        found = attend(q, k, v, mask)
        x_found, y_found = found.split([x_BTD.shape[1], y_BLD.shape[1]], dim=1)
        r = self.residual_mult
        x_BTD = self.image.update(x_BTD, x_found, x_parts, r)
        return x_BTD, self.caption.update(y_BLD, y_found, y_parts, r)


class Source(nn.Module):
    """The caption in the last block: keys and values only, since nothing reads it after that."""

    def __init__(self, config: MMDiTConfig, width: int) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.modulation = linear(width, 2 * width, is_zero=config.adaln == "zero")
        self.kv = linear(width, 2 * width)
        self.k_norm = head_norm(config)

    def project(self, y_BLD: Tensor, c_BD: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values, each (B, H, L, K)."""
        shift, scale = self.modulation(c_BD).unsqueeze(1).chunk(2, dim=2)
        k, v = heads(self.kv(modulate(y_BLD, shift, scale)), 2, self.head_dim)
        return self.k_norm(k), v


class LastBlock(ResidualBlock):
    """The block that updates the image alone."""

    def __init__(self, config: MMDiTConfig, width: int) -> None:
        super().__init__()
        self.image = Stream(config, width)
        self.caption = Source(config, width)

    def forward(
        self, x_BTD: Tensor, y_BLD: Tensor, c_BD: Tensor, mask: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Return the image stream, (B, T, D), and the caption's as it came."""
        parts = self.image.modulations(c_BD)
        q, k, v = self.image.project(x_BTD, parts)
        k_caption, v_caption = self.caption.project(y_BLD, c_BD)
        k, v = torch.cat([k, k_caption], dim=2), torch.cat([v, v_caption], dim=2)
        found = attend(q, k, v, mask)
        return self.image.update(x_BTD, found, parts, self.residual_mult), y_BLD


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
        self.register_buffer("pos_TD", positions(width, side // self.patch), persistent=False)
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
        """Return the prediction, (B, C or 2C, S, S); with a projector, its features as well.

        Args:
            x_BCSS: Noised images.
            t_B: Timesteps in 0 … 1000, float.
            condition: Its caption (B, L, E), caption_mask (B, L) and pooled (B, P) are read, the
                last two as far as the options ask for them.
        """
        x_BTD = self.patch_embed(patches(x_BCSS, self.patch)) + self.pos_TD
        y_BLD = self.caption_embed(condition["caption"])
        c_BD = self.time_embed(t_B)
        if self.pooled_embed is not None:
            c_BD = c_BD + self.pooled_embed(condition["pooled"])
        # Every modulation begins with the SiLU of the same condition: it is taken once.
        c_BD = F.silu(c_BD)
        mask = self._mask(condition["caption_mask"], x_BTD.shape[1]) if self.mask_caption else None
        projected = None
        for k, block in enumerate(self.blocks):
            x_BTD, y_BLD = block(x_BTD, y_BLD, c_BD, mask)
            if self.projector is not None and k == self.repa_block:
                projected = self.projector(x_BTD)
        out = image(self.final(x_BTD, c_BD), self.out_channels, self.patch)
        return out if projected is None else (out, projected)

    @staticmethod
    def _mask(caption_mask_BL: Tensor, n_image_tokens: int) -> Tensor:
        """Return which of all tokens are attended, (B, 1, 1, T + L): the image's always."""
        return F.pad(caption_mask_BL, (n_image_tokens, 0), value=True)[:, None, None]


class HeadNorm(nn.Module):
    """RMS norm of queries or keys with gains that all heads share: as many as K, so scalars."""

    def __init__(self, head_dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(head_dim))
        self.param_std = {"weight": 0.0}

    def forward(self, x_BHTK: Tensor) -> Tensor:
        """Return (B, H, T, K)."""
        # The fused kernel wants one format, which under autocast is not that of the gains.
        gain_K = self.weight.to(x_BHTK.dtype)
        return F.rms_norm(x_BHTK, gain_K.shape, gain_K, eps=1e-6)


def head_norm(config: MMDiTConfig) -> nn.Module:
    """Return the norm of queries or keys, if there is one."""
    return HeadNorm(config.head_dim) if config.qk_norm else nn.Identity()
