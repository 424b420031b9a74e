"""The two modules whose multipliers a plan sets: `Readout` and `ResidualBlock`."""

import torch
from torch import nn


class Readout(nn.Linear):
    """The last layer of a model: `weight @ (input_mult · x) + bias`.

    The multiplier of the output rule (Tensor Programs V, Table 8) acts on the input, so the bias
    is not scaled; it acts, too, where the weight is a table's (tied embeddings):
    `head = Readout(width, n, bias=False); head.weight = table.weight`. `mup.init_` sets it; until
    then it is 1.0. It is a plain float, not in the state dict: call `mup.init_` before you load a
    checkpoint.
    """

    input_mult: float = 1.0

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return (..., out_features) for an input of (..., in_features)."""
        scaled = input if self.input_mult == 1.0 else input * self.input_mult
        return super().forward(scaled)


class ResidualBlock(nn.Module):
    """A block on a residual stream, which adds `residual_mult` times the output of each branch.

    `mup.init_` sets it by the depth rule (arXiv 2505.01618); until then, and without that rule, it
    is 1.0. As in `Readout` it is a plain float, not in the state dict.
    """

    residual_mult: float = 1.0
