"""Captions from metadata.jsonl, and every way in which it can be wrong."""

import pytest
from PIL import Image

from mutransfer.proxies.data.images import load
from tests.proxies.data.image_folder import COLOURS, config, faults_of, write


def test_captions_come_from_the_metadata(tmp_path):
    fed = load(config(write(tmp_path, captions=True), caption_length=5))
    assert fed.info.caption == (5, 32)
    texts, parts = fed.validation_texts(), fed.validation()
    assert all(text.split()[1] in COLOURS for text in texts)
    for text, label in zip(texts, parts["label"].tolist(), strict=True):
        assert text.split()[1] == ("blue", "red")[label]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not json", "not so: line 11"),
        ('{"file_name": "red/0.png"}', "not so: line 11"),
        ("[1]", "not so: line 11"),
        ('{"file_name": "red/none.png", "text": "x"}', "1 are not: red/none.png"),
    ],
)
def test_metadata_that_cannot_be_used_is_named_by_line(tmp_path, line, message):
    write(tmp_path, captions=True)
    with (tmp_path / "metadata.jsonl").open("a") as file:
        file.write(line + "\n")
    assert message in faults_of(tmp_path)[0]


def test_images_without_a_caption_are_named(tmp_path):
    write(tmp_path, captions=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "red" / "9.png")
    assert "1 of 11 have none: red/9.png" in faults_of(tmp_path)[0]
