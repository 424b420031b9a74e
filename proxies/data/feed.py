"""Batches that are pure functions of (seed, step), equal on every device.

A data source returns samples by number; their order, split and condition dropout are defined here.
"""

import hashlib
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from mutransfer.proxies.batch import Condition, DataInfo
from mutransfer.proxies.config.data import CaptionedConfig, DigitsConfig, LatentsConfig
from mutransfer.proxies.data.findings import Findings
from mutransfer.proxies.data.permutation import Permutation
from mutransfer.proxies.rng import generator

VALIDATION_FRAC = 0.2
Take = Callable[[Tensor], dict[str, Tensor]]


class Feed:
    """Samples with their conditions, split into training and validation; see `load.Data`."""

    def __init__(
        self,
        config: DigitsConfig | CaptionedConfig | LatentsConfig,
        *,
        take: Take,
        train: Tensor | Permutation,
        validation: Tensor,
        info: DataInfo,
        fingerprint: str,
        texts: Sequence[str] | None = None,
        findings: Findings | None = None,
    ) -> None:
        """Take the sample numbers of both splits, and `take`, which returns samples by number.

        `texts` describes each sample; without it, the class does. `findings` are of the files.
        """
        self.info = info
        self.findings = findings or Findings()
        self.fingerprint = fingerprint
        self._texts = texts
        self.take, self._train, self._validation = take, train, validation
        self._label_dropout = config.label_dropout
        self._caption_dropout = getattr(config, "caption_dropout", 0.0)

    def batch(self, seed: int, step: int, size: int) -> dict[str, Tensor]:
        """Return the batch of a step; the epochs of a seed are one endless sequence of samples.

        One uniform draw per sample decides on its label and its caption, so that both are dropped
        together if their rates are equal.
        """
        batch = self.take(self._train[_rows(seed, step * size, size, len(self._train))])
        u_B = torch.rand(size, generator=generator("dropout", seed, step))
        null = self.null(size)
        for name, empty in null.items():
            rate = self._label_dropout if name == "label" else self._caption_dropout
            dropped = (u_B < rate).view(-1, *[1] * (empty.ndim - 1))
            batch[name] = torch.where(dropped, empty, batch[name])
        return batch

    def validation(self) -> dict[str, Tensor]:
        """Return every part of the validation samples."""
        return self.take(self._validation)

    def validation_texts(self) -> list[str]:
        """Return a description of each validation sample."""
        if self._texts is None:
            return [f"class {label}" for label in self.validation()["label"].tolist()]
        return [self._texts[row] for row in self._validation.tolist()]

    def null(self, size: int) -> Condition:
        """Return labels of no class and captions of one token of zeros.

        At least one token, since a softmax over none is NaN.
        """
        info = self.info
        null = {"label": torch.full((size,), info.n_classes)}
        if info.caption is not None:
            n_tokens, n_features = info.caption
            null["caption"] = torch.zeros(size, n_tokens, n_features)
            null["caption_mask"] = torch.arange(n_tokens).expand(size, -1) == 0
        if info.pooled is not None:
            null["pooled"] = torch.zeros(size, info.pooled)
        return null


def stratified(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the numbers of training and of validation samples, always the same.

    A fifth of each class is for validation, at least one sample; a class has at least two.
    """
    parts: tuple[list[Tensor], list[Tensor]] = ([], [])
    for label in labels.unique().tolist():
        rows = (labels == label).nonzero().squeeze(1)
        rows = rows[torch.randperm(len(rows), generator=generator("split", label))]
        n_validation = max(1, round(VALIDATION_FRAC * len(rows)))
        parts[0].append(rows[n_validation:])
        parts[1].append(rows[:n_validation])
    train, validation = (torch.cat(part).sort().values for part in parts)
    return train, validation


def digest(*content: Tensor | str) -> str:
    """Return 16 hex digits of the content of tensors and texts."""
    sha = hashlib.sha256()
    for part in content:
        if isinstance(part, str):
            sha.update(f"text {len(part)} {part}".encode())
        else:
            sha.update(f"{part.dtype}{list(part.shape)}".encode())
            sha.update(part.contiguous().numpy().tobytes())
    return sha.hexdigest()[:16]


def _rows(seed: int, start: int, size: int, n: int) -> Tensor:
    """Return `size` sample numbers from position `start` of the sequence of permuted epochs."""
    position = torch.arange(start, start + size)
    epochs = position // n
    row = torch.empty_like(position)
    for epoch in epochs.unique().tolist():
        here = epochs == epoch
        row[here] = Permutation(n, "epoch", seed, epoch)[position[here] - epoch * n]
    return row
