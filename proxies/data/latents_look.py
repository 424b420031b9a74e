"""A look at the values of latents: finite, labels in range, masks, and about unit variance.

The values are read once and kept in the cache by the shards' paths, sizes and modification times.
"""

import dataclasses
import json
import math
from pathlib import Path

from mutransfer.proxies.config.data import LatentsConfig
from mutransfer.proxies.data import latents
from mutransfer.proxies.data.findings import Findings
from mutransfer.proxies.errors import DataError, Fault, first_few
from mutransfer.proxies.files import cache, formats
from mutransfer.proxies.files.autoencoders import AUTOENCODERS
from mutransfer.proxies.files.shard_stats import PartStats, Progress, ShardStats, stats_of

# The latents of the well-known autoencoders are within these, scaled as they prescribe.
# Noise has variance 1, so of the velocity's variance latents of std s are s² / (1 + s²): at 0.5 a
# fifth, at 2 four fifths. Measured on digits × s (dit, width 32, 200 steps, best of nine learning
# rates, one seed): training removes 53 % of the loss at s = 1, 60 % at 0.5 and at 2, 88 % at 10
# and 95 % at 0.03, where all but 0.1 % of the target is noise; with a mean of 1 67 %, of 4 92 %.
STD_RANGE, MAX_MEAN = (0.5, 2.0), 1.0
_AT = ("data", "path")
_FLOATS = ("float16", "bfloat16", "float32", "float64")


def look(config: LatentsConfig, progress: Progress | None = None) -> Findings:
    """Return what the shards hold; that they are absent, where they are.

    Raises:
        DataError: values that no trial can train on; names all faults.
    """
    latents.info(config)
    folder = Path(config.path)
    if not latents.is_present(config) and not (folder.is_dir() and any(folder.iterdir())):
        return Findings(warnings=(f"no latents in {config.path} yet: not looked at",))
    stats = _stats(config, progress)
    names = [path.name for path in formats.files(config)]
    faults = [f for name, part in stats.parts.items() for f in _part_faults(name, part, names)]
    faults += _label_faults(config, stats) + _mask_faults(stats) + _size_faults(config, stats)
    if faults:
        raise DataError(faults)
    return Findings(lines=_lines(config, stats), warnings=_warnings(config, stats))


def _stats(config: LatentsConfig, progress: Progress | None) -> ShardStats:
    """Return the statistics of the shards, from the cache if they were read before."""
    parts = json.dumps([sorted(latents.info(config).zeros(1)), config.shape, dict(config.keys)])
    name = f"latents-look-{latents.stat_key(config)}-{latents.short_hash(parts)}"

    def text() -> str:
        return json.dumps(dataclasses.asdict(stats_of(latents.read_shards(config), progress)))

    plain = json.loads(cache.text(name, text))
    plain["parts"] = {part: PartStats(**values) for part, values in plain["parts"].items()}
    plain["labels"] = {int(label): n for label, n in plain["labels"].items()}
    return ShardStats(**plain)


def _part_faults(name: str, part: PartStats, shard_names: list[str]) -> list[Fault]:
    faults = []
    if part.first_bad is not None:
        shard, row = part.first_bad
        rule = f"`{name}` is finite in every sample"
        got = f"NaN or infinity in {part.n_bad}, the first in row {row} of {shard_names[shard]}"
        remedy = "encode these again, in bfloat16 or float32 (float16 overflows), or drop them"
        faults.append(Fault(_AT, rule, got, remedy))
    if name == "image" and part.dtype not in _FLOATS:
        rule, remedy = "`image` is a latent of real numbers", "for pixels use `source: images`"
        faults.append(Fault(_AT, rule, part.dtype, remedy))
    return faults


def _label_faults(config: LatentsConfig, stats: ShardStats) -> list[Fault]:
    smallest, largest = min(stats.labels), max(stats.labels)
    first, n = config.first_label, config.n_classes
    if not stats.is_whole:
        rule = "labels are whole numbers"
        return [Fault(_AT, rule, f"{stats.label_dtype} with fractions", "write int64")]
    if first <= smallest and largest < first + n:
        return []
    at = ("data", "n_classes")
    rule = f"labels are {first} to {first + n - 1} (n_classes: {n}); the next means no class"
    got = f"{smallest} to {largest}, {len(stats.labels)} different ones"
    if first == 0 and smallest == 1 and largest == n:
        remedy = "these begin at 1: add `first_label: 1`"
    elif smallest >= first:
        remedy = f"set `n_classes: {largest + 1 - first}`, or correct the labels"
    else:
        remedy = "correct the labels"
    return [Fault(at, rule, got, remedy)]


def _mask_faults(stats: ShardStats) -> list[Fault]:
    if not stats.n_not_mask:
        return []
    mask = stats.parts["caption_mask"]
    rule = "`caption_mask` is 1 at tokens and 0 elsewhere"
    got = f"{mask.smallest:g} to {mask.largest:g} in {stats.n_not_mask} samples"
    remedy = "write true and false"
    if mask.smallest < 0 and mask.largest == 0:
        remedy = "this is an additive mask: write `mask == 0`"
    return [Fault(_AT, rule, got, remedy)]


def scaled(config: LatentsConfig, image: PartStats) -> tuple[list[float], list[float]]:
    """Return mean and std of each channel as the model sees them."""
    scale, shift = latents.transform(config) or ([1.0] * config.shape[0], [0.0] * config.shape[0])
    means = [(m - b) * a for m, a, b in zip(image.mean, scale, shift, strict=True)]
    return means, [std * a for std, a in zip(image.std, scale, strict=True)]


def _is_unit(means: list[float], stds: list[float]) -> bool:
    overall = math.sqrt(sum(std**2 for std in stds) / len(stds))
    return STD_RANGE[0] <= overall <= STD_RANGE[1] and max(map(abs, means)) <= MAX_MEAN


def _size_faults(config: LatentsConfig, stats: ShardStats) -> list[Fault]:
    """Return a fault where latents are far from unit variance and no scale is declared."""
    image = stats.parts["image"]
    rule = f"latents vary: a std of {STD_RANGE[0]:g} to {STD_RANGE[1]:g}"
    if not any(image.std):
        return [Fault(_AT, rule, "each channel is constant", "write the latents again")]
    is_declared = latents.transform(config) is not None
    if is_declared or _is_unit(*scaled(config, image)):
        return []
    rule += f", means within ±{MAX_MEAN:g}, as the noise that is mixed in"
    got = f"std {_numbers(image.std)}, mean {_numbers(image.mean)} by channel"
    return [Fault(("data", "scale"), rule, got, _scale_remedy(config, image))]


def measured_scale(config: LatentsConfig) -> dict[str, list[float]]:
    """Return the scale and shift that give unit variance; nothing where latents have it already.

    Raises:
        DataError: shards that differ from what is declared.
    """
    image = _stats(config, None).parts["image"]
    if _is_unit(*scaled(config, image)) or not any(image.std):
        return {}
    scale = [_short(1 / std) if std else 1.0 for std in image.std]
    return {"scale": scale, "shift": [_short(mean) for mean in image.mean]}


def _scale_remedy(config: LatentsConfig, image: PartStats) -> str:
    fitting = [
        f"`vae: {name}`"
        for name, autoencoder in AUTOENCODERS.items()
        if autoencoder.channels == config.shape[0]
        and _is_unit(*scaled(dataclasses.replace(config, vae=name), image))
    ]
    measured = [_short(1 / std) if std else 1.0 for std in image.std]
    shift = [_short(mean) for mean in image.mean]
    return (
        (f"if they are of that autoencoder, set {' or '.join(fitting)}; " if fitting else "")
        + f"set `scale` and `shift` as your autoencoder's config.json has them; measured here: "
        f"`scale: {_list(measured)}`, `shift: {_list(shift)}`; `scale: 1` if they are meant so"
    )


def _lines(config: LatentsConfig, stats: ShardStats) -> tuple[str, ...]:
    means, stds = scaled(config, stats.parts["image"])
    counts = sorted(stats.labels.values())
    files = f"{len(formats.files(config)):,} "
    files += "shards" if config.format == "safetensors" else "files"
    seen = "" if stats.n_seen == stats.n_samples else f", {stats.n_seen:,} of them looked at"
    lines = [
        f"{stats.n_samples:,} latents {list(config.shape)} in {files}{seen}: "
        f"std {_numbers(stds)}, mean {_numbers(means)} by channel, as the model sees them",
        f"{len(stats.labels)} of {config.n_classes} classes occur, each {counts[0]:,} to "
        f"{counts[-1]:,} times",
    ]
    if stats.n_without_token:
        lines.append(f"{stats.n_without_token:,} captions have no token: the null caption")
    return tuple(lines)


def _warnings(config: LatentsConfig, stats: ShardStats) -> tuple[str, ...]:
    image = stats.parts["image"]
    means, stds = scaled(config, image)
    warnings = []
    if not _is_unit(means, stds):
        warnings.append(
            f"as scaled, latents are far from unit variance: std {_numbers(stds)}, mean "
            f"{_numbers(means)} by channel; measured: scale {_numbers([1 / s for s in stds if s])}"
        )
    if dead := [str(c) for c, std in enumerate(image.std) if std == 0]:
        warnings.append(f"constant channels: {first_few(dead)}")
    if "caption_mask" in stats.parts and stats.n_without_token == stats.n_seen:
        warnings.append("no caption has a token: all are the null caption")
    return tuple(warnings)


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def _list(values: list[float]) -> str:
    return str(values[0]) if len(set(values)) == 1 else str(values)


def _numbers(values: list[float]) -> str:
    shown = " ".join(f"{value:.3g}" for value in values[:4])
    return shown + (f" … ({len(values)} channels)" if len(values) > 4 else "")
