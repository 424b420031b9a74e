"""Weights of our models under diffusers' names.

All weights are mapped, and biases, gains and zeros are drawn as well. Where the layout differs:
their q, k and v are three Linears; their readout has the channels of a patch last; their final
layers take the scale before the shift.
"""

import math
import sys
import warnings

import pytest
import torch
from torch import Tensor, nn

from mutransfer.proxies.batch import DataInfo
from tests.proxies.family_cases import batch_of

with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
    # microsoft/mup, our other oracle, installs torchvision, whose wheel does not match every build
    # of torch. diffusers imports it if it is installed; none of these models needs it.
    patch.setitem(sys.modules, "torchvision", None)
    warnings.simplefilter("ignore")
    from diffusers import (  # noqa: F401
        DiTTransformer2DModel,
        PixArtTransformer2DModel,
        SD3Transformer2DModel,
    )


# Float32 sums of a few hundred terms through a few blocks; outputs are of the order of one.
TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}

SIZES = pytest.mark.parametrize(
    ("width", "head_dim", "depth", "patch_size", "side"),
    [(16, 8, 1, 4, 8), (48, 16, 3, 2, 8), (64, 32, 2, 2, 16)],
    ids=lambda value: str(value),
)

CHANNELS = 3


class WeightMapping:
    """Our tensors by name, each to be used, and theirs as they are collected."""

    def __init__(self, model: nn.Module) -> None:
        self.ours = {name: p.detach() for name, p in model.named_parameters()}
        self.theirs: dict[str, Tensor] = {}
        self.used: set[str] = set()

    def take(self, name: str) -> Tensor:
        self.used.add(name)
        return self.ours[name]

    def linear(self, theirs: str, ours: str, *, shift_scale: bool = False) -> None:
        for kind in ("weight", "bias"):
            tensor = self.take(f"{ours}.{kind}")
            if shift_scale:
                tensor = torch.cat(tensor.chunk(2)[::-1])
            self.theirs[f"{theirs}.{kind}"] = tensor

    def split(self, theirs: tuple[str, ...], ours: str) -> None:
        for kind in ("weight", "bias"):
            parts = self.take(f"{ours}.{kind}").chunk(len(theirs))
            for name, part in zip(theirs, parts, strict=True):
                self.theirs[f"{name}.{kind}"] = part

    def embedder(self, theirs: str, ours: str) -> None:
        self.linear(f"{theirs}.linear_1", f"{ours}.fc1")
        self.linear(f"{theirs}.linear_2", f"{ours}.fc2")

    def mlp(self, theirs: str, ours: str) -> None:
        self.linear(f"{theirs}.net.0.proj", f"{ours}.fc1")
        self.linear(f"{theirs}.net.2", f"{ours}.fc2")

    def patch_embed(self, patch_size: int) -> None:
        weight = self.take("patch_embed.weight")
        grid = (CHANNELS, patch_size, patch_size)
        self.theirs["pos_embed.proj.weight"] = weight.unflatten(1, grid)
        self.theirs["pos_embed.proj.bias"] = self.take("patch_embed.bias")

    def readout(self, theirs: str, patch_size: int) -> None:
        for kind in ("weight", "bias"):
            tensor = self.take(f"final.readout.{kind}").unflatten(0, (-1, patch_size**2))
            self.theirs[f"{theirs}.{kind}"] = tensor.transpose(0, 1).flatten(0, 1)

    def load(self, theirs: nn.Module, *, unread: tuple[str, ...] = ()) -> None:
        """Load theirs; every tensor on either side is used, except those that they never read."""
        assert self.used == self.ours.keys()
        missing, unexpected = theirs.load_state_dict(self.theirs, strict=False)
        assert not unexpected and all(name.startswith(unread) for name in missing), missing
        theirs.eval()


def data(side: int, **parts) -> DataInfo:
    return DataInfo(shape=(CHANNELS, side, side), n_classes=10, **parts)


def inputs(info: DataInfo, size: int = 5):
    batch = batch_of(size, info, dtype=torch.float32)
    return batch, torch.tensor([0.0, 1.0, 250.0, 617.5, 999.0])[:size]


def take_frequencies(model, time_proj, *, rtol):
    """Give our model their frequencies, bit for bit: a time of 1000 multiplies differences."""
    half = time_proj.num_channels // 2
    exponents = -math.log(10_000.0) * torch.arange(half, dtype=torch.float32)
    freqs = torch.exp(exponents / (half - time_proj.downscale_freq_shift))
    own = model.time_embed.freqs
    torch.testing.assert_close(own, freqs, rtol=rtol, atol=0)
    model.time_embed.freqs = freqs


def sizes(width, head_dim, depth, patch_size):
    changes = {"head_dim": head_dim, "depth": depth, "patch_size": patch_size, "base_width": width}
    theirs = {
        "num_attention_heads": width // head_dim,
        "attention_head_dim": head_dim,
        "num_layers": depth,
        "patch_size": patch_size,
        "in_channels": CHANNELS,
    }
    return changes, theirs
