"""A folder of images, with every way in which it can be wrong."""

import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from mutransfer.proxies import data
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


def test_sub_folders_are_classes_in_alphabetical_order(tmp_path):
    fed = load(config(write(tmp_path), label_dropout=0.0))
    assert fed.info.shape == (3, 8, 8) and fed.info.n_classes == 2 and fed.info.caption is None
    batch = fed.batch(0, 0, 8)
    assert (batch["image"][:, 2].mean(dim=(1, 2)) > 0).tolist() == (batch["label"] == 0).tolist()
    assert batch["image"].min() >= -1 and batch["image"].max() <= 1
    assert sorted(fed.validation()["label"].tolist()) == [0, 1]
    assert set(batch) == {"image", "label"}


def test_captions_come_from_the_metadata(tmp_path):
    fed = load(config(write(tmp_path, captions=True), caption_length=5))
    assert fed.info.caption == (5, 32)
    texts, parts = fed.validation_texts(), fed.validation()
    assert all(text.split()[1] in COLOURS for text in texts)
    for text, label in zip(texts, parts["label"].tolist(), strict=True):
        assert text.split()[1] == ("blue", "red")[label]


def test_without_sub_folders_there_is_one_class(tmp_path):
    for i in range(4):
        Image.new("RGB", (8, 8), (i, 0, 0)).save(tmp_path / f"{i}.png")
    fed = load(config(tmp_path))
    assert fed.info.n_classes == 1 and len(fed.validation()["label"]) == 1


def test_the_fingerprint_is_of_the_content_wherever_it_lies(tmp_path):
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


def test_decoding_is_kept_by_content_and_name(tmp_path, monkeypatch):
    folder = write(tmp_path / "a")
    monkeypatch.setenv("MUTRANSFER_CACHE", str(tmp_path / "cache"))
    first = load(config(folder))
    monkeypatch.setattr(
        "mutransfer.proxies.data.images._decode_all", lambda *a: pytest.fail("again")
    )
    assert load(config(folder)).fingerprint == first.fingerprint


def test_mixed_sizes_and_modes_are_named_unless_they_may_be_converted(tmp_path):
    write(tmp_path)
    Image.new("RGB", (12, 8), (200, 0, 0)).save(tmp_path / "red" / "wide.png")
    Image.new("RGBA", (8, 8), (200, 0, 0, 255)).save(tmp_path / "red" / "alpha.png")
    Image.new("L", (8, 8), 100).save(tmp_path / "red" / "grey.png")
    (text,) = faults_of(tmp_path)
    for told in ("3 of 13", "red/wide.png (12×8 RGB)", "red/grey.png (8×8 L)", "resize: true"):
        assert told in text
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
    whole = (tmp_path / "red" / "0.png").read_bytes()
    (tmp_path / "red" / "0.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "blue" / "1.png").write_bytes(b"no image")
    (text,) = faults_of(tmp_path)
    assert "2 of 10" in text and "red/0.png" in text and "blue/1.png" in text
    assert "skip_unreadable: true" in text
    fed = load(config(tmp_path, skip_unreadable=True))
    assert len(fed.batch(0, 0, 6)["label"]) == 6 and len(fed.validation()["label"]) == 2


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


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("not json", "not so: line 11"),
        ('{"file_name": "red/0.png"}', "not so: line 11"),
        ("[1]", "not so: line 11"),
        ('{"file_name": "red/none.png", "text": "x"}', "1 are not: red/none.png"),
    ],
)
def test_metadata_that_cannot_be_used_is_named_by_line(tmp_path, line, told):
    write(tmp_path, captions=True)
    with (tmp_path / "metadata.jsonl").open("a") as file:
        file.write(line + "\n")
    assert told in faults_of(tmp_path)[0]


def test_images_without_a_caption_are_named(tmp_path):
    write(tmp_path, captions=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "red" / "9.png")
    assert "1 of 11 have none: red/9.png" in faults_of(tmp_path)[0]


def test_all_faults_are_told_together(tmp_path):
    write(tmp_path, captions=True)
    (tmp_path / "red" / "0.png").write_bytes(b"")
    Image.new("RGB", (9, 9)).save(tmp_path / "red" / "1.png")
    (tmp_path / "green").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "green" / "0.png")
    told = "\n".join(faults_of(tmp_path))
    for word in (
        "caption in metadata",
        "can be decoded",
        "one size and mode",
        "one image in green",
    ):
        assert word in told


def test_hidden_files_and_other_files_are_not_looked_at(tmp_path):
    write(tmp_path)
    (tmp_path / "red" / ".DS_Store.png").write_bytes(b"x")
    (tmp_path / "red" / "readme.md").write_text("x")
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.png").write_bytes(b"x")
    assert data.info(config(tmp_path)).n_classes == 2
