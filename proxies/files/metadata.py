"""Captions of a folder of images, from its metadata.jsonl."""

import json
from pathlib import Path
from typing import Any

from mutransfer.proxies.errors import Fault, first_few

METADATA = "metadata.jsonl"

_AT = ("data", "path")


def read_captions(root: Path, names: list[str]) -> tuple[list[str] | None, list[Fault]]:
    """Return the caption of each image (None without a metadata file), and all faults."""
    path = root / METADATA
    if not path.exists():
        return None, []
    text_of, faults = _read(path)
    if absent := sorted(set(text_of) - set(names)):
        rule = f"every file_name of {METADATA} is an image below the folder"
        got = f"{len(absent)} are not: {first_few(absent)}"
        faults.append(Fault(_AT, rule, got, "add the files, or remove the lines"))
    if without := [name for name in names if name not in text_of]:
        rule = f"every image has a caption in {METADATA}"
        got = f"{len(without)} of {len(names)} have none: {first_few(without)}"
        faults.append(Fault(_AT, rule, got, "add lines with file_name and text"))
    return [text_of.get(name, "") for name in names], faults


def _read(path: Path) -> tuple[dict[str, str], list[Fault]]:
    """Return captions by file name, and faults of the lines that hold none."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        return {}, [Fault(_AT, f"{METADATA} is UTF-8 text", str(error), "write it again")]
    entries = [(number, _entry(line)) for number, line in enumerate(lines, 1) if line.strip()]
    text_of = dict(entry for _, entry in entries if entry is not None)
    wrong = [str(number) for number, entry in entries if entry is None]
    if not wrong:
        return text_of, []
    rule = f'a line of {METADATA} is {{"file_name": "a/b.png", "text": "a caption"}}'
    return text_of, [Fault(_AT, rule, f"not so: line {first_few(wrong)}", "correct these lines")]


def _entry(line: str) -> tuple[str, str] | None:
    try:
        entry: Any = json.loads(line)
    except json.JSONDecodeError:
        return None
    if not isinstance(entry, dict):
        return None
    name, text = entry.get("file_name"), entry.get("text")
    return (name, text) if isinstance(name, str) and isinstance(text, str) else None
