"""Data sets whose batches are pure functions of (seed, step), equal on every device and width."""

import hashlib
from functools import lru_cache
from typing import Protocol

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor

from proxies.config import DataConfig
from proxies.info import Condition, DataInfo
from proxies.streams import generator

VALIDATION_FRAC = 0.2
_SPLIT_SEED = 0


class Data(Protocol):
    """A data set. A batch has the parts that `info` names, on the CPU."""

    info: DataInfo
    fingerprint: str

    def batch(self, seed: int, step: int, size: int) -> dict[str, Tensor]:
        """Return the training batch of a step, counted from 0; labels are dropped at random."""

    def validation(self) -> dict[str, Tensor]:
        """Return the whole validation set, always the same, with all its conditions."""

    def null(self, size: int) -> Condition:
        """Return the condition that stands for none, of `size` samples."""


class Labelled:
    """Images with class labels, held in memory."""

    def __init__(
        self,
        *,
        train: tuple[Tensor, Tensor],
        validation: tuple[Tensor, Tensor],
        n_classes: int,
        label_dropout: float,
    ) -> None:
        """Take (images, labels) of both parts; `label_dropout` is a share of the labels."""
        self._train = train
        self._validation = validation
        self._label_dropout = label_dropout
        channels, height, side = train[0].shape[1:]
        self.info = DataInfo(shape=(channels, height, side), n_classes=n_classes)
        self.fingerprint = _digest(*train, *validation)

    def batch(self, seed: int, step: int, size: int) -> dict[str, Tensor]:
        """Return the batch of a step: the epochs of a seed are one endless row of samples."""
        rows = _rows(seed, step * size, size, len(self._train[1]))
        images, labels = (part[rows] for part in self._train)
        if self._label_dropout:
            dropped = torch.rand(size, generator=generator("dropout", seed, step))
            labels = labels.masked_fill(dropped < self._label_dropout, self.info.n_classes)
        return {"image": images, "label": labels}

    def validation(self) -> dict[str, Tensor]:
        """Return the validation images and labels."""
        images, labels = self._validation
        return {"image": images, "label": labels}

    def null(self, size: int) -> Condition:
        """Return labels of no class, (size,)."""
        return {"label": torch.full((size,), self.info.n_classes)}


@lru_cache
def load(config: DataConfig) -> Data:
    """Return the data set of a configuration; loaded once a process."""
    return {"digits": digits}[config.source](label_dropout=config.label_dropout)


def digits(*, label_dropout: float) -> Labelled:
    """Return the 1797 digits of scikit-learn, 8×8, a fifth of each class for validation."""
    bunch = load_digits()
    labels = bunch.target.astype(np.int64)
    images = (bunch.images[:, None] / 8 - 1).astype(np.float32)
    train, validation = train_test_split(
        np.arange(len(labels)),
        test_size=VALIDATION_FRAC,
        stratify=labels,
        random_state=_SPLIT_SEED,
    )

    def part(rows: np.ndarray) -> tuple[Tensor, Tensor]:
        return torch.from_numpy(images[rows]), torch.from_numpy(labels[rows])

    return Labelled(
        train=part(train), validation=part(validation), n_classes=10, label_dropout=label_dropout
    )


def _rows(seed: int, start: int, size: int, n: int) -> Tensor:
    """Return `size` sample numbers from position `start` of the endless row of permuted epochs."""
    epochs = range(start // n, (start + size - 1) // n + 1)
    row = torch.cat([_epoch(seed, epoch, n) for epoch in epochs])
    return row[start - epochs[0] * n :][:size]


@lru_cache(maxsize=8)
def _epoch(seed: int, epoch: int, n: int) -> Tensor:
    return torch.randperm(n, generator=generator("epoch", seed, epoch))


def _digest(*tensors: Tensor) -> str:
    """Return 16 hex digits of the content of tensors."""
    sha = hashlib.sha256()
    for tensor in tensors:
        sha.update(f"{tensor.dtype}{list(tensor.shape)}".encode())
        sha.update(tensor.numpy().tobytes())
    return sha.hexdigest()[:16]
