"""Layers of torch, with its own inits, and the role of each of their tensors by hand."""

import torch
from torch import nn

from mutransfer.proxies import mup

WIDE = 64  # many entries at base width, so that a measured std is exact to a few percent


class Layers(nn.Module):
    """Layers with torch's own inits, most of which depend on width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 4)
        self.table = nn.Embedding(50, width)
        self.attention = nn.MultiheadAttention(width, 4)
        self.norm = nn.LayerNorm(width)
        self.up = nn.ConvTranspose2d(width, 2 * width, 2)
        self.depthwise = nn.Conv2d(width, width, 3, groups=width)
        self.register = nn.Parameter(0.02 * torch.randn(1, 4, width))
        self.gain = nn.Parameter(1 + 0.01 * torch.randn(width))
        self.qk_gain = nn.Parameter(torch.ones(8))
        self.frozen = nn.Parameter(torch.randn(width, width), requires_grad=False)
        self.inner = nn.Linear(width, 4 * width)
        self.head = nn.Linear(width, 7)
        self.readout = mup.Readout(width, 7)
        self.out_conv = nn.Conv2d(width, 3, 1)
        self.refine = nn.Conv2d(3, 3, 3)


ROLES = {
    "register": "vector",
    "gain": "vector",
    "qk_gain": "scalar",
    "stem.weight": "input",
    "stem.bias": "vector",
    "table.weight": "input",
    "attention.in_proj_weight": "hidden",
    "attention.in_proj_bias": "vector",
    "attention.out_proj.weight": "hidden",
    "attention.out_proj.bias": "vector",
    "norm.weight": "vector",
    "norm.bias": "vector",
    "up.weight": "hidden",
    "up.bias": "vector",
    "depthwise.weight": "input",
    "depthwise.bias": "vector",
    "inner.weight": "hidden",
    "inner.bias": "vector",
    "head.weight": "output",
    "head.bias": "scalar",
    "readout.weight": "output",
    "readout.bias": "scalar",
    "out_conv.weight": "output",
    "out_conv.bias": "scalar",
    "refine.weight": "scalar",
    "refine.bias": "scalar",
}


def initialized(width: int, builder=Layers, **options):
    """An initialized model, its twin before initialization, and the plan."""
    plan = mup.plan(builder, base_width=WIDE, width=width, **options)
    twins = []
    for _ in range(2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            twins.append(builder(width))
    mup.init_(twins[0], plan)
    return twins[0], twins[1], plan
