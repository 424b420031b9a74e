"""A draft for shards of latents: names, shapes, labels and scale as the shards have them."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from mutransfer.proxies import data
from mutransfer.proxies.config.data import LatentsConfig
from mutransfer.proxies.data.latents_look import measured_scale
from mutransfer.proxies.errors import DataError, Fault
from mutransfer.proxies.files import formats
from mutransfer.proxies.files.shards import shard_paths, unreadable
from mutransfer.sweep.drafts.draft import Draft, patch_size

NAMES = {
    "image": ("image", "latents", "latent", "x"),
    "label": ("label", "labels", "y", "class"),
    "caption": ("caption",),
    "pooled": ("pooled",),
    "feature": ("feature",),
}
_AT = ("data", "path")


def latents_draft(folder: Path) -> Draft:
    """A draft for the shards in a folder.

    Raises:
        DataError: no shards, or shards that no trial can train on.
    """
    shapes, n = _shapes(folder)
    names = {part: next((k for k in keys if k in shapes), None) for part, keys in NAMES.items()}
    if missing := [part for part in ("image", "label") if names[part] is None]:
        got = f"no {' and no '.join(missing)} among {', '.join(sorted(shapes)) or 'no tensors'}"
        rule = "a shard has latents and labels, `image` (n, C, S, S) and `label` (n)"
        raise DataError([Fault(_AT, rule, got, "write them, see docs/data.md")])
    section: dict[str, Any] = {"source": "latents", "path": str(folder), "n_samples": n}
    section |= _validation(folder, n)
    section |= {"shape": shapes[str(names["image"])][1:]}
    labels = _labels(folder, str(names["label"]))
    first = 1 if min(labels) == 1 else 0
    section |= {"n_classes": max(1, max(labels) + 1 - first)}
    for part, size in (("caption", 2), ("pooled", 1), ("feature", 2)):
        if names[part] is not None:
            shape = shapes[part][1 : 1 + size]
            section[part] = shape[0] if part == "pooled" else shape
    section |= {"first_label": 1} if first else {}
    renamed = {part: key for part, key in names.items() if key not in (None, part)}
    section |= {"keys": renamed} if renamed else {}
    section |= measured_scale(_config(section))
    found = data.look(_config(section))
    family = "pixart" if "caption" in section else "dit"
    model = {"family": family, "depth": 2, "head_dim": 16}
    model |= {"patch_size": patch_size(section["shape"][-1])}
    return Draft(data=section, model=model, seen=(*found.lines, *found.warnings))


def _validation(folder: Path, n: int) -> dict[str, Any]:
    """The shards of the split validation, if their names say so and they are the last."""
    is_last = [path.name.startswith("validation-") for path in shard_paths(str(folder))]
    if not any(is_last) or all(is_last) or is_last != sorted(is_last):
        return {"n_validation": max(1, min(4096, n // 10))}
    paths = [p for p in shard_paths(str(folder)) if p.name.startswith("validation-")]
    return {"n_validation": sum(map(_rows, paths)), "validation": "last"}


def _rows(path: Path) -> int:
    with safe_open(path, framework="pt") as file:
        return max(file.get_slice(key).get_shape()[0] for key in file.keys())  # noqa: SIM118


def _config(section: dict[str, Any]) -> LatentsConfig:
    given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in section.items()}
    del given["source"]
    return LatentsConfig(**given)


def _shapes(folder: Path) -> tuple[dict[str, list[int]], int]:
    """The shapes of the first shard's tensors, and the samples in all shards."""
    paths = shard_paths(str(folder))
    if not paths:
        rule, remedy = "a folder with safetensors shards", "correct the path"
        if others := formats.found(str(folder)):
            remedy = f"write the section yourself, with `format: {others[0]}` (docs/data.md)"
        raise DataError([Fault(_AT, rule, str(folder), remedy)])
    shapes, n = [], 0
    for path in paths:
        try:
            with safe_open(path, framework="pt") as file:
                shapes.append({key: file.get_slice(key).get_shape() for key in file.keys()})  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise DataError([unreadable(path, error)]) from None
        n += next((shape[0] for shape in shapes[-1].values() if shape), 0)
    return shapes[0], n


def _labels(folder: Path, key: str) -> list[int]:
    """The smallest and the largest label of each shard."""
    ends = []
    for path in shard_paths(str(folder)):
        with safe_open(path, framework="pt") as file:
            label = file.get_tensor(key)
            ends += [int(label.min()), int(label.max())]
    return ends
