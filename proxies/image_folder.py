"""A folder of images, whose sub-folders are classes, with or without captions."""

from collections import Counter
from pathlib import Path

import torch

from proxies.captioned import captioned
from proxies.data_config import ImagesConfig
from proxies.feed import Feed
from proxies.image_captions import captions
from proxies.image_pixels import CONVERTIBLE, MODES, Pixels, read
from proxies.limits import DataError, Fault, some

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
_AT = ("data", "path")


def load(config: ImagesConfig) -> Feed:
    """Return the images of a folder in [-1, 1]; where none lies in a sub-folder, one class.

    Raises:
        DataError: all that is wrong with the folder, with examples.
    """
    root = Path(config.path)
    names = _names(root)
    texts, faults = captions(root, names)
    found = read(root, names, config)
    kept = [i for i, name in enumerate(names) if name not in found.unreadable]
    of_kept = [names[i] for i in kept]
    faults += _pixel_faults(found, len(names), config) + _class_faults(of_kept)
    if faults:
        raise DataError(faults)
    classes = sorted({_class(name) for name in of_kept})
    return captioned(
        config,
        images=torch.from_numpy(found.pixels),
        labels=torch.tensor([classes.index(_class(name)) for name in of_kept]),
        n_classes=len(classes),
        texts=None if texts is None else [texts[i] for i in kept],
        names=of_kept,
    )


def _names(root: Path) -> list[str]:
    """Return the images below a folder, relative to it, sorted; hidden files are not looked at."""
    if not root.is_dir():
        remedy = "correct the path; a spec takes it relative to its own folder"
        raise DataError([Fault(_AT, "a folder of images", f"no folder {root}", remedy)])
    found = [path.relative_to(root) for path in root.rglob("*") if path.is_file()]
    names = [
        path.as_posix()
        for path in found
        if path.suffix.lower() in SUFFIXES and not any(p.startswith(".") for p in path.parts)
    ]
    if not names:
        rule = f"a folder with images ({' '.join(sorted(SUFFIXES))})"
        raise DataError([Fault(_AT, rule, f"none in {root}", "put images there")])
    return sorted(names)


def _class(name: str) -> str:
    """Return the first sub-folder of a name, '' where there is none."""
    return name.split("/")[0] if "/" in name else ""


def _class_faults(names: list[str]) -> list[Fault]:
    found = []
    loose = [name for name in names if not _class(name)]
    if 0 < len(loose) < len(names):
        rule = "all images lie in sub-folders, their classes, or none does"
        got = f"{len(loose)} of {len(names)} do not: {some(loose)}"
        found.append(Fault(_AT, rule, got, "move them into a sub-folder"))
    counts = Counter(map(_class, names))
    single = [label or "the folder itself" for label, n in counts.items() if n == 1]
    if single or not names:
        rule = "a class has two images or more, one of them for validation"
        got = f"one image in {some(single)}" if names else "no readable image at all"
        found.append(Fault(_AT, rule, got, "add images, or remove the class"))
    return found


def _pixel_faults(found: Pixels, n: int, config: ImagesConfig) -> list[Fault]:
    faults = []
    if found.unreadable and not config.skip_unreadable:
        shown = some([f"{name} ({reason})" for name, reason in found.unreadable.items()])
        got = f"{len(found.unreadable)} of {n} cannot: {shown}"
        remedy = "replace them, or set `skip_unreadable: true` to leave them out"
        faults.append(Fault(_AT, "every image can be decoded", got, remedy))
    if found.odd:
        rule = f"images are of one size and mode, {config.size}×{config.size} "
        rule += MODES[config.channels]
        shown = some([f"{name} ({look})" for name, look in found.odd.items()])
        remedy = "set `resize: true` to crop, scale and convert them"
        if config.resize:
            remedy = (
                f"convert them yourself: resize takes the modes {' '.join(sorted(CONVERTIBLE))}"
            )
        faults.append(Fault(_AT, rule, f"{len(found.odd)} of {n} are not: {shown}", remedy))
    return faults
