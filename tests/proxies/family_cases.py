"""Small models of all four families, data for them, and the role of every tensor by hand."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from mutransfer.proxies import models
from mutransfer.proxies.batch import DataInfo
from mutransfer.proxies.config.model import (
    DiTConfig,
    MMDiTConfig,
    ModelConfig,
    PixArtConfig,
    UViTConfig,
)
from mutransfer.proxies.mup.roles import Build

BASE = 16
INFO = DataInfo(shape=(1, 8, 8), n_classes=10, caption=(5, 6), pooled=7, feature=(4, 9))
COMMON: dict[str, Any] = {"head_dim": 8, "base_width": BASE, "patch_size": 4}
FREE = {"zero_readout": False}
# Every option that adds a tensor is on, and no weight begins at zero.
MODELS: dict[str, ModelConfig] = {
    "dit": DiTConfig(depth=2, repa_block=0, repa_hidden=12, **FREE, **COMMON),
    "uvit": UViTConfig(depth=3, affine_norm=True, mlp_time_embed=True, **FREE, **COMMON),
    "pixart": PixArtConfig(depth=2, zero_cross_attention=False, **FREE, **COMMON),
    "mmdit": MMDiTConfig(depth=2, repa_block=1, repa_hidden=12, **FREE, **COMMON),
}
FAMILIES = tuple(MODELS)


def of_linears(*names: str, role: str = "hidden") -> dict[str, str]:
    """The roles of Linears of one kind, with biases that are vectors."""
    return {
        f"{name}.{kind}": role if kind == "weight" else "vector"
        for name in names
        for kind in ("weight", "bias")
    }


def of_gains(*names: str) -> dict[str, str]:
    return {f"{name}.{kind}": "vector" for name in names for kind in ("weight", "bias")}


def within(prefix: str, roles: dict[str, str]) -> dict[str, str]:
    return {f"{prefix}.{name}": role for name, role in roles.items()}


READOUT = {"readout.weight": "output", "readout.bias": "scalar"}
TIME = {**of_linears("fc1", role="input"), **of_linears("fc2")}
# The projector's hidden size is fixed: what is behind its head does not grow.
PROJECTOR = {
    "head.weight": "output",
    **{f"{name}.weight": "scalar" for name in ("fc2", "fc3")},
    **{f"{name}.bias": "scalar" for name in ("head", "fc2", "fc3")},
}
UVIT_BLOCK = {
    **of_gains("norm_1", "norm_2"),
    "attn.qkv.weight": "hidden",
    **of_linears("attn.proj", "mlp.fc1", "mlp.fc2"),
}
# Gains of the norms of queries and keys have the size of a head, which does not grow.
STREAM = {
    **of_linears("modulation", "qkv", "proj", "mlp.fc1", "mlp.fc2"),
    **{"q_norm.weight": "scalar", "k_norm.weight": "scalar"},
}
SOURCE = {**of_linears("modulation", "kv"), "k_norm.weight": "scalar"}

ROLES: dict[str, dict[str, str]] = {
    "dit": {
        **of_linears("patch_embed", role="input"),
        **within("time_embed", TIME),
        "label_table.weight": "input",
        **{
            name: role
            for k in (0, 1)
            for name, role in within(
                f"blocks.{k}",
                of_linears("modulation", "attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2"),
            ).items()
        },
        **within("final", {**of_linears("modulation"), **READOUT}),
        **within("projector", PROJECTOR),
    },
    "uvit": {
        **of_linears("patch_embed", role="input"),
        # The sinusoids are as many as the width: the first layer is hidden as well.
        **of_linears("time_token.fc1", "time_token.fc2"),
        "label_table.weight": "input",
        "pos_TD": "vector",
        **within("first.0", UVIT_BLOCK),
        **within("middle", UVIT_BLOCK),
        **within("second.0", {**of_linears("skip"), **UVIT_BLOCK}),
        **of_gains("norm"),
        **READOUT,
        "conv.weight": "scalar",
        "conv.bias": "scalar",
    },
    "pixart": {
        **of_linears("patch_embed", role="input"),
        **within("time_embed", TIME),
        **of_linears("modulation"),
        **within("caption", TIME),
        **{
            name: role
            for k in (0, 1)
            for name, role in within(
                f"blocks.{k}",
                {
                    "table_6D": "vector",
                    **of_linears("attn.qkv", "attn.proj", "cross.q", "cross.kv", "cross.proj"),
                    **of_linears("mlp.fc1", "mlp.fc2"),
                },
            ).items()
        },
        "final.table_2D": "vector",
        **within("final", READOUT),
    },
    "mmdit": {
        **of_linears("patch_embed", role="input"),
        **within("time_embed", TIME),
        **within("pooled_embed", TIME),
        **of_linears("caption_embed", role="input"),
        **within("blocks.0", {**within("image", STREAM), **within("caption", STREAM)}),
        **within("blocks.1", {**within("image", STREAM), **within("caption", SOURCE)}),
        **within("final", {**of_linears("modulation"), **READOUT}),
        **within("projector", PROJECTOR),
    },
}


def builder(family: str, info: DataInfo = INFO, **changes: Any) -> Build:
    config = dataclasses.replace(MODELS[family], **changes)
    return lambda width: models.build(config, width, info)


def seeded(build: Build, width: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build(width)


def scrambled(build: Build, width: int) -> nn.Module:
    """A model whose biases, gains and zeros are drawn as well."""
    model = seeded(build, width)
    rng = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for parameter in model.parameters():
            std = 0.2 if parameter.ndim == 1 else 0.3 * parameter.shape[-1] ** -0.5
            parameter.add_(std * torch.randn(parameter.shape, generator=rng))
    return model


def batch_of(
    size: int, info: DataInfo = INFO, *, seed: int = 1, dtype: torch.dtype = torch.float64
) -> dict[str, Tensor]:
    """A batch with every part that the data have, and captions of one token to all of them."""
    rng = torch.Generator().manual_seed(seed)
    batch = info.zeros(size)
    for name, part in batch.items():
        if part.is_floating_point():
            batch[name] = torch.randn(part.shape, generator=rng, dtype=torch.float64).to(dtype)
    batch["label"] = torch.randint(info.n_classes + 1, (size,), generator=rng)
    if info.caption is not None:
        lengths = torch.arange(size) % info.caption[0] + 1
        batch["caption_mask"] = torch.arange(info.caption[0]) < lengths[:, None]
    return batch


def batches(n: int) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
    """Batches of eight with times, float64."""
    for seed in range(n):
        rng = torch.Generator().manual_seed(1000 + seed)
        yield batch_of(8, seed=seed), torch.rand(8, generator=rng, dtype=torch.float64) * 1000


def outputs(model: nn.Module, batch: dict[str, Tensor], t_B: Tensor) -> tuple[Tensor, ...]:
    """The prediction, and what a projector makes."""
    out = model(batch["image"], t_B, batch)
    return out if isinstance(out, tuple) else (out,)


def loss_of(model: nn.Module, batch: dict[str, Tensor], t_B: Tensor) -> Tensor:
    """A loss that depends on every tensor of the model."""
    out = outputs(model, batch, t_B)
    targets = (batch["image"], batch["feature"])
    return sum(torch.square(a - b).mean() for a, b in zip(out, targets, strict=False))
