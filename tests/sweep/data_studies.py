"""Specs of the tiny study with other data, and the files that they need."""

import json

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from tests.sweep.conftest import TINY

DIGITS = "data: {source: digits, val_draws: 1}"


DIT = "model: {family: dit, depth: 1, head_dim: 8, base_width: 16, patch_size: 4}"


PIXART = DIT.replace("family: dit", "family: pixart")


IMAGES = "data: {source: images, path: pictures, size: 8, val_draws: 1}"


LATENTS = (
    "data: {source: latents, path: shards, n_samples: 40, n_validation: 8, shape: [4, 8, 8], "
    "n_classes: 2, val_draws: 1}"
)


def tiny_with(section=DIGITS, model=DIT):
    assert DIGITS in TINY and DIT in TINY
    return TINY.replace(DIGITS, section).replace(DIT, model)


def pictures(folder, captions=()):
    rng = np.random.default_rng(0)
    lines = []
    for i in range(24):
        path = folder / "pictures" / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        flat = np.full((8, 8, 3), rng.integers(0, 256, 3), np.uint8)
        Image.fromarray(flat).save(path)
        name = path.relative_to(folder / "pictures").as_posix()
        lines += [{"file_name": name, "text": text} for text in captions]
    if captions:
        text = "\n".join(map(json.dumps, lines))
        (folder / "pictures" / "metadata.jsonl").write_text(text)


def shards(folder):
    image = torch.linspace(-1, 1, 40)[:, None, None, None].expand(40, 4, 8, 8).contiguous()
    (folder / "shards").mkdir()
    save_file({"image": image, "label": torch.arange(40) % 2}, folder / "shards" / "0.safetensors")
