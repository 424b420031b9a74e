"""The pixels of image files as a viewer shows them: decoded, fitted, and cached by content."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps

from mutransfer.proxies.config.data import ImagesConfig
from mutransfer.proxies.files import cache

MODES = {1: "L", 3: "RGB"}  # Pillow's mode by number of channels
# Modes of 8 bits or fewer; those of 16 and 32 bits would lose values.
CONVERTIBLE = frozenset(
    {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr"}
)
# Part of the cache's key: raise it where decoding gives other pixels.
_RULES = 2


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
    recipe = (config.size, config.channels, config.resize, config.aspect, Image.__version__, _RULES)
    sha = hashlib.sha256(repr(recipe).encode())
    for name in names:
        content = _bytes(root / name)
        sha.update(f"\n{name} {len(content)}\n".encode())
        sha.update(content)
    key = f"images-{sha.hexdigest()[:16]}"
    return _as_pixels(cache.arrays(key, lambda: _decode_all(root, names, config)))


def decode(root: Path, names: list[str], config: ImagesConfig) -> Pixels:
    """Return what `read_pixels` does, without the cache."""
    return _as_pixels(_decode_all(root, names, config))


def _as_pixels(arrays: cache.Arrays) -> Pixels:
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
            image = decoded(root / name)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            unreadable.append((name, str(error).replace(str(root / name), "") or "broken"))
            continue
        what = f"{image.width}×{image.height} {image.mode}"
        if config.resize and image.mode in CONVERTIBLE and _may_be_fitted(image, config):
            image = _fitted(image, config)
        elif image.has_transparency_data:
            what += " with transparency"
        is_right = image.size == (size, size) and image.mode == MODES[channels]
        if is_right and not image.has_transparency_data:
            pixels.append(np.asarray(image).reshape(size, size, channels).transpose(2, 0, 1))
        else:
            mismatched.append((name, what))
    empty = np.empty((0, channels, size, size), np.uint8)
    return {
        "pixels": np.stack(pixels) if pixels else empty,
        "unreadable": np.array(unreadable, dtype=np.str_).reshape(-1, 2),
        "odd": np.array(mismatched, dtype=np.str_).reshape(-1, 2),
    }


def decoded(path: Path) -> Image.Image:
    """Return an image, decoded to its last byte, as a viewer shows it.

    That is: turned as its EXIF data say, its colours in sRGB; of an animation, the first frame.
    """
    with Image.open(path) as image:
        image.load()
        return _in_srgb(ImageOps.exif_transpose(image).copy())


def _in_srgb(image: Image.Image) -> Image.Image:
    """Return an image with its colour profile applied, if it has one other than sRGB."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "RGBA", "P", "CMYK", "L"):
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return image
        target = ImageCms.createProfile("sRGB")
        if image.mode == "P" or image.has_transparency_data:
            image = image.convert("RGBA" if image.has_transparency_data else "RGB")
        mode = "RGBA" if image.mode == "RGBA" else "RGB"
        shown = ImageCms.profileToProfile(image, source, target, outputMode=mode)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image  # a viewer ignores a profile that it cannot read
    return image if shown is None else shown.convert("L" if image.mode == "L" else mode)


def on_white(image: Image.Image, mode: str) -> Image.Image:
    """Return an image in another mode; where it is transparent, white shows through."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(mode)


def _may_be_fitted(image: Image.Image, config: ImagesConfig) -> bool:
    return config.aspect != "refuse" or image.width == image.height


def _fitted(image: Image.Image, config: ImagesConfig) -> Image.Image:
    """Return an image scaled to the configured square, in the mode of the channels."""
    size, bicubic = (config.size, config.size), Image.Resampling.BICUBIC
    image = on_white(image, MODES[config.channels])
    if config.aspect == "pad":
        return ImageOps.pad(image, size, method=bicubic, color="white")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side)).resize(size, bicubic)
