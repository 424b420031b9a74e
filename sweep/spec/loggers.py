"""The loggers that a spec can name, and the package that each of them needs."""

import importlib.util
from collections.abc import Sequence
from typing import NamedTuple


class Sink(NamedTuple):
    """A logger: the package it needs, the extra that installs it, and the module of its writer."""

    package: str
    extra: str
    module: str


# tensorboardX comes with ray[tune].
SINKS: dict[str, Sink] = {
    "tensorboard": Sink("tensorboardX", "tensorboard", "mutransfer.sweep.viewers.tensorboard"),
    "wandb": Sink("wandb", "wandb", "mutransfer.sweep.viewers.wandb"),
    "mlflow": Sink("mlflow", "mlflow", "mutransfer.sweep.viewers.mlflow"),
}


def missing(names: Sequence[str]) -> list[tuple[str, Sink]]:
    """The loggers of ``names`` whose package is not installed."""
    return [(n, SINKS[n]) for n in names if importlib.util.find_spec(SINKS[n].package) is None]
