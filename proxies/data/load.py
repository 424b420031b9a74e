"""Data sets by the source that a configuration names."""

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
    """A data set. A batch has the parts that `info` names, on the CPU."""

    info: DataInfo
    fingerprint: str

    def batch(self, seed: int, step: int, size: int) -> dict[str, Tensor]:
        """Return the training batch of a step, counted from 0; conditions are dropped at random."""

    def validation(self) -> dict[str, Tensor]:
        """Return the whole validation set, always the same, with all its conditions."""

    def validation_texts(self) -> list[str]:
        """Return what each validation sample is of, for people."""

    def null(self, size: int) -> Condition:
        """Return the condition that stands for none, of `size` samples."""


@lru_cache
def load(config: DataConfig) -> Data:
    """Return the data set of a configuration; loaded once a process.

    Raises:
        DataError: it is not there or not fit for use; all faults are named.
    """
    return _LOAD[config.source](config)


def info(config: DataConfig) -> DataInfo:
    """Return the shapes of a data set; latents, whose shapes are declared, are not opened.

    Raises:
        DataError: as `load`.
    """
    return latents.info(config) if isinstance(config, LatentsConfig) else load(config).info


def identity(config: DataConfig) -> dict[str, Any]:
    """Return what a trial's result depends on: the content, wherever it lies, and how it is fed.

    Raises:
        DataError: as `load`, but for latents that are not there: they have a name of their own,
            under which nothing can run.
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
    """Return whether there is data to train on; only latents may be absent from a checked study."""
    return not isinstance(config, LatentsConfig) or latents.is_present(config)


def attribution(config: DataConfig) -> str | None:
    """Return the line that the licence of the data asks for, if there is one."""
    return openmoji.ATTRIBUTION if config.source == "openmoji" else None
