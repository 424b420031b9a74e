"""WebDataset's tars: the files of a sample have one name and differ in what follows its first dot.

A part is one of these endings: `image` is `image.npy` unless `keys` names another, `label` is
`cls`. Arrays are `.npy`, numbers `.cls`, `.txt` or `.json`; pickles (`.pkl`, `.pyd`, `.pth`, …) are
not read. The members are found once, by their headers; samples are then read in any order, which
the package `webdataset` does not offer.
"""

import json
import tarfile
from array import array
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mutransfer.proxies.errors import DataError, Fault, first_few
from mutransfer.proxies.files.rows import Read, Rows, as_part, npy
from mutransfer.proxies.files.shards import Parts

_AT = ("data", "path")
_USUAL = {"label": "cls"}
SAFE = ("npy", "cls", "txt", "json", "index", "id")
_Members = dict[str, tuple[int, int]]  # by ending: offset and size in bytes


def files(folder: str) -> list[Path]:
    """Return the tars of a folder in the order of their names."""
    return sorted(p for p in Path(folder).glob("*.tar") if not p.name.startswith("."))


def parts(
    folder: str, expected: Mapping[str, tuple[int, ...]], keys: Mapping[str, str]
) -> list[Parts]:
    """Return the declared parts of each tar.

    Raises:
        DataError: a tar that cannot be read, an ending that is not there or is not read.
    """
    endings = {part: keys.get(part, _USUAL.get(part, f"{part}.npy")) for part in expected}
    if bad := [e for e in endings.values() if e.rpartition(".")[2] not in SAFE]:
        rule = f"parts end in {', '.join(SAFE[:4])}"
        remedy = "write arrays as .npy; pickles are not read, since they can run code"
        raise DataError([Fault(("data", "keys"), rule, first_few(bad), remedy)])
    return [_parts(path, endings) for path in files(folder)]


def _parts(path: Path, endings: Mapping[str, str]) -> Parts:
    wanted = list(dict.fromkeys(endings.values()))
    places = {end: array("q") for end in wanted}  # 16 bytes a sample and ending
    for name, members in _samples(path):
        if absent := [end for end in wanted if end not in members]:
            rule = f"every sample of {path.name} has {', '.join(wanted)}, one after the other"
            got = f"{name} has {first_few(sorted(members), 8)}; no {', '.join(absent)}"
            remedy = "name the endings with `keys: {image: …, label: …}`"
            raise DataError([Fault(_AT, rule, got, remedy)])
        for end in wanted:
            places[end].extend(members[end])
    n = len(places[wanted[0]]) // 2
    if not n:
        raise DataError([Fault(_AT, f"{path.name} has samples", "none", "remove it")])
    return {
        part: as_part(Rows(part, n, _reader(path, places[end], end)))
        for part, end in endings.items()
    }


def _samples(path: Path) -> Iterator[tuple[str, _Members]]:
    """Yield name and members of each sample, in their order in the tar.

    Raises:
        DataError: no tar, or a torn one.
    """
    n_bytes, name, members = path.stat().st_size, "", _Members()
    try:
        with tarfile.open(path, "r:") as tar:
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # it would keep every header
                folder, _, base = member.name.rpartition("/")
                stem, _, ending = base.partition(".")
                if not member.isreg() or not stem or not ending:
                    continue
                if member.offset_data + member.size > n_bytes:
                    raise tarfile.ReadError(f"torn in {member.name}")
                if f"{folder}/{stem}" != name and members:
                    yield name, members
                    members = {}
                name = f"{folder}/{stem}"
                members[ending.lower()] = member.offset_data, member.size
    except (OSError, tarfile.TarError) as error:
        rule, remedy = "a whole tar that is not compressed", "copy or write it again"
        raise DataError([Fault(_AT, rule, f"{path}: {error}", remedy)]) from None
    if members:
        yield name, members


def _reader(path: Path, places: Sequence[int], ending: str) -> Read:
    def read(row: int) -> np.ndarray:
        with path.open("rb") as file:
            file.seek(places[2 * row])
            content = file.read(places[2 * row + 1])
        return _decoded(content, ending, f"{path.name}, sample {row}")

    return read


def _decoded(content: bytes, ending: str, where: str) -> np.ndarray:
    if ending.endswith("npy"):
        return npy(content, f"{where}, {ending}")
    try:
        return np.asarray(json.loads(content))
    except ValueError:
        rule = f"`{ending}` is a number or a list of numbers"
        raise DataError([Fault(_AT, rule, f"{where}: {content[:40]!r}", "correct it")]) from None
