"""Precomputed latents and embeddings, in memory-mapped safetensors shards.

A folder of `*.safetensors`, in the order of their names, each with the tensors

    image (n, C, S, S), label (n)                        always
    caption (n, L, E), caption_mask (n, L)               if `caption` is declared
    pooled (n, P)                                        if `pooled` is declared
    feature (n, N, F)                                    if `feature` is declared

in any number format; batches are float32 (labels int64, masks bool). Latents are to have about
unit variance; `vae:`, or `scale:` and `shift:`, bring them there when they are read.
"""

import hashlib
import json
from typing import Any

import torch
from torch import Tensor

from mutransfer.proxies.batch import DataInfo
from mutransfer.proxies.config.data import LatentsConfig
from mutransfer.proxies.data.feed import Feed
from mutransfer.proxies.data.permutation import Permutation
from mutransfer.proxies.errors import DataError, Fault, first_few
from mutransfer.proxies.files import cache, formats
from mutransfer.proxies.files.autoencoders import AUTOENCODERS
from mutransfer.proxies.files.shards import Parts

ABSENT = "absent"
_BLOCK = 1 << 24


def info(config: LatentsConfig) -> DataInfo:
    """Return the shapes that a configuration declares; no file is opened.

    Raises:
        DataError: declarations that contradict each other.
    """
    faults = _transform_faults(config)
    if config.n_validation >= config.n_samples:
        rule = f"fewer validation samples than samples ({config.n_samples})"
        faults.append(Fault(("data", "n_validation"), rule, config.n_validation, "lower it"))
    declared = DataInfo(
        shape=config.shape,
        n_classes=config.n_classes,
        caption=config.caption,
        pooled=config.pooled,
        feature=config.feature,
    )
    if unknown := sorted(set(config.keys) - set(declared.zeros(1))):
        rule = f"`keys` names the tensors of {', '.join(declared.zeros(1))}"
        faults.append(Fault(("data", "keys"), rule, first_few(unknown), "remove it"))
    if faults:
        raise DataError(faults)
    return declared


def is_present(config: LatentsConfig) -> bool:
    """Return whether there is any shard."""
    return bool(formats.files(config))


def fingerprint(config: LatentsConfig) -> str:
    """Return the declared name of the content, else a hash of it, else `ABSENT`.

    The hash is of every byte; it is cached by the files' paths, sizes and modification times.
    """
    if config.fingerprint is not None:
        return config.fingerprint
    if not is_present(config):
        return ABSENT
    return cache.text(f"latents-{stat_key(config)}", lambda: _hash(config))


def stat_key(config: LatentsConfig) -> str:
    """Return a hash of the shards' paths, sizes and modification times."""
    paths = formats.files(config)
    stats = [(str(path.absolute()), path.stat().st_size, path.stat().st_mtime_ns) for path in paths]
    return short_hash(json.dumps(stats))


def short_hash(text: str) -> str:
    """Return 16 hex digits of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def reading(config: LatentsConfig) -> dict[str, Any]:
    """Return what is done to the content of the shards; nothing by default."""
    options = {
        "scale": transform(config),
        "first_label": config.first_label or None,
        "validation": None if config.validation == "random" else config.validation,
        "keys": dict(config.keys) or None,
    }
    return {name: value for name, value in options.items() if value is not None}


def transform(config: LatentsConfig) -> tuple[list[float], list[float]] | None:
    """Return scale and shift of each channel, None where latents are taken as they are."""
    n = config.shape[0]
    if config.vae is not None:
        autoencoder = AUTOENCODERS[config.vae]
        return list(autoencoder.scale), list(autoencoder.shift)
    if config.scale is None and config.shift is None:
        return None
    return _by_channel(config.scale, n, 1.0), _by_channel(config.shift, n, 0.0)


def load(config: LatentsConfig) -> Feed:
    """Return the data set; a sample is read from its shard on access.

    Raises:
        DataError: no shards, or shards that differ from what is declared; names all faults.
    """
    declared = info(config)
    shards = read_shards(config)
    n, n_validation = config.n_samples, config.n_validation
    split = ("split", "latents")
    train: Permutation | Tensor = Permutation(n, *split, skip=n_validation)
    validation = Permutation(n, *split)[torch.arange(n_validation)]
    if config.validation == "last":
        train, validation = torch.arange(n).split([n - n_validation, n_validation])
    return Feed(
        config,
        take=_Shards(shards, config).take,
        train=train,
        validation=validation,
        info=declared,
        fingerprint=fingerprint(config),
    )


def read_shards(config: LatentsConfig) -> list[Parts]:
    """Return the parts of each shard, mapped into memory.

    Raises:
        DataError: as `load`.
    """
    paths = formats.files(config)
    if not paths:
        rule = f"a folder with {formats.FORMATS[config.format].what}"
        remedy = "write the latents there (layout: docs/data.md), or correct the path"
        if others := formats.found(config.path):
            remedy = f"set `format: {others[0]}`, which is there, or correct the path"
        raise DataError([Fault(("data", "path"), rule, config.path, remedy)])
    expected = {name: tuple(part.shape[1:]) for name, part in info(config).zeros(1).items()}
    shards = formats.parts(config, expected)
    if (n := sum(len(shard["label"]) for shard in shards)) != config.n_samples:
        rule = f"the shards hold n_samples = {config.n_samples} samples"
        remedy = f"declare {n}, or copy the shards that are missing"
        raise DataError([Fault(("data", "n_samples"), rule, n, remedy)])
    return shards


class _Shards:
    """Samples, numbered across all shards."""

    def __init__(self, shards: list[Parts], config: LatentsConfig) -> None:
        self._shards, self._config = shards, config
        self._ends = torch.tensor([len(shard["label"]) for shard in shards]).cumsum(0)
        self._transform = None
        if (applied := transform(config)) is not None:
            self._transform = tuple(torch.tensor(each).view(-1, 1, 1) for each in applied)

    def take(self, rows: Tensor) -> Parts:
        """Return the parts of samples; a caption without tokens becomes the null caption.

        Raises:
            DataError: a value that is not finite, or a label out of range: no such sample reaches
                a model, where it would look like a divergence.
        """
        which = torch.bucketize(rows, self._ends, right=True)
        batch: Parts = {}
        for shard in which.unique().tolist():
            at = (which == shard).nonzero().squeeze(1)
            first = int(self._ends[shard]) - len(self._shards[shard]["label"])
            for name, part in self._shards[shard].items():
                taken = _as_batch(name, part[rows[at] - first])
                joined = batch.setdefault(name, taken.new_empty(len(rows), *taken.shape[1:]))
                joined[at] = taken
        if self._transform is not None:
            scale, shift = self._transform
            batch["image"] = (batch["image"] - shift) * scale
        batch["label"] -= self._config.first_label
        if faults := _batch_faults(batch, rows, self._config.n_classes):
            raise DataError(faults)
        return _without_empty_captions(batch)


def _as_batch(name: str, part: Tensor) -> Tensor:
    formats = {"label": torch.int64, "caption_mask": torch.bool}
    return part.to(formats.get(name, torch.float32))


def _batch_faults(batch: Parts, rows: Tensor, n_classes: int) -> list[Fault]:
    remedy = "`mutransfer check` tells which there are"
    faults = []
    for name, part in batch.items():
        if part.is_floating_point() and not bool(torch.isfinite(part).all()):
            bad = rows[(~torch.isfinite(part)).flatten(1).any(dim=1)].tolist()
            rule, got = f"`{name}` is finite", f"NaN or infinity in sample {bad[0]}"
            faults.append(Fault(("data", "path"), rule, got, remedy))
    label = batch["label"]
    if bool(((label < 0) | (label >= n_classes)).any()):
        rule = f"labels are 0 to n_classes - 1 = {n_classes - 1}"
        got = f"{int(label.min())} to {int(label.max())}"
        faults.append(Fault(("data", "n_classes"), rule, got, remedy))
    return faults


def _without_empty_captions(batch: Parts) -> Parts:
    """Give an empty caption one token of zeros: a softmax over no token is NaN."""
    if "caption_mask" in batch:
        empty_B = ~batch["caption_mask"].any(dim=1)
        batch["caption_mask"][empty_B, 0] = True
        batch["caption"][empty_B] = 0.0
    return batch


def _by_channel(value: float | tuple[float, ...] | None, n: int, default: float) -> list[float]:
    if value is None:
        return [default] * n
    return [float(v) for v in value] if isinstance(value, tuple) else [float(value)] * n


def _transform_faults(config: LatentsConfig) -> list[Fault]:
    """Return what is wrong with `vae`, `scale` and `shift`."""
    n, faults = config.shape[0], []
    given = {"scale": config.scale, "shift": config.shift}
    for name, value in given.items():
        if isinstance(value, tuple) and len(value) != n:
            rule = f"one number, or one for each of the {n} channels"
            faults.append(Fault(("data", name), rule, f"{len(value)} numbers", "correct the list"))
    values = config.scale if isinstance(config.scale, tuple) else (config.scale,)
    if any(value is not None and value <= 0 for value in values):
        rule, remedy = "scale is greater than 0", "correct the sign"
        faults.append(Fault(("data", "scale"), rule, config.scale, remedy))
    if config.vae is None:
        return faults
    at = ("data", "vae")
    known = ", ".join(f"{name} ({a.channels} channels)" for name, a in AUTOENCODERS.items())
    if any(value is not None for value in given.values()):
        rule = "either `vae`, or `scale` and `shift`"
        faults.append(Fault(at, rule, "both", "remove one of them"))
    if config.vae not in AUTOENCODERS:
        remedy = "or give `scale` and `shift`, as your autoencoder's config.json has them"
        faults.append(Fault(at, f"one of {known}", config.vae, remedy))
    elif (channels := AUTOENCODERS[config.vae].channels) != n:
        rule, got = f"latents of {config.vae} have {channels} channels", f"shape {config.shape}"
        faults.append(Fault(at, rule, got, "correct `vae` or `shape`"))
    return faults


def _hash(config: LatentsConfig) -> str:
    sha = hashlib.sha256()
    for path in formats.files(config):
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                sha.update(block)
    return sha.hexdigest()[:16]
