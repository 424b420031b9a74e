"""A folder of images: classes, fingerprint, and every way in which it can be wrong."""

import shutil

import numpy as np
import pytest
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
        "every image has a caption",
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


def split_folder(folder, classes=("red", "blue"), splits=("train", "val")):
    for i, name in enumerate(f"{s}/{c}/{n}.png" for s in splits for c in classes for n in range(3)):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8), (i, 0, 0)).save(path)
    return folder


def test_splits_are_understood_and_validation_is_not_trained_on(tmp_path):
    fed = load(config(split_folder(tmp_path, splits=("train", "val", "test")), label_dropout=0.0))
    assert fed.info.n_classes == 2
    trained = {int(v) for v in fed.batch(0, 0, 6)["image"][:, 0, 0, 0].add(1).mul(127.5).round()}
    validated = {int(v) for v in fed.validation()["image"][:, 0, 0, 0].add(1).mul(127.5).round()}
    assert (trained, validated) == (set(range(6)), set(range(6, 12)))
    text = "\n".join(fed.findings.lines)
    assert "12 images [3, 8, 8] in 2 classes: blue 6, red 6" in text
    assert "6 images of the split test" in text and "6 of them are the validation split" in text
    assert fed.findings.warnings == ()


def test_the_same_folders_are_classes_if_the_user_says_so(tmp_path):
    fed = load(config(split_folder(tmp_path), splits="none"))
    assert fed.info.n_classes == 2 and len(fed.validation()["label"]) == 2
    assert fed.fingerprint != load(config(tmp_path)).fingerprint


@pytest.mark.parametrize("extra", ["other", "training"])
def test_what_may_be_splits_or_classes_is_asked(tmp_path, extra):
    split_folder(tmp_path, splits=("train", "val", extra))
    (text,) = faults_of(tmp_path)
    assert "or they are the splits" in text and "`splits: none`" in text
    assert load(config(tmp_path, splits="none")).info.n_classes == 3


def test_a_class_that_is_called_train_among_others_is_a_class(tmp_path):
    for name in ("car", "train"):
        (tmp_path / name).mkdir()
        for i in range(2):
            Image.new("RGB", (8, 8), (i, 0, 0)).save(tmp_path / name / f"{i}.png")
    assert load(config(tmp_path)).info.n_classes == 2


def test_a_train_split_alone_is_divided(tmp_path):
    fed = load(config(split_folder(tmp_path, splits=("train",))))
    assert fed.info.n_classes == 2 and len(fed.validation()["label"]) == 2


def test_a_class_for_validation_alone_and_images_in_both_splits_are_told(tmp_path):
    split_folder(tmp_path)
    shutil.copy(tmp_path / "train/red/0.png", tmp_path / "val/red/0.png")
    assert (
        "1 images of the validation split are in training too"
        in load(config(tmp_path)).findings.warnings
    )
    shutil.copytree(tmp_path / "val/red", tmp_path / "val/green")
    assert "only for validation: green" in faults_of(tmp_path)[0]


def test_links_to_folders_are_followed_and_circles_are_not(tmp_path):
    write(tmp_path / "real")
    folder = tmp_path / "linked"
    folder.mkdir()
    for name in ("red", "blue"):
        (folder / name).symlink_to(tmp_path / "real" / name)
    (tmp_path / "real" / "red" / "circle").symlink_to(folder)
    (tmp_path / "real" / "red" / "up").symlink_to(tmp_path / "real" / "red")
    fed = load(config(folder))
    assert fed.info.n_classes == 2 and len(fed.findings.lines) == 1


def test_a_link_to_a_file_that_is_gone_is_named(tmp_path):
    write(tmp_path)
    (tmp_path / "red" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert "red/gone.png" in faults_of(tmp_path)[0]


@pytest.mark.parametrize("ending", ["avif", "jfif", "jp2", "jpe", "ppm", "tga", "JPG"])
def test_every_format_that_a_viewer_shows_is_read(tmp_path, ending):
    for i in range(2):
        image = Image.new("RGB", (8, 8), (200, 0, 0))
        image.save(tmp_path / f"{i}.{ending}", format={"jfif": "JPEG"}.get(ending))
    red = load(config(tmp_path)).validation()["image"][0].mean(dim=(1, 2))
    assert red[0] > 0.4 and red[1] < -0.9


def test_what_is_left_out_is_counted_and_unread_images_are_warned_of(tmp_path):
    write(tmp_path)
    for name in ("a.heic", "b.heic", "notes.md", ".DS_Store", "red/LICENSE"):
        (tmp_path / name).write_bytes(b"x")
    findings = load(config(tmp_path)).findings
    assert (
        "left out, not read as images: 2 .heic, 1 .md, 1 without ending, 1 hidden" in findings.lines
    )
    (warning,) = findings.warnings
    assert "2 images are of formats that Pillow does not read: a.heic, b.heic" in warning
