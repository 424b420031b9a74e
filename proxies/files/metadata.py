"""Captions of a folder of images, as Hugging Face's imagefolder has them, or beside the images.

`metadata.jsonl`, `metadata.csv` or `metadata.parquet`, in the folder or in any below it, has a
column `file_name`, relative to the metadata's own folder, and one with the caption. Without any, a
file of an image's name that ends in `.txt` or `.caption` holds its caption.
"""

import csv
import io
import json
import posixpath
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from mutransfer.proxies.errors import Fault, first_few

METADATA = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
SIDECARS = (".txt", ".caption")

_AT = ("data", "path")


@dataclass(kw_only=True)
class Captions:
    """Captions by image; None where the folder has none.

    Attributes:
        texts: Caption of each image that has one.
        used: The files that they were read from.
        faults: What is wrong with these files.
    """

    texts: dict[str, str] | None = None
    used: frozenset[str] = frozenset()
    faults: list[Fault] = field(default_factory=list)

    def of(self, names: Sequence[str]) -> list[str] | None:
        """Return the caption of each image; '' where a fault says that it has none."""
        return None if self.texts is None else [self.texts.get(name, "") for name in names]

    def missing(self, names: Sequence[str]) -> list[Fault]:
        """Return a fault that names the images without a caption."""
        if self.texts is None or not (without := [n for n in names if n not in self.texts]):
            return []
        files = first_few(sorted(self.used))
        rule = f"every image has a caption, since some have (read from {files})"
        got = f"{len(without)} of {len(names)} have none: {first_few(without)}"
        remedy = "add them, empty ones for images without, or set `captions: none`"
        return [Fault(_AT, rule, got, remedy)]


def read_captions(root: Path, images: Sequence[str], others: Sequence[str], key: str) -> Captions:
    """Return the captions of a folder, and all faults.

    Args:
        root: The folder.
        images: Its images, relative to it.
        others: Its other files.
        key: The column of metadata that holds the caption.
    """
    files = [name for name in others if PurePosixPath(name).name in METADATA]
    if not files:
        return _beside(root, images, others)
    captions = Captions(texts={}, used=frozenset(files), faults=_doubled_files(files))
    known = _Names(images)
    absent: list[str] = []
    seen: dict[str, set[str]] = {}
    for file in files:
        rows, faults = _rows(root / file, file, key)
        captions.faults += faults
        for name, text in rows:
            image = known.find(posixpath.join(posixpath.dirname(file), name))
            if image is None:
                absent.append(name)
            else:
                seen.setdefault(image, set()).add(text)
    assert captions.texts is not None
    captions.texts |= {image: sorted(texts)[0] for image, texts in seen.items()}
    captions.faults += _row_faults(files, absent, [i for i, t in seen.items() if len(t) > 1])
    return captions


class _Names:
    """The images of a folder, found by what people write for their names."""

    def __init__(self, images: Sequence[str]) -> None:
        self._images = set(images)
        self._by_key = {_plain(image): image for image in images}

    def find(self, name: str) -> str | None:
        """Return the image of a name: as it is, else by `./`, backslashes and Unicode's NFC."""
        return name if name in self._images else self._by_key.get(_plain(name))


def _plain(name: str) -> str:
    return posixpath.normpath(unicodedata.normalize("NFC", name).replace("\\", "/"))


def _beside(root: Path, images: Sequence[str], others: Sequence[str]) -> Captions:
    """Return the captions in files beside the images."""
    there = set(others)
    file_of = {}
    for image in images:
        stem = image.removesuffix(PurePosixPath(image).suffix)
        if beside := [stem + end for end in SIDECARS if stem + end in there]:
            file_of[image] = beside[0]
    if not file_of:
        return Captions()
    captions = Captions(texts={}, used=frozenset(file_of.values()))
    assert captions.texts is not None
    for image, file in file_of.items():
        text, faults = _text(root / file, file)
        captions.texts[image] = " ".join(text.split())
        captions.faults += faults
    return captions


def _doubled_files(files: Sequence[str]) -> list[Fault]:
    folders = [posixpath.dirname(file) for file in files]
    if len(set(folders)) == len(folders):
        return []
    rule = f"a folder has one of {', '.join(METADATA)}"
    return [Fault(_AT, rule, f"{', '.join(files)}", "remove all but one")]


def _row_faults(files: Sequence[str], absent: list[str], twice: list[str]) -> list[Fault]:
    names, faults = ", ".join(files), []
    if absent:
        rule = f"every file_name of {names} is an image, relative to the folder of that file"
        got = f"{len(absent)} are not: {first_few(absent)}"
        faults.append(Fault(_AT, rule, got, "add the files, or remove the lines"))
    if twice:
        rule = f"an image has one caption in {names}"
        got = f"{len(twice)} have several, which differ: {first_few(twice)}"
        faults.append(Fault(_AT, rule, got, "remove all but one line of each"))
    return faults


def _rows(path: Path, name: str, key: str) -> tuple[list[tuple[str, str]], list[Fault]]:
    """Return (file name, caption) of each entry of a metadata file, and its faults."""
    if path.suffix == ".parquet":
        entries, faults = _parquet(path, name)
    else:
        text, faults = _text(path, name)
        entries = list(_jsonl(text) if path.suffix == ".jsonl" else _csv(text))
    wrong = [place for place, entry in entries if entry is None]
    given = [entry for _, entry in entries if entry is not None]
    columns = list(dict.fromkeys(column for entry in given for column in entry))
    if given and (lacking := [c for c in ("file_name", key) if c not in columns]):
        faults.append(_column_fault(name, lacking, columns))
        return [], faults
    rows = []
    for place, entry in entries:
        row = _row(entry, key) if entry is not None else None
        if row is not None:
            rows.append(row)
        elif entry is not None:
            wrong.append(place)
    if wrong:
        rule = f'an entry of {name} is {{"file_name": "a/b.png", "{key}": "a caption"}}'
        got = f"not so: {first_few(wrong)}"
        faults.append(Fault(_AT, rule, got, "correct these"))
    return rows, faults


def _row(entry: dict[str, Any], key: str) -> tuple[str, str] | None:
    """Return file name and caption; an empty cell is an empty caption."""
    name, text = entry.get("file_name"), entry.get(key, 0)
    text = "" if text is None else text
    return (name, text) if isinstance(name, str) and isinstance(text, str) else None


def _column_fault(name: str, lacking: list[str], columns: list[str]) -> Fault:
    rule = f"{name} has the columns file_name and the caption's, which `caption_key` names"
    got = f"no {', '.join(lacking)}; it has {first_few(columns, 8)}"
    usual = [column for column in ("text", "caption", "prompt") if column in columns]
    remedy = f"set `caption_key: {usual[0]}`" if usual else "name its column: `caption_key: …`"
    return Fault(
        _AT, rule, got, "name the column `file_name`" if "file_name" in lacking else remedy
    )


def _text(path: Path, name: str) -> tuple[str, list[Fault]]:
    """Return the content of a text file, without a byte order mark."""
    try:
        return path.read_bytes().decode("utf-8-sig"), []
    except (OSError, UnicodeDecodeError) as error:
        return "", [Fault(_AT, f"{name} is UTF-8 text", str(error), "write it again")]


def _jsonl(text: str) -> Iterator[tuple[str, dict[str, Any] | None]]:
    # Not splitlines: a caption may contain U+2028, which ends no line of JSON.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                entry = None
            yield f"line {number}", entry if isinstance(entry, dict) else None


def _csv(text: str) -> Iterator[tuple[str, dict[str, Any] | None]]:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    try:
        for entry in reader:
            # More cells than columns, as of a comma that is not in quotes, are under None.
            yield f"line {reader.line_num}", None if None in entry else entry
    except csv.Error:
        yield f"line {reader.line_num}", None


def _parquet(path: Path, name: str) -> tuple[list[tuple[str, Any]], list[Fault]]:
    import pyarrow
    from pyarrow import parquet

    try:
        rows = parquet.read_table(path).to_pylist()
    except (OSError, pyarrow.ArrowInvalid) as error:
        return [], [Fault(_AT, f"{name} is a Parquet file", str(error), "write it again")]
    return [(f"row {number}", row) for number, row in enumerate(rows, 1)], []
