"""The families of models by name: the class of their configuration and what builds them."""

from collections.abc import Callable
from typing import NamedTuple

from torch import nn

from proxies.config import ConfigError, DiTConfig, ModelConfig, image_faults, width_faults
from proxies.dit import DiT
from proxies.info import DataInfo


class Family(NamedTuple):
    """A family: the class of its configuration, and build(config, width, data info)."""

    config: type[ModelConfig]
    build: Callable[[ModelConfig, int, DataInfo], nn.Module]


def build(config: ModelConfig, width: int, data_info: DataInfo) -> nn.Module:
    """Return a newborn model, drawn from torch's global stream; `mup.init_` comes after.

    Raises:
        ConfigError: the width or the images do not fit the model; all faults are named.
    """
    faults = width_faults(config, width, ("width",)) + image_faults(config, data_info.shape)
    if faults:
        raise ConfigError("; ".join(str(fault) for fault in faults))
    return FAMILIES[config.family].build(config, width, data_info)


def _dit(config: DiTConfig, width: int, data_info: DataInfo) -> nn.Module:
    return DiT(config, width=width, image_shape=data_info.shape, n_classes=data_info.n_classes)


FAMILIES: dict[str, Family] = {"dit": Family(DiTConfig, _dit)}
