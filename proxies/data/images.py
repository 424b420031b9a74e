"""A folder of images, whose sub-folders are classes, with or without captions."""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from mutransfer.proxies.config.data import ImagesConfig
from mutransfer.proxies.data import cache
from mutransfer.proxies.data.captioned import captioned
from mutransfer.proxies.data.feed import Feed
from mutransfer.proxies.errors import DataError, Fault, some

MODES = {1: "L", 3: "RGB"}

CONVERTIBLE = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})


@dataclass(frozen=True, eq=False, kw_only=True)
class Pixels:
    """What a list of files holds.

    Attributes:
        pixels: (n, C, S, S) uint8 of the files that are fit for use, in their order.
        unreadable: By name, why a file could not be decoded.
        odd: By name, size and mode of a file that are not as asked for.
    """

    pixels: np.ndarray
    unreadable: dict[str, str]
    odd: dict[str, str]


def read(root: Path, names: list[str], config: ImagesConfig) -> Pixels:
    """Return the pixels of the files of these names, relative to `root`."""
    recipe = (config.size, config.channels, config.resize, Image.__version__)
    sha = hashlib.sha256(repr(recipe).encode())
    for name in names:
        content = _bytes(root / name)
        sha.update(f"\n{name} {len(content)}\n".encode())
        sha.update(content)
    made = cache.arrays(f"images-{sha.hexdigest()[:16]}", lambda: _decode_all(root, names, config))
    return Pixels(
        pixels=made["pixels"],
        unreadable=dict(made["unreadable"].tolist()),
        odd=dict(made["odd"].tolist()),
    )


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # decoding it says why


def _decode_all(root: Path, names: list[str], config: ImagesConfig) -> cache.Arrays:
    size, channels = config.size, config.channels
    pixels, odd, unreadable = [], [], []
    for name in names:
        try:
            image = _decoded(root / name)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            unreadable.append((name, str(error).replace(str(root / name), "") or "broken"))
            continue
        if config.resize and image.mode in CONVERTIBLE:
            image = _fitted(image, config)
        if image.size == (size, size) and image.mode == MODES[channels]:
            pixels.append(np.asarray(image).reshape(size, size, channels).transpose(2, 0, 1))
        else:
            odd.append((name, f"{image.width}×{image.height} {image.mode}"))
    empty = np.empty((0, channels, size, size), np.uint8)
    return {
        "pixels": np.stack(pixels) if pixels else empty,
        "unreadable": np.array(unreadable, dtype=np.str_).reshape(-1, 2),
        "odd": np.array(odd, dtype=np.str_).reshape(-1, 2),
    }


def _decoded(path: Path) -> Image.Image:
    """Return an image decoded to its last byte; of an animation, the first frame."""
    with Image.open(path) as image:
        image.load()
        return image.copy()


def _fitted(image: Image.Image, config: ImagesConfig) -> Image.Image:
    """Return the middle square of an image on white, scaled, in the mode of the channels."""
    if image.mode in ("LA", "P", "PA", "RGBA"):
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.convert(MODES[config.channels]).crop((left, top, left + side, top + side))
    return square.resize((config.size, config.size), Image.Resampling.BICUBIC)


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


METADATA = "metadata.jsonl"

_AT = ("data", "path")


def captions(root: Path, names: list[str]) -> tuple[list[str] | None, list[Fault]]:
    """Return the caption of each image (None without a metadata file) and what is wrong."""
    path = root / METADATA
    if not path.exists():
        return None, []
    text_of, faults = _read(path)
    if absent := sorted(set(text_of) - set(names)):
        rule = f"every file_name of {METADATA} is an image below the folder"
        got = f"{len(absent)} are not: {some(absent)}"
        faults.append(Fault(_AT, rule, got, "add the files, or remove the lines"))
    if bare := [name for name in names if name not in text_of]:
        rule = f"every image has a caption in {METADATA}"
        got = f"{len(bare)} of {len(names)} have none: {some(bare)}"
        faults.append(Fault(_AT, rule, got, "add lines with file_name and text"))
    return [text_of.get(name, "") for name in names], faults


def _read(path: Path) -> tuple[dict[str, str], list[Fault]]:
    """Return captions by file name, and the lines that are none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        return {}, [Fault(_AT, f"{METADATA} is UTF-8 text", str(error), "write it again")]
    entries = [(number, _entry(line)) for number, line in enumerate(lines, 1) if line.strip()]
    text_of = dict(entry for _, entry in entries if entry is not None)
    wrong = [str(number) for number, entry in entries if entry is None]
    if not wrong:
        return text_of, []
    rule = f'a line of {METADATA} is {{"file_name": "a/b.png", "text": "a caption"}}'
    return text_of, [Fault(_AT, rule, f"not so: line {some(wrong)}", "correct these lines")]


def _entry(line: str) -> tuple[str, str] | None:
    try:
        entry: Any = json.loads(line)
    except json.JSONDecodeError:
        return None
    if not isinstance(entry, dict):
        return None
    name, text = entry.get("file_name"), entry.get("text")
    return (name, text) if isinstance(name, str) and isinstance(text, str) else None
