"""DiT (Peebles and Xie, arXiv 2212.09748), by width.

Shapes: B batch, T tokens, D width, C channels, S image side; the legend of `layers` holds here too.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mutransfer.proxies.batch import Condition, DataInfo
from mutransfer.proxies.config.model import DiTConfig
from mutransfer.proxies.models.layers import (
    MLP,
    AdaLNReadout,
    Attention,
    TimeEmbedder,
    drawn,
    image,
    linear,
    modulate,
    patches,
    positions,
)
from mutransfer.proxies.models.repa import projector_of
from mutransfer.proxies.mup.modules import ResidualBlock


class Block(ResidualBlock):
    """Attention and MLP, each between a modulated norm and a gate (adaLN)."""

    def __init__(self, width: int, *, head_dim: int, hidden: int, is_zero: bool) -> None:
        super().__init__()
        self.modulation = linear(width, 6 * width, is_zero=is_zero)
        self.attn = Attention(width, head_dim)
        self.mlp = MLP(width, hidden)

    def forward(self, x_BTD: Tensor, c_BD: Tensor) -> Tensor:
        """Return (B, T, D) for tokens and the activated condition."""
        shift_1, scale_1, gate_1, shift_2, scale_2, gate_2 = (
            self.modulation(c_BD).unsqueeze(1).chunk(6, dim=2)
        )
        found_BTD, r = self.attn(modulate(x_BTD, shift_1, scale_1)), self.residual_mult
        x_BTD = torch.addcmul(x_BTD, gate_1, found_BTD, value=r)
        found_BTD = self.mlp(modulate(x_BTD, shift_2, scale_2))
        return torch.addcmul(x_BTD, gate_2, found_BTD, value=r)


class DiT(nn.Module):
    """A DiT for square images: predicts as many channels as it gets, or twice that (learned σ)."""

    pos_TD: Tensor

    def __init__(self, config: DiTConfig, *, width: int, info: DataInfo) -> None:
        super().__init__()
        channels, side, _ = info.shape
        is_zero = config.adaln == "zero"
        self.patch = config.patch_size
        self.out_channels = 2 * channels if config.learn_sigma else channels
        patch_pixels = config.patch_size**2
        self.patch_embed = linear(channels * patch_pixels, width)
        self.register_buffer("pos_TD", positions(width, side // self.patch), persistent=False)
        self.time_embed = TimeEmbedder(width)
        self.label_table = drawn(nn.Embedding(info.n_classes + 1, width), config.embedding_std)
        hidden = int(config.mlp_ratio * width)
        self.blocks = nn.ModuleList(
            Block(width, head_dim=config.head_dim, hidden=hidden, is_zero=is_zero)
            for _ in range(config.depth)
        )
        self.final = AdaLNReadout(
            width,
            self.out_channels * patch_pixels,
            is_zero=is_zero,
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
            condition: Its label (B,) is read; n_classes stands for no class.
        """
        x_BTD = self.patch_embed(patches(x_BCSS, self.patch)) + self.pos_TD
        # Every modulation begins with the SiLU of the same condition: it is taken once.
        c_BD = F.silu(self.time_embed(t_B) + self.label_table(condition["label"]))
        projected = None
        for k, block in enumerate(self.blocks):
            x_BTD = block(x_BTD, c_BD)
            if self.projector is not None and k == self.repa_block:
                projected = self.projector(x_BTD)
        out = image(self.final(x_BTD, c_BD), self.out_channels, self.patch)
        return out if projected is None else (out, projected)
