"""The shapes of a data set, and the names of the parts of a batch.

A batch is a mapping of tensors: image (B, C, S, S) in about [-1, 1], label (B,) int64; captioned
data add caption (B, L, E) float32, caption_mask (B, L) bool and pooled (B, P) float32; data with a
frozen encoder add feature (B, N, F) float32. A condition is a batch without image and feature.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

Batch = Mapping[str, Tensor]
Condition = Mapping[str, Tensor]
NOT_CONDITION = ("image", "feature")


@dataclass(frozen=True, kw_only=True)
class DataInfo:
    """Shapes of a data set; a field is None where the data lack that part.

    Attributes:
        shape: (C, S, S) of an image.
        n_classes: Labels 0 … n_classes - 1; the label n_classes means no class.
        caption: (L, E): tokens per caption, features per token.
        pooled: P: features per caption.
        feature: (N, F): tokens and features per token of the frozen encoder of REPA.
    """

    shape: tuple[int, int, int]
    n_classes: int
    caption: tuple[int, int] | None = None
    pooled: int | None = None
    feature: tuple[int, int] | None = None

    def zeros(self, size: int) -> dict[str, Tensor]:
        """Return a batch of zeros with every part of the data, on torch's default device."""
        batch = {
            "image": torch.zeros(size, *self.shape),
            "label": torch.zeros(size, dtype=torch.int64),
        }
        if self.caption is not None:
            batch["caption"] = torch.zeros(size, *self.caption)
            batch["caption_mask"] = torch.ones(size, self.caption[0], dtype=torch.bool)
        if self.pooled is not None:
            batch["pooled"] = torch.zeros(size, self.pooled)
        if self.feature is not None:
            batch["feature"] = torch.zeros(size, *self.feature)
        return batch


# The user's own data: only their loss knows the parts of a batch.
UNKNOWN = DataInfo(shape=(0, 0, 0), n_classes=0)


def condition(batch: Batch) -> dict[str, Tensor]:
    """Return the condition in a batch: all parts but image and feature."""
    return {name: part for name, part in batch.items() if name not in NOT_CONDITION}
