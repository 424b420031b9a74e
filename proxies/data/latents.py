"""Precomputed latents and embeddings, in memory-mapped safetensors shards.

A folder of `*.safetensors`, in the order of their names, each with the tensors

    image (n, C, S, S), label (n)                        always
    caption (n, L, E), caption_mask (n, L)               if `caption` is declared
    pooled (n, P)                                        if `pooled` is declared
    feature (n, N, F)                                    if `feature` is declared

in any number format; batches are float32 (labels int64, masks bool). Latents are not rescaled:
scale them to about unit variance beforehand, as their autoencoder prescribes.
"""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from mutransfer.proxies.batch import DataInfo
from mutransfer.proxies.config.data import LatentsConfig
from mutransfer.proxies.data import cache
from mutransfer.proxies.data.feed import Feed
from mutransfer.proxies.data.permutation import Permutation
from mutransfer.proxies.errors import DataError, Fault

ABSENT = "absent"
_BLOCK = 1 << 24
Parts = dict[str, Tensor]


def info(config: LatentsConfig) -> DataInfo:
    """Return the shapes that a configuration declares; no file is opened.

    Raises:
        DataError: declarations that contradict each other.
    """
    if config.n_validation >= config.n_samples:
        rule = f"fewer validation samples than samples ({config.n_samples})"
        at = ("data", "n_validation")
        raise DataError([Fault(at, rule, config.n_validation, "lower it")])
    return DataInfo(
        shape=config.shape,
        n_classes=config.n_classes,
        caption=config.caption,
        pooled=config.pooled,
        feature=config.feature,
    )


def is_present(config: LatentsConfig) -> bool:
    """Return whether there is any shard."""
    return bool(_shard_paths(config))


def fingerprint(config: LatentsConfig) -> str:
    """Return the declared name of the content, else a hash of it, else `ABSENT`.

    The hash is of every byte; it is cached by the files' paths, sizes and modification times.
    """
    if config.fingerprint is not None:
        return config.fingerprint
    paths = _shard_paths(config)
    if not paths:
        return ABSENT
    stats = [(str(path.absolute()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    key = hashlib.sha256(json.dumps(stats).encode()).hexdigest()[:16]
    return cache.text(f"latents-{key}", lambda: _hash(paths))


def load(config: LatentsConfig) -> Feed:
    """Return the data set; a sample is read from its shard on access.

    Raises:
        DataError: no shards, or shards that differ from what is declared; names all faults.
    """
    declared = info(config)
    paths = _shard_paths(config)
    if not paths:
        rule = "a folder with safetensors shards"
        remedy = "write the latents there (layout: proxies/data/latents.py), or correct the path"
        raise DataError([Fault(("data", "path"), rule, config.path, remedy)])
    shards = _open(paths, config, declared)
    n, n_validation = config.n_samples, config.n_validation
    split = ("split", "latents")
    return Feed(
        config,
        take=_Shards(shards).take,
        train=Permutation(n, *split, skip=n_validation),
        validation=Permutation(n, *split)[torch.arange(n_validation)],
        info=declared,
        fingerprint=fingerprint(config),
    )


class _Shards:
    """Samples, numbered across all shards."""

    def __init__(self, shards: list[Parts]) -> None:
        self._shards = shards
        self._ends = torch.tensor([len(shard["label"]) for shard in shards]).cumsum(0)

    def take(self, rows: Tensor) -> Parts:
        """Return the parts of samples; a caption without tokens becomes the null caption."""
        which = torch.bucketize(rows, self._ends, right=True)
        batch: Parts = {}
        for shard in which.unique().tolist():
            at = (which == shard).nonzero().squeeze(1)
            first = int(self._ends[shard]) - len(self._shards[shard]["label"])
            for name, part in self._shards[shard].items():
                taken = _as_batch(name, part[rows[at] - first])
                joined = batch.setdefault(name, taken.new_empty(len(rows), *taken.shape[1:]))
                joined[at] = taken
        return _without_empty_captions(batch)


def _as_batch(name: str, part: Tensor) -> Tensor:
    formats = {"label": torch.int64, "caption_mask": torch.bool}
    return part.to(formats.get(name, torch.float32))


def _without_empty_captions(batch: Parts) -> Parts:
    """Give an empty caption one token of zeros: a softmax over no token is NaN."""
    if "caption_mask" in batch:
        empty_B = ~batch["caption_mask"].any(dim=1)
        batch["caption_mask"][empty_B, 0] = True
        batch["caption"][empty_B] = 0.0
    return batch


def _shard_paths(config: LatentsConfig) -> list[Path]:
    return sorted(Path(config.path).glob("*.safetensors"))


def _open(paths: list[Path], config: LatentsConfig, declared: DataInfo) -> list[Parts]:
    """Map every shard into memory, and compare it with the declaration."""
    shards, faults = [], []
    expected = {name: tuple(part.shape[1:]) for name, part in declared.zeros(1).items()}
    for path in paths:
        try:
            with safe_open(path, framework="pt") as file:
                present = set(file.keys())
                shard = {name: file.get_tensor(name) for name in expected if name in present}
        except (OSError, SafetensorError) as error:
            rule, remedy = "a safetensors file that can be read", f"write it again ({error})"
            faults.append(Fault(("data", "path"), rule, str(path), remedy))
            continue
        faults += _shape_faults(path, shard, expected)
        shards.append(shard)
    if faults:
        raise DataError(faults)
    if (n := sum(len(shard["label"]) for shard in shards)) != config.n_samples:
        rule, remedy = f"the shards hold n_samples = {config.n_samples} samples", f"declare {n}"
        raise DataError([Fault(("data", "n_samples"), rule, n, remedy)])
    return shards


def _shape_faults(path: Path, shard: Parts, expected: dict[str, tuple[int, ...]]) -> list[Fault]:
    n_rows = len(shard["label"]) if "label" in shard else "n"
    faults = []
    for name, shape in expected.items():
        got = list(shard[name].shape) if name in shard else "no such tensor"
        if got != [n_rows, *shape]:
            rule = f"`{name}` of {path.name} is {[n_rows, *shape]}, as declared"
            faults.append(Fault(("data", "path"), rule, got, "correct the file or the declaration"))
    return faults


def _hash(paths: list[Path]) -> str:
    sha = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                sha.update(block)
    return sha.hexdigest()[:16]
