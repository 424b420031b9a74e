"""The data set of a configuration, by the source that it names."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol

from torch import Tensor

from mutransfer.proxies.batch import UNKNOWN, Condition, DataInfo
from mutransfer.proxies.config.data import CustomDataConfig, DataConfig, LatentsConfig, is_name
from mutransfer.proxies.config.recorded import Recorded
from mutransfer.proxies.data import custom, digits, images, latents, openmoji
from mutransfer.proxies.data.findings import Findings

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
    findings: Findings

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


def declared_info(config: DataConfig) -> DataInfo | None:
    """Return the shapes of a data set where no file that the configuration names tells them."""
    if isinstance(config, CustomDataConfig):
        return UNKNOWN
    if isinstance(config, LatentsConfig):
        return latents.info(config)
    named = ((name, getattr(config, name)) for name in config.paths)
    is_of_files = any(value is not None and not is_name(name, value) for name, value in named)
    return None if is_of_files else load(config).info


def identity(config: DataConfig, recorded: Recorded | None = None) -> dict[str, Any]:
    """Return what a trial's result depends on: the content, not its path, and options of feeding.

    With `recorded` the data are not opened.

    Raises:
        DataError: as `load`, except for absent latents, whose fingerprint is `latents.ABSENT`;
            no trial can run with it.
    """
    if recorded is not None:
        fingerprint = recorded.data_fingerprint()
    elif isinstance(config, LatentsConfig):
        fingerprint = latents.fingerprint(config)
    else:
        fingerprint = load(config).fingerprint
    return {
        "fingerprint": fingerprint,
        "label_dropout": getattr(config, "label_dropout", 0.0),
        "caption_dropout": getattr(config, "caption_dropout", 0.0),
        "val_draws": config.val_draws,
        **(latents.reading(config) if isinstance(config, LatentsConfig) else {}),
    }


def is_present(config: DataConfig) -> bool:
    """Return whether the data exist; only latents may be absent in a valid study."""
    return not isinstance(config, LatentsConfig) or latents.is_present(config)


def attribution(config: DataConfig) -> str | None:
    """Return the attribution that the licence of the data requires, if any."""
    return openmoji.ATTRIBUTION if config.source == "openmoji" else None
