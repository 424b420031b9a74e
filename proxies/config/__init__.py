"""What a trial is made of, as frozen dataclasses: model, data, training, HPs.

Public: the configurations named in `__all__`; every default of a trial stands here.
"""

from mutransfer.proxies.config.data import DataConfig
from mutransfer.proxies.config.trial import Device, ObjectiveConfig, TrainConfig, TrainerConfig

__all__ = ["DataConfig", "Device", "ObjectiveConfig", "TrainConfig", "TrainerConfig"]
