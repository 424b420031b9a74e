"""Captions beside images, and every way in which their files can be wrong."""

import csv
import json
import unicodedata

import pandas as pd
import pytest
from PIL import Image

from mutransfer.proxies.data.images import load
from tests.proxies.data.image_folder import COLOURS, config, faults_of, write

NAMES = [f"{colour}/{i}.png" for colour in COLOURS for i in range(5)]


def entries():
    return [{"file_name": name, "text": f"a {name[:3]} one, {i}"} for i, name in enumerate(NAMES)]


def jsonl(path, rows, encoding="utf-8"):
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), encoding)


def captions(folder, **options):
    """Caption by class and number of all images, in the order of the samples."""
    fed = load(config(folder, caption_length=9, **options))
    return fed.fingerprint, fed.findings.lines[-1]


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "images")
    return tmp_path / "images"


@pytest.fixture
def expected(tmp_path):
    write(tmp_path / "expected")
    jsonl(tmp_path / "expected" / "metadata.jsonl", entries())
    return captions(tmp_path / "expected")[0]


def test_captions_come_from_the_metadata(tmp_path):
    fed = load(config(write(tmp_path, captions=True), caption_length=5))
    assert fed.info.caption == (5, 32)
    texts, parts = fed.validation_texts(), fed.validation()
    assert all(text.split()[1] in COLOURS for text in texts)
    for text, label in zip(texts, parts["label"].tolist(), strict=True):
        assert text.split()[1] == ("blue", "red")[label]


def in_csv(folder, rows):
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def in_parquet(folder, rows):
    pd.DataFrame(rows).to_parquet(folder / "metadata.parquet")


def beside(folder, rows):
    for row in rows:
        (folder / row["file_name"]).with_suffix(".txt").write_text(row["text"] + "\n", "utf-8-sig")


def in_each_class(folder, rows):
    for colour in COLOURS:
        of_class = [r for r in rows if r["file_name"].startswith(colour)]
        below = [r | {"file_name": r["file_name"].split("/")[1]} for r in of_class]
        jsonl(folder / colour / "metadata.jsonl", below)


def with_byte_order_mark(folder, rows):
    jsonl(folder / "metadata.jsonl", rows, "utf-8-sig")


def on_windows(folder, rows):
    renamed = [r | {"file_name": r["file_name"].replace("/", "\\")} for r in rows]
    jsonl(folder / "metadata.jsonl", renamed)


def with_a_dot(folder, rows):
    jsonl(folder / "metadata.jsonl", [r | {"file_name": "./" + r["file_name"]} for r in rows])


def with_lines_twice(folder, rows):
    jsonl(folder / "metadata.jsonl", [*rows, *rows])


@pytest.mark.parametrize(
    "store",
    [in_csv, in_parquet, beside, in_each_class, with_byte_order_mark, on_windows, with_a_dot,
     with_lines_twice],
)  # fmt: skip
def test_captions_are_the_same_however_they_are_stored(folder, expected, store):
    store(folder, entries())
    fingerprint, line = captions(folder)
    assert fingerprint == expected and "10 different captions of up to 4 words, from" in line
    assert captions(folder, captions="none")[0] != expected  # the control


def test_a_line_separator_of_unicode_ends_no_line(folder):
    rows = entries()
    rows[0]["text"] += "\u2028and more\x85\x0c"
    jsonl(folder / "metadata.jsonl", rows)
    assert "up to 6 words" in captions(folder)[1]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_are_found_in_either_form_of_unicode(tmp_path, form):
    other = {"NFC": "NFD", "NFD": "NFC"}[form]
    for i in range(2):
        Image.new("RGB", (8, 8)).save(tmp_path / unicodedata.normalize(form, f"é{i}.png"))
    rows = [{"file_name": unicodedata.normalize(other, f"é{i}.png"), "text": "x"} for i in range(2)]
    jsonl(tmp_path / "metadata.jsonl", rows)
    assert "1 different captions" in captions(tmp_path)[1]


def test_two_captions_of_one_image_are_named(folder):
    rows = entries()
    jsonl(folder / "metadata.jsonl", [*rows, rows[0] | {"text": "another"}])
    assert "1 have several, which differ: red/0.png" in faults_of(folder)[0]
    jsonl(folder / "metadata.jsonl", rows)
    jsonl(folder / "red" / "metadata.jsonl", [{"file_name": "0.png", "text": "another"}])
    assert "1 have several, which differ: red/0.png" in faults_of(folder)[0]


def test_another_column_is_named_or_can_be(folder, expected):
    rows = [{"file_name": r["file_name"], "caption": r["text"]} for r in entries()]
    in_parquet(folder, rows)
    (text,) = [f for f in faults_of(folder) if "column" in f]
    assert "it has file_name, caption" in text and "`caption_key: caption`" in text
    assert captions(folder, caption_key="caption")[0] == expected


def test_empty_captions_are_counted_in_every_kind_of_file(folder):
    rows = entries()
    rows[0]["text"], rows[1]["text"] = "", "…"
    prints = set()
    for store in (in_csv, in_parquet):
        store(folder, rows)
        fingerprint, line = captions(folder)
        assert "2 are empty: the null caption" in line
        prints.add(fingerprint)
        (folder / store.__name__.replace("in_", "metadata.")).unlink()
    jsonl(folder / "metadata.jsonl", [r | {"text": r["text"] or None} for r in rows])
    assert {captions(folder)[0]} == prints


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("not json", "not so: line 11"),
        ('{"file_name": "red/0.png"}', "not so: line 11"),
        ("[1]", "not so: line 11"),
        ('{"file_name": "red/none.png", "text": "x"}', "1 are not: red/none.png"),
        ('{"file_name": "../expected/red/0.png", "text": "x"}', "1 are not: ../expected"),
    ],
)
def test_metadata_that_cannot_be_used_is_named_by_line(tmp_path, line, message):
    write(tmp_path, captions=True)
    with (tmp_path / "metadata.jsonl").open("a") as file:
        file.write(line + "\n")
    assert message in faults_of(tmp_path)[0]


def test_other_wrong_files_are_named(folder):
    (folder / "metadata.csv").write_text("file_name,text\nred/0.png,a cat, and more\n")
    assert "not so: line 2" in faults_of(folder)[0]
    (folder / "metadata.parquet").write_bytes(b"no parquet")
    text = "\n".join(faults_of(folder))
    assert "a folder has one of metadata.jsonl" in text and "metadata.parquet is a Parquet" in text
    (folder / "metadata.parquet").unlink()
    (folder / "metadata.csv").write_text("file_name,text\n", "utf-16")
    assert "metadata.csv is UTF-8 text" in faults_of(folder)[0]


@pytest.mark.parametrize("store", [beside, in_csv])
def test_images_without_a_caption_are_named_with_the_file_that_has_the_others(folder, store):
    store(folder, entries()[:-1])
    (text,) = faults_of(folder)
    assert "1 of 10 have none: blue/4.png" in text and "`captions: none`" in text
    assert "metadata.csv" in text or ".txt" in text


def test_captions_of_splits_are_read_and_those_of_a_split_left_out_are_no_fault(tmp_path):
    rows = []
    for i, name in enumerate(f"{s}/{n}.png" for s in ("train", "val", "test") for n in range(3)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (i, 0, 0)).save(tmp_path / name)
        rows.append({"file_name": name, "text": f"number {i}"})
    jsonl(tmp_path / "metadata.jsonl", rows)
    fed = load(config(tmp_path))
    assert fed.validation_texts() == ["number 3", "number 4", "number 5"]
