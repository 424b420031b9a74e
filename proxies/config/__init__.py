"""What a trial is made of, as frozen dataclasses: model, data, objective, training and HPs.

Public: the configurations named in `__all__`; every default of a trial is in this package.
"""

from mutransfer.proxies.config.data import DataConfig
from mutransfer.proxies.config.model import (
    CustomConfig,
    DiTConfig,
    MMDiTConfig,
    ModelConfig,
    PixArtConfig,
    UViTConfig,
)
from mutransfer.proxies.config.trial import (
    Device,
    HPs,
    ObjectiveConfig,
    TrainConfig,
    TrainerConfig,
    TrialConfig,
)

__all__ = [
    "CustomConfig",
    "DataConfig",
    "Device",
    "DiTConfig",
    "HPs",
    "MMDiTConfig",
    "ModelConfig",
    "ObjectiveConfig",
    "PixArtConfig",
    "TrainConfig",
    "TrainerConfig",
    "TrialConfig",
    "UViTConfig",
]
