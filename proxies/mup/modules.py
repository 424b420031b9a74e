"""The two modules that μP reads or sets multipliers of: `Readout` and `ResidualBlock`."""

import torch
from torch import nn


class Readout(nn.Linear):
    """The last layer of a model: `weight @ (input_mult · x) + bias`.

    The multiplier of the output rule (Tensor Programs V, Table 8) acts on the input, so the bias
    has none. `mup.init_` sets it; born 1.0, the layer is an ordinary Linear. It is a plain float,
    not in the state dict: on loading a checkpoint, call `mup.init_` first.
    """

    input_mult: float = 1.0

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return (..., out_features) for an input of (..., in_features)."""
        scaled = input if self.input_mult == 1.0 else input * self.input_mult
        return super().forward(scaled)


class ResidualBlock(nn.Module):
    """A block on a residual stream, which adds `residual_mult` times what each branch found.

    The depth rule (arXiv 2505.01618) sets it by `mup.init_`; born 1.0, the block is an ordinary
    one. As with `Readout` it is a plain float, not in the state dict.
    """

    residual_mult: float = 1.0
