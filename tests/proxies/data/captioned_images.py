"""Random images in memory with classes, captions and features of a random network."""

import torch

from mutransfer.proxies.config.data import OpenmojiConfig
from mutransfer.proxies.data.captioned import captioned
from mutransfer.proxies.data.feed import Feed

COLOURS = ("red", "green", "blue")


def images(n: int, size: int = 16) -> torch.Tensor:
    rng = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (n, 3, size, size), generator=rng, dtype=torch.uint8)


def labels(n: int) -> torch.Tensor:
    return torch.arange(n) % len(COLOURS)


def texts(n: int) -> list[str]:
    """Captions, all different, whose second word is the class."""
    return [f"a {COLOURS[i % len(COLOURS)]} number{i}" for i in range(n)]


def feed(n: int = 60, *, has_captions: bool = True, pixels=None, **options) -> Feed:
    return captioned(
        OpenmojiConfig(**options),
        images=images(n) if pixels is None else pixels,
        labels=labels(n),
        n_classes=len(COLOURS),
        texts=texts(n) if has_captions else None,
        names=[f"{i}.png" for i in range(n)],
    )
