"""A small DiT, whose modules declare their std, and the role of each of its tensors by hand."""

import torch
from torch import nn

from mutransfer.proxies import models, mup
from mutransfer.proxies.batch import DataInfo
from mutransfer.proxies.config.model import DiTConfig

MODEL = DiTConfig(depth=2, head_dim=8, base_width=16, patch_size=4, zero_readout=False)

INFO = DataInfo(shape=(1, 8, 8), n_classes=10)

ROLES = {
    "patch_embed.weight": "input",
    "patch_embed.bias": "vector",
    "time_embed.fc1.weight": "input",
    "time_embed.fc1.bias": "vector",
    "time_embed.fc2.weight": "hidden",
    "time_embed.fc2.bias": "vector",
    "label_table.weight": "input",
    **{
        f"blocks.{block}.{layer}.{kind}": "hidden" if kind == "weight" else "vector"
        for block in (0, 1)
        for layer in ("modulation", "attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
        for kind in ("weight", "bias")
    },
    "final.modulation.weight": "hidden",
    "final.modulation.bias": "vector",
    "final.readout.weight": "output",
    "final.readout.bias": "scalar",
}


def build(width: int) -> nn.Module:
    return models.build(MODEL, width, INFO)


def build_plain(width: int) -> nn.Module:
    """The same model with an ordinary Linear for its readout, of the same weights."""
    model = build(width)
    old = model.final.readout
    model.final.readout = nn.Linear(old.in_features, old.out_features)
    model.final.readout.weight, model.final.readout.bias = old.weight, old.bias
    model.final.readout.param_std = old.param_std
    return model


def seeded(builder, width: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return builder(width)


def plan(width, builder=build, **options):
    return mup.plan(builder, base_width=16, width=width, **options)
