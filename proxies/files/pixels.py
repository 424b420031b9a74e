"""The pixels of image files: decoded, converted if allowed, and cached by content."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from mutransfer.proxies.config.data import ImagesConfig
from mutransfer.proxies.files import cache

MODES = {1: "L", 3: "RGB"}  # Pillow's mode by number of channels
# Modes of 8 bits or fewer; those of 16 and 32 bits would lose values.
CONVERTIBLE = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})


@dataclass(frozen=True, eq=False, kw_only=True)
class Pixels:
    """The contents of a list of image files.

    Attributes:
        pixels: (n, C, S, S) uint8 of the usable files, in their order.
        unreadable: By name, why a file could not be decoded.
        mismatched: By name, size and mode of a file that differ from the configured ones.
    """

    pixels: np.ndarray
    unreadable: dict[str, str]
    mismatched: dict[str, str]


def read_pixels(root: Path, names: list[str], config: ImagesConfig) -> Pixels:
    """Return the pixels of the files of these names, relative to `root`; cached by content."""
    recipe = (config.size, config.channels, config.resize, Image.__version__)
    sha = hashlib.sha256(repr(recipe).encode())
    for name in names:
        content = _bytes(root / name)
        sha.update(f"\n{name} {len(content)}\n".encode())
        sha.update(content)
    key = f"images-{sha.hexdigest()[:16]}"
    arrays = cache.arrays(key, lambda: _decode_all(root, names, config))
    return Pixels(
        pixels=arrays["pixels"],
        unreadable=dict(arrays["unreadable"].tolist()),
        mismatched=dict(arrays["odd"].tolist()),
    )


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # decoding it reports why


def _decode_all(root: Path, names: list[str], config: ImagesConfig) -> cache.Arrays:
    size, channels = config.size, config.channels
    pixels, mismatched, unreadable = [], [], []
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
            mismatched.append((name, f"{image.width}×{image.height} {image.mode}"))
    empty = np.empty((0, channels, size, size), np.uint8)
    return {
        "pixels": np.stack(pixels) if pixels else empty,
        "unreadable": np.array(unreadable, dtype=np.str_).reshape(-1, 2),
        "odd": np.array(mismatched, dtype=np.str_).reshape(-1, 2),
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
