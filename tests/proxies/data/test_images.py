"""A folder of images: classes, fingerprint, and every way in which it can be wrong."""

import shutil

import numpy as np
from PIL import Image

from mutransfer.proxies import data
from mutransfer.proxies.data.images import load
from tests.proxies.data.image_folder import config, faults_of, write


def test_sub_folders_are_classes_in_alphabetical_order(tmp_path):
    fed = load(config(write(tmp_path), label_dropout=0.0))
    assert fed.info.shape == (3, 8, 8) and fed.info.n_classes == 2 and fed.info.caption is None
    batch = fed.batch(0, 0, 8)
    assert (batch["image"][:, 2].mean(dim=(1, 2)) > 0).tolist() == (batch["label"] == 0).tolist()
    assert batch["image"].min() >= -1 and batch["image"].max() <= 1
    assert sorted(fed.validation()["label"].tolist()) == [0, 1]
    assert set(batch) == {"image", "label"}


def test_without_sub_folders_there_is_one_class(tmp_path):
    for i in range(4):
        Image.new("RGB", (8, 8), (i, 0, 0)).save(tmp_path / f"{i}.png")
    fed = load(config(tmp_path))
    assert fed.info.n_classes == 1 and len(fed.validation()["label"]) == 1


def test_the_fingerprint_is_of_the_content_whatever_its_path(tmp_path):
    first = load(config(write(tmp_path / "a"))).fingerprint
    assert load(config(write(tmp_path / "b" / "c"))).fingerprint == first
    path = tmp_path / "a" / "red" / "0.png"
    pixels = np.asarray(Image.open(path)).copy()
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels).save(path)
    assert load(config(tmp_path / "a")).fingerprint != first
    moved = write(tmp_path / "moved")
    shutil.move(moved / "red" / "0.png", moved / "blue" / "5.png")
    assert load(config(moved)).fingerprint != first


def test_an_empty_or_absent_folder_is_one_message(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    (text,) = faults_of(tmp_path)
    assert "none in" in text and "put images there" in text
    (text,) = faults_of(tmp_path / "nowhere")
    assert "no folder" in text and "relative" in text


def test_a_class_with_one_image_is_named(tmp_path):
    write(tmp_path)
    (tmp_path / "green").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "green" / "0.png")
    (text,) = faults_of(tmp_path)
    assert "one image in green" in text and "two images or more" in text
    Image.new("RGB", (8, 8), (0, 1, 0)).save(tmp_path / "green" / "1.png")
    assert load(config(tmp_path)).info.n_classes == 3


def test_images_beside_classes_are_named(tmp_path):
    write(tmp_path)
    Image.new("RGB", (8, 8)).save(tmp_path / "loose.png")
    assert "1 of 11 do not: loose.png" in faults_of(tmp_path)[0]


def test_all_faults_are_reported_together(tmp_path):
    write(tmp_path, captions=True)
    (tmp_path / "red" / "0.png").write_bytes(b"")
    Image.new("RGB", (9, 9)).save(tmp_path / "red" / "1.png")
    (tmp_path / "green").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "green" / "0.png")
    text = "\n".join(faults_of(tmp_path))
    for phrase in (
        "caption in metadata",
        "can be decoded",
        "one size and mode",
        "one image in green",
    ):
        assert phrase in text


def test_hidden_files_and_other_files_are_ignored(tmp_path):
    write(tmp_path)
    (tmp_path / "red" / ".DS_Store.png").write_bytes(b"x")
    (tmp_path / "red" / "readme.md").write_text("x")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.png").write_bytes(b"x")
    assert data.info(config(tmp_path)).n_classes == 2
