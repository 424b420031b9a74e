"""A folder of images, whose sub-folders are classes, with or without captions."""

from collections import Counter
from pathlib import Path

import torch

from mutransfer.proxies.config.data import ImagesConfig
from mutransfer.proxies.data.captioned import captioned
from mutransfer.proxies.data.feed import Feed
from mutransfer.proxies.errors import DataError, Fault, first_few
from mutransfer.proxies.files.metadata import read_captions
from mutransfer.proxies.files.pixels import CONVERTIBLE, MODES, Pixels, read_pixels

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})

_AT = ("data", "path")


def load(config: ImagesConfig) -> Feed:
    """Return the images of a folder, in [-1, 1]; one class if none lies in a sub-folder.

    Raises:
        DataError: all faults of the folder, with examples.
    """
    root = Path(config.path)
    names = _names(root)
    texts, faults = read_captions(root, names)
    pixels = read_pixels(root, names, config)
    kept = [i for i, name in enumerate(names) if name not in pixels.unreadable]
    kept_names = [names[i] for i in kept]
    faults += _pixel_faults(pixels, len(names), config) + _class_faults(kept_names)
    if faults:
        raise DataError(faults)
    classes = sorted({_class(name) for name in kept_names})
    return captioned(
        config,
        images=torch.from_numpy(pixels.pixels),
        labels=torch.tensor([classes.index(_class(name)) for name in kept_names]),
        n_classes=len(classes),
        texts=None if texts is None else [texts[i] for i in kept],
        names=kept_names,
    )


def _names(root: Path) -> list[str]:
    """Return the images below a folder, relative to it, sorted, without hidden files."""
    if not root.is_dir():
        remedy = "correct the path; a spec takes it relative to its own folder"
        raise DataError([Fault(_AT, "a folder of images", f"no folder {root}", remedy)])
    paths = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    names = [
        path.as_posix()
        for path in paths
        if path.suffix.lower() in SUFFIXES and not any(p.startswith(".") for p in path.parts)
    ]
    if not names:
        rule = f"a folder with images ({' '.join(sorted(SUFFIXES))})"
        raise DataError([Fault(_AT, rule, f"none in {root}", "put images there")])
    return sorted(names)


def _class(name: str) -> str:
    """Return the first sub-folder of a name, '' if there is none."""
    return name.split("/")[0] if "/" in name else ""


def _class_faults(names: list[str]) -> list[Fault]:
    faults = []
    loose = [name for name in names if not _class(name)]
    if 0 < len(loose) < len(names):
        rule = "all images lie in sub-folders, their classes, or none does"
        got = f"{len(loose)} of {len(names)} do not: {first_few(loose)}"
        faults.append(Fault(_AT, rule, got, "move them into a sub-folder"))
    counts = Counter(map(_class, names))
    single = [label or "the folder itself" for label, n in counts.items() if n == 1]
    if single or not names:
        rule = "a class has two images or more, one of them for validation"
        got = f"one image in {first_few(single)}" if names else "no readable image at all"
        faults.append(Fault(_AT, rule, got, "add images, or remove the class"))
    return faults


def _pixel_faults(pixels: Pixels, n: int, config: ImagesConfig) -> list[Fault]:
    faults = []
    if pixels.unreadable and not config.skip_unreadable:
        examples = first_few([f"{name} ({reason})" for name, reason in pixels.unreadable.items()])
        got = f"{len(pixels.unreadable)} of {n} cannot: {examples}"
        remedy = "replace them, or set `skip_unreadable: true` to leave them out"
        faults.append(Fault(_AT, "every image can be decoded", got, remedy))
    if pixels.mismatched:
        rule = f"images are of one size and mode, {config.size}×{config.size} "
        rule += MODES[config.channels]
        examples = first_few([f"{name} ({actual})" for name, actual in pixels.mismatched.items()])
        remedy = "set `resize: true` to crop, scale and convert them"
        if config.resize:
            remedy = (
                f"convert them yourself: resize accepts the modes {' '.join(sorted(CONVERTIBLE))}"
            )
        got = f"{len(pixels.mismatched)} of {n} are not: {examples}"
        faults.append(Fault(_AT, rule, got, remedy))
    return faults
