"""A user's own module and losses, right and wrong, named as `tests.proxies.own_model:function`."""

from typing import Any

import torch
from torch import Tensor, nn

from mutransfer.proxies.config.model import CustomConfig

NAME = "tests.proxies.own_model"


def config(build: str = "sound", loss: str = "denoising") -> CustomConfig:
    return CustomConfig(build=f"{NAME}:{build}", loss=f"{NAME}:{loss}", base_width=8)


def sound(width: int) -> nn.Module:
    """Of an image of 8×8 pixels."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.ReLU(), nn.Linear(width, 64))


def ignores_its_argument(width: int) -> nn.Module:
    return sound(8)


ONCE = sound(8)


def the_same_module(width: int) -> nn.Module:
    return ONCE


def no_module(width: int) -> int:
    return width


def reads_values(width: int) -> nn.Module:
    return sound(width) if float(torch.ones(1)) else nn.Identity()


def denoising(model: Any, batch: dict[str, Tensor], generator: torch.Generator) -> Tensor:
    noise = torch.randn(batch["image"].shape, generator=generator)
    return (model(batch["image"] + noise) - batch["image"].flatten(1)).square().mean(1)


def of_the_batch(model: Any, batch: dict[str, Tensor], generator: torch.Generator) -> Tensor:
    return denoising(model, batch, generator).mean()


def of_the_global_stream(
    model: Any, batch: dict[str, Tensor], generator: torch.Generator
) -> Tensor:
    return denoising(model, batch, torch.default_generator)


def not_finite(model: Any, batch: dict[str, Tensor], generator: torch.Generator) -> Tensor:
    return denoising(model, batch, generator) / 0


def detached(model: Any, batch: dict[str, Tensor], generator: torch.Generator) -> Tensor:
    return denoising(model, batch, generator).detach()


def ends_the_process(model: Any, batch: dict[str, Tensor], generator: torch.Generator) -> Tensor:
    raise SystemExit(3)
