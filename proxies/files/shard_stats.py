"""A pass over shards of latents: what their values are, in blocks, so that memory stays small."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from mutransfer.proxies.files.shards import Parts

# Blocks are read whole; of more than MAX_BYTES in all, evenly spaced ones are.
BLOCK_BYTES = 1 << 24
MAX_BYTES = 1 << 33
MAX_LABELS = 100_000  # a histogram of more values is none
Progress = Callable[[int, int], None]


@dataclass(kw_only=True)
class PartStats:
    """The values of one part; mean and std are of the finite ones, for an image by channel.

    Attributes:
        dtype: The number format in the shards.
        n_bad: Samples with a value that is not finite.
        first_bad: Shard and row of the first of them.
        smallest: The smallest finite value.
        largest: The largest finite value.
        mean: Means; of an image one a channel.
        std: Standard deviations, likewise.
    """

    dtype: str
    n_bad: int = 0
    first_bad: tuple[int, int] | None = None
    smallest: float = float("inf")
    largest: float = float("-inf")
    mean: list[float] = field(default_factory=list)
    std: list[float] = field(default_factory=list)


@dataclass(kw_only=True)
class ShardStats:
    """What a pass over the shards saw.

    Attributes:
        n_samples: Samples in all shards.
        n_seen: Samples that were read whole; labels are always read in all samples.
        parts: The parts but the labels.
        labels: How often each label occurs, for at most `MAX_LABELS` labels.
        label_dtype: Number format of the labels.
        is_whole: Whether all labels are whole numbers.
        n_without_token: Seen samples whose mask marks no token.
        n_not_mask: Seen samples whose mask has another value than 0 and 1.
    """

    n_samples: int
    n_seen: int
    parts: dict[str, PartStats]
    labels: dict[int, int]
    label_dtype: str
    is_whole: bool
    n_without_token: int = 0
    n_not_mask: int = 0


def stats_of(shards: Sequence[Parts], progress: Progress | None = None) -> ShardStats:
    """Return what a pass over shards of equal parts sees.

    Args:
        shards: Their parts by name, each with `image` and `label`.
        progress: Called after each block with the samples read so far and in all.
    """
    stats = _label_stats(shards)
    sums = {name: _Sums(name, part) for name, part in shards[0].items() if name != "label"}
    blocks = _blocks(shards)
    total = sum(end - start for _, start, end in blocks)
    for number, start, end in blocks:
        for name, each in sums.items():
            block = shards[number][name][start:end]
            each.add(block, number, start)
            if name == "caption_mask":
                stats.n_without_token += int((~block.bool().any(dim=1)).sum())
                stats.n_not_mask += int(((block != 0) & (block != 1)).any(dim=1).sum())
        stats.n_seen += end - start
        if progress is not None:
            progress(stats.n_seen, total)
    stats.parts = {name: each.stats() for name, each in sums.items()}
    return stats


def _label_stats(shards: Sequence[Parts]) -> ShardStats:
    counts: Counter[int] = Counter()
    is_whole = True
    for shard in shards:
        label = shard["label"][:].double()
        is_whole &= bool((label == label.round()).all())
        values, n = label.nan_to_num(0).clamp(-(2.0**62), 2.0**62).long().unique(return_counts=True)
        counts.update(dict(zip(values.tolist(), n.tolist(), strict=True)))
    return ShardStats(
        n_samples=sum(len(shard["label"]) for shard in shards),
        n_seen=0,
        parts={},
        labels=dict(sorted(counts.items())[:MAX_LABELS]),
        label_dtype=_name(shards[0]["label"]),
        is_whole=is_whole,
    )


def _blocks(shards: Sequence[Parts]) -> list[tuple[int, int, int]]:
    """Return shard, first and last row + 1 of each block to read."""
    row = sum(part[:1].nbytes for name, part in shards[0].items() if name != "label")
    size = max(1, BLOCK_BYTES // max(1, row))
    blocks = [
        (number, start, min(start + size, len(shard["label"])))
        for number, shard in enumerate(shards)
        for start in range(0, len(shard["label"]), size)
    ]
    most = max(1, MAX_BYTES // (size * max(1, row)))
    if len(blocks) <= most:
        return blocks
    return [blocks[i * (len(blocks) - 1) // max(1, most - 1)] for i in range(most)]


class _Sums:
    """Running sums of one part."""

    def __init__(self, name: str, part: Tensor) -> None:
        self._stats = PartStats(dtype=_name(part))
        # Of an image the channels stay apart: (n, C, S, S) is summed over all other axes.
        self._n_groups = part.shape[1] if name == "image" else 1
        self._n, self._sum, self._squares = (
            torch.zeros(self._n_groups, dtype=torch.float64) for _ in range(3)
        )

    def add(self, block: Tensor, shard: int, start: int) -> None:
        values = block.float()
        finite = torch.isfinite(values)
        bad = (~finite).flatten(1).any(dim=1)
        if bool(bad.any()):
            self._stats.n_bad += int(bad.sum())
            row = start + int(bad.long().argmax())
            self._stats.first_bad = self._stats.first_bad or (shard, row)
            values = values.where(finite, torch.nan)
        if bool(finite.any()):
            seen = values if not bool(bad.any()) else values[finite]
            self._stats.smallest = min(self._stats.smallest, float(seen.min()))
            self._stats.largest = max(self._stats.largest, float(seen.max()))
        groups = values.reshape(len(values), self._n_groups, -1).double()
        self._n += finite.reshape(len(values), self._n_groups, -1).sum(dim=(0, 2))
        self._sum += groups.nansum(dim=(0, 2))
        self._squares += groups.square().nansum(dim=(0, 2))

    def stats(self) -> PartStats:
        n = self._n.clamp(min=1)
        mean = self._sum / n
        self._stats.mean = mean.tolist()
        self._stats.std = (self._squares / n - mean.square()).clamp(min=0).sqrt().tolist()
        return self._stats


def _name(part: Tensor) -> str:
    return str(part.dtype).removeprefix("torch.")
