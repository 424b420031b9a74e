"""A folder of small images to load, and the faults of loading it."""

import json

import pytest
from PIL import Image

from mutransfer.proxies.config.data import ImagesConfig
from mutransfer.proxies.data.images import load
from mutransfer.proxies.errors import DataError

COLOURS = {"red": (200, 0, 0), "blue": (0, 0, 200)}


def write(folder, n=5, size=(8, 8), mode="RGB", captions=False):
    """Two classes of nearly uniform colour."""
    lines = []
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(n):
            path = folder / name / f"{i}.png"
            Image.new("RGB", size, tuple(c + i for c in colour)).convert(mode).save(path)
            lines.append({"file_name": f"{name}/{i}.png", "text": f"a {name} square, number {i}"})
    if captions:
        text = "\n".join(map(json.dumps, lines))
        (folder / "metadata.jsonl").write_text(text + "\n", encoding="utf-8")
    return folder


def config(folder, **options):
    return ImagesConfig(path=str(folder), size=8, **options)


def faults_of(folder, **options):
    with pytest.raises(DataError) as caught:
        load(config(folder, **options))
    return [str(fault) for fault in caught.value.faults]
