"""Pixels of image files: decoding, conversion, cache, and every way in which they can be wrong."""

import numpy as np
import pytest
import torch
from PIL import Image

from mutransfer.proxies.data.images import load
from tests.proxies.data.image_folder import config, faults_of, write


def test_decoding_is_kept_by_content_and_name(tmp_path, monkeypatch):
    folder = write(tmp_path / "a")
    monkeypatch.setenv("MUTRANSFER_CACHE", str(tmp_path / "cache"))
    first = load(config(folder))
    monkeypatch.setattr(
        "mutransfer.proxies.files.pixels._decode_all", lambda *a: pytest.fail("again")
    )
    assert load(config(folder)).fingerprint == first.fingerprint


def test_mixed_sizes_and_modes_are_named_unless_they_may_be_converted(tmp_path):
    write(tmp_path)
    Image.new("RGB", (12, 8), (200, 0, 0)).save(tmp_path / "red" / "wide.png")
    Image.new("RGBA", (8, 8), (200, 0, 0, 255)).save(tmp_path / "red" / "alpha.png")
    Image.new("L", (8, 8), 100).save(tmp_path / "red" / "grey.png")
    (text,) = faults_of(tmp_path)
    for phrase in ("3 of 13", "red/wide.png (12×8 RGB)", "red/grey.png (8×8 L)", "resize: true"):
        assert phrase in text
    assert load(config(tmp_path, resize=True)).info.shape == (3, 8, 8)
    assert load(config(tmp_path, resize=True, channels=1)).info.shape == (1, 8, 8)


def test_resizing_keeps_the_middle_and_puts_it_on_white(tmp_path):
    wide = np.zeros((8, 24, 4), np.uint8)
    wide[:, 8:16] = (255, 0, 0, 255)  # the middle; left and right are transparent
    for i in range(2):
        Image.fromarray(wide).save(tmp_path / f"{i}.png")
    image = load(config(tmp_path, resize=True)).validation()["image"][0]
    assert torch.equal(image[:, 4, 4], torch.tensor([1.0, -1.0, -1.0]))
    Image.fromarray(np.zeros((8, 8, 4), np.uint8)).save(tmp_path / "0.png")
    Image.fromarray(np.zeros((8, 8, 4), np.uint8)).save(tmp_path / "1.png")
    assert (load(config(tmp_path, resize=True)).validation()["image"] == 1).all()


def test_a_mode_that_loses_values_is_never_converted(tmp_path):
    for i in range(2):
        Image.fromarray(np.full((8, 8), 40_000, np.uint16)).save(tmp_path / f"{i}.png")
    (text,) = faults_of(tmp_path, resize=True)
    assert "I;16" in text and "convert them yourself" in text


def test_corrupt_images_are_named_and_skipped_only_if_the_user_says_so(tmp_path):
    write(tmp_path, captions=True)
    content = (tmp_path / "red" / "0.png").read_bytes()
    (tmp_path / "red" / "0.png").write_bytes(content[: len(content) // 2])
    (tmp_path / "blue" / "1.png").write_bytes(b"no image")
    (text,) = faults_of(tmp_path)
    assert "2 of 10" in text and "red/0.png" in text and "blue/1.png" in text
    assert "skip_unreadable: true" in text
    fed = load(config(tmp_path, skip_unreadable=True))
    assert len(fed.batch(0, 0, 6)["label"]) == 6 and len(fed.validation()["label"]) == 2
