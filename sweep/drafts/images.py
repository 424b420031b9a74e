"""A draft for a folder of images: size, channels and captions as the folder has them."""

from collections import Counter
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from mutransfer.proxies import data
from mutransfer.proxies.config.data import ImagesConfig
from mutransfer.proxies.data.words import words
from mutransfer.proxies.files.folder import listing, split
from mutransfer.proxies.files.metadata import read_captions
from mutransfer.sweep.drafts.draft import Draft, patch_size

# A proxy is tuned on small images; transfer is along width.
LARGEST, MOST_LOOKED_AT, MOST_WORDS = 32, 500, 77
GREY = frozenset({"1", "L", "LA"})


def images_draft(folder: Path) -> Draft:
    """A draft for the images below a folder.

    Raises:
        DataError: images that no trial can train on, even when they are scaled and converted.
    """
    files = listing(folder)
    names = split(files.images, is_asked=True).names
    sizes, modes = _headers(folder, names)
    smallest = min(min(size) for size in sizes) if sizes else LARGEST
    side = max(power for power in (8, 16, LARGEST) if power <= max(8, smallest))
    channels = 1 if modes and set(modes) <= GREY else 3
    section: dict[str, Any] = {"source": "images", "path": str(folder), "size": side}
    section |= {"channels": channels, "resize": True}
    captions = read_captions(folder, files.images, files.others, "text")
    texts = captions.of(names)
    if texts:
        longest = max(len(words(text)) for text in texts)
        section |= {"caption_length": max(1, min(longest, MOST_WORDS))}
        section |= {"truncate": True} if longest > MOST_WORDS else {}
    found = data.look(ImagesConfig(**{k: v for k, v in section.items() if k != "source"}))
    common = ", ".join(f"{w}×{h} {n}" for (w, h), n in Counter(sizes).most_common(3))
    seen = (*found.lines, f"sizes, of {len(sizes)} looked at: {common}", *found.warnings)
    model = {"family": "pixart" if texts else "dit", "depth": 2, "head_dim": 16}
    return Draft(data=section, model={**model, "patch_size": patch_size(side)}, seen=seen)


def _headers(folder: Path, names: list[str]) -> tuple[list[tuple[int, int]], list[str]]:
    """Sizes and modes of evenly spaced images, without decoding them."""
    sizes, modes = [], []
    for name in names[:: max(1, len(names) // MOST_LOOKED_AT)]:
        try:
            with Image.open(folder / name) as image:
                sizes.append(image.size)
                modes.append(image.mode)
        except (OSError, UnidentifiedImageError):
            continue  # decoding it names it
    return sizes, modes
