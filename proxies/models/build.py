"""The model of a configuration, by the name of its family."""

from collections.abc import Callable

from torch import nn

from mutransfer.proxies.batch import DataInfo
from mutransfer.proxies.config.constraints import data_faults, depth_faults, width_faults
from mutransfer.proxies.config.model import CustomConfig, ModelConfig
from mutransfer.proxies.errors import ConfigError
from mutransfer.proxies.models import custom
from mutransfer.proxies.models.dit import DiT
from mutransfer.proxies.models.mmdit import MMDiT
from mutransfer.proxies.models.pixart import PixArt
from mutransfer.proxies.models.uvit import UViT

# Each takes its configuration, and by keyword the width and the DataInfo.
FAMILIES: dict[str, Callable[..., nn.Module]] = {
    "dit": DiT,
    "uvit": UViT,
    "pixart": PixArt,
    "mmdit": MMDiT,
}


def build(config: ModelConfig, width: int, info: DataInfo) -> nn.Module:
    """Return a new model, drawn from torch's global stream; call `mup.init_` afterwards.

    Raises:
        ConfigError: the width or the data do not fit the model; the text names all faults.
    """
    if isinstance(config, CustomConfig):
        return custom.build(config, width)
    faults = depth_faults(config) + width_faults(config, width, ("width",))
    faults += data_faults(config, info)
    if faults:
        raise ConfigError("; ".join(str(fault) for fault in faults))
    return FAMILIES[config.family](config, width=width, info=info)
