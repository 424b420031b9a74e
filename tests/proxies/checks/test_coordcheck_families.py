"""A coordinate check of every family, by hand: flat in width under μP, growing under SP."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from mutransfer.proxies import models, mup
from mutransfer.words import Arm
from tests.proxies.family_cases import INFO, MODELS, batch_of, loss_of

BASE, HEAD_DIM = 32, 16


WIDTHS = (32, 64, 128, 256)


STEPS, SEEDS = 4, (0, 1)


# Large, so that updates dominate what was drawn; zero gates would hide the blocks at first.
LR = 2**-6


# Slopes of log2 size against log2 width, measured: within ±0.14 under μP, 0.53 to 1.9 under SP. A
# projector begins with a random head, whose part in its output shrinks as 1/√m: ±0.18.
FLAT, GROWING = 0.2, 0.4


SLACK = {"projector": 0.1}


BLOCKS = {"block 0": "blocks.0", "block 1": "blocks.1", "mlp": "blocks.1.mlp"}


STREAMS = {"block 0": "blocks.0.image.mlp", "caption": "blocks.0.caption.mlp"}


WATCHED = {
    "dit": {**BLOCKS, "attention": "blocks.1.attn", "readout": "final.readout"},
    "uvit": {
        "block 0": "first.0",
        "skip": "second.0.skip",
        "attention": "second.0.attn",
        "mlp": "second.0.mlp",
        "readout": "readout",
    },
    "pixart": {
        **BLOCKS,
        "attention": "blocks.1.attn",
        "cross-attention": "blocks.1.cross",
        "modulation": "modulation",
        "readout": "final.readout",
    },
    "mmdit": {
        **STREAMS,
        "attention": "blocks.1.image.proj",
        "mlp": "blocks.1.image.mlp",
        "projector": "projector",
        "readout": "final.readout",
    },
}


def sizes(family: str, width: int, arm: Arm, seed: int) -> dict[str, tuple[float, float]]:
    """RMS of each watched output after a few steps, and of its change since initialization."""
    zero = {"zero_readout": True} | (
        {"zero_cross_attention": True, "embedder_std": None} if family == "pixart" else {}
    )
    config = dataclasses.replace(MODELS[family], base_width=BASE, head_dim=HEAD_DIM, **zero)

    def build(any_width: int) -> nn.Module:
        return models.build(config, any_width, INFO)

    plan = mup.plan(build, base_width=BASE, width=width, arm=arm)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = build(width)
    mup.init_(model, plan, seed=seed)
    optimizer = torch.optim.AdamW(mup.param_groups(model, plan, lr=LR, weight_decay=0.1))
    outputs: dict[str, torch.Tensor] = {}
    for name, path in WATCHED[family].items():
        model.get_submodule(path).register_forward_hook(
            lambda _module, _inputs, out, name=name: outputs.__setitem__(name, first(out).detach())
        )
    batch = batch_of(16, dtype=torch.float32, seed=seed)
    t_B = torch.linspace(1, 999, 16)
    loss_of(model, batch, t_B)
    at_init = dict(outputs)
    for _ in range(STEPS):
        loss_of(model, batch, t_B).backward()
        optimizer.step()
        optimizer.zero_grad()
    loss_of(model, batch, t_B)

    def rms(x: torch.Tensor) -> float:
        return x.square().mean().sqrt().item()

    return {
        name: (rms(outputs[name]), rms(outputs[name] - at_init[name])) for name in WATCHED[family]
    }


def first(out: torch.Tensor | tuple[torch.Tensor, ...]) -> torch.Tensor:
    return out[0] if isinstance(out, tuple) else out


def slopes(family: str, arm: Arm) -> dict[str, tuple[float, float]]:
    """Slope of log2 size against log2 width, of values and of updates, by output."""
    measured = [[sizes(family, width, arm, seed) for width in WIDTHS] for seed in SEEDS]

    def slope(name: str, kind: int) -> float:
        log2 = np.log2([[size[name][kind] for size in row] for row in measured]).mean(axis=0)
        return float(np.polyfit(np.log2(WIDTHS), log2, 1)[0])

    return {name: (slope(name, 0), slope(name, 1)) for name in WATCHED[family]}


@pytest.mark.parametrize("family", WATCHED)
def test_under_mup_nothing_grows_or_vanishes_with_width(family):
    for name, (value, update) in slopes(family, "mup").items():
        flat = FLAT + SLACK.get(name, 0)
        assert abs(value) < flat, (name, value)
        assert abs(update) < flat, (name, update)


@pytest.mark.parametrize("family", WATCHED)
def test_under_sp_updates_grow_with_width(family):
    for name, (_, update) in slopes(family, "sp").items():
        assert update > GROWING, (name, update)
