"""DiT (Peebles and Xie, arXiv 2212.09748) of any width.

    x = patch embedding + fixed positions
    c = SiLU(time embedding + label embedding)
    in each block, with r = 1 unless a depth rule is on:
        x = x + r · gate(c) · attention(modulated norm(x, c))
        x = x + r · gate(c) · MLP(modulated norm(x, c))
    prediction = patches of readout(modulated norm(x, c)), joined

Options: `config.model.DiTConfig`.

Shapes: B batch, T tokens (one per patch), D width, C channels, S image side, F REPA features.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from mutransfer.proxies.batch import Condition, DataInfo
from mutransfer.proxies.config.model import DiTConfig
from mutransfer.proxies.models.layers import (
    MLP,
    AdaLNReadout,
    Attention,
    TimeEmbedder,
    add_gated,
    linear,
    modulate,
    patchify,
    sincos_positions,
    unpatchify,
    with_normal_init,
)
from mutransfer.proxies.models.repa import projector_of
from mutransfer.proxies.mup.modules import ResidualBlock


class Block(ResidualBlock):
    """Attention and MLP, each between a modulated norm and a gate (adaLN)."""

    def __init__(self, config: DiTConfig, width: int) -> None:
        super().__init__()
        self.modulation = linear(width, 6 * width, is_zero=config.adaln == "zero")
        self.attn = Attention(width, config.head_dim)
        self.mlp = MLP(width, int(config.mlp_ratio * width))

    def forward(self, x_BTD: Tensor, c_BD: Tensor) -> Tensor:
        """Return (B, T, D) for tokens x and the condition after its SiLU, c."""
        r = self.residual_mult
        modulations = self.modulation(c_BD).unsqueeze(1).chunk(6, dim=2)
        shift_attn, scale_attn, gate_attn, shift_mlp, scale_mlp, gate_mlp = modulations
        attn_BTD = self.attn(modulate(x_BTD, shift_attn, scale_attn))
        x_BTD = add_gated(x_BTD, r, gate_attn, attn_BTD)  # x = x + r · gate · attn
        mlp_BTD = self.mlp(modulate(x_BTD, shift_mlp, scale_mlp))
        return add_gated(x_BTD, r, gate_mlp, mlp_BTD)  # x + r · gate · mlp


class DiT(nn.Module):
    """A DiT for square images: predicts as many channels as it gets, or twice that (learned σ)."""

    pos_TD: Tensor

    def __init__(self, config: DiTConfig, *, width: int, info: DataInfo) -> None:
        super().__init__()
        channels, side, _ = info.shape
        self.patch = config.patch_size
        self.out_channels = 2 * channels if config.learn_sigma else channels
        self.patch_embed = linear(channels * self.patch**2, width)
        pos_TD = sincos_positions(width, side // self.patch)
        self.register_buffer("pos_TD", pos_TD, persistent=False)
        self.time_embed = TimeEmbedder(width)
        n_labels = info.n_classes + 1  # the last is the null class
        self.label_table = with_normal_init(nn.Embedding(n_labels, width), config.embedding_std)
        self.blocks = nn.ModuleList(Block(config, width) for _ in range(config.depth))
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
            condition: Reads label (B,), in 0 … n_classes; n_classes is the null class.
        """
        x_BTD = self.patch_embed(patchify(x_BCSS, self.patch))
        x_BTD = x_BTD + self.pos_TD
        c_BD = self.time_embed(t_B) + self.label_table(condition["label"])
        c_BD = F.silu(c_BD)  # once for all blocks: every modulation is a SiLU, then a Linear
        projected_BTF = None
        for k, block in enumerate(self.blocks):
            x_BTD = block(x_BTD, c_BD)
            if self.projector is not None and k == self.repa_block:
                projected_BTF = self.projector(x_BTD)
        out_BCSS = unpatchify(self.final(x_BTD, c_BD), self.out_channels, self.patch)
        return out_BCSS if projected_BTF is None else (out_BCSS, projected_BTF)
