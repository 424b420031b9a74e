"""The data set of a configuration, by the source that it names."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol

from torch import Tensor

from mutransfer.proxies.batch import Condition, DataInfo
from mutransfer.proxies.config.data import DataConfig, LatentsConfig
from mutransfer.proxies.data import custom, digits, images, latents, openmoji

_LOAD: dict[str, Callable[[Any], "Data"]] = {
    "digits": digits.load,
    "openmoji": openmoji.load,
    "images": images.load,
    "latents": latents.load,
    "custom": custom.load,
}


class Data(Protocol):
    """A data set. A batch has the parts that `info` describes, on the CPU."""

    info: DataInfo
    fingerprint: str

    def batch(self, seed: int, step: int, size: int) -> dict[str, Tensor]:
        """Return the training batch of a step, from 0; some conditions are dropped at random."""

    def validation(self) -> dict[str, Tensor]:
        """Return the whole validation set, always the same, with all its conditions."""

    def validation_texts(self) -> list[str]:
        """Return a description of each validation sample."""

    def null(self, size: int) -> Condition:
        """Return the null condition of `size` samples."""


@lru_cache
def load(config: DataConfig) -> Data:
    """Return the data set of a configuration; loaded once per process.

    Raises:
        DataError: it is absent or unusable; names all faults.
    """
    return _LOAD[config.source](config)


def info(config: DataConfig) -> DataInfo:
    """Return the shapes of a data set; latents, whose shapes are declared, are not opened.

    Raises:
        DataError: as `load`.
    """
    return latents.info(config) if isinstance(config, LatentsConfig) else load(config).info


def identity(config: DataConfig) -> dict[str, Any]:
    """Return what a trial's result depends on: the content, not its path, and options of feeding.

    Raises:
        DataError: as `load`, except for absent latents, whose fingerprint is `latents.ABSENT`;
            no trial can run with it.
    """
    if isinstance(config, LatentsConfig):
        fingerprint = latents.fingerprint(config)
    else:
        fingerprint = load(config).fingerprint
    return {
        "fingerprint": fingerprint,
        "label_dropout": getattr(config, "label_dropout", 0.0),
        "caption_dropout": getattr(config, "caption_dropout", 0.0),
        "val_draws": config.val_draws,
    }


def is_present(config: DataConfig) -> bool:
    """Return whether the data exist; only latents may be absent in a valid study."""
    return not isinstance(config, LatentsConfig) or latents.is_present(config)


def attribution(config: DataConfig) -> str | None:
    """Return the attribution that the licence of the data requires, if any."""
    return openmoji.ATTRIBUTION if config.source == "openmoji" else None
