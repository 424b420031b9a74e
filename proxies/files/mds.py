"""MosaicML's MDS shards, by the layout that `streaming` documents.

`index.json` lists the shards with names, encodings and sizes of their columns. A shard is the
number of samples n (uint32), n + 1 offsets (uint32), its configuration as JSON, and the samples:
the sizes of columns of varying size (uint32 each), then the columns. Numbers and
`ndarray:DTYPE:SHAPE` are read; pickles (`pkl`) never are. The package is not used: version 0.13 of
`mosaicml-streaming` needs numpy < 2.2 and transformers < 5.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mutransfer.proxies.errors import DataError, Fault, first_few
from mutransfer.proxies.files.rows import Read, Rows, as_part
from mutransfer.proxies.files.shards import Parts

INDEX = "index.json"
_AT = ("data", "path")
_NUMBERS = {"int": "int64"} | {
    name: name
    for name in (
        *(f"{sign}int{bits}" for sign in ("u", "") for bits in (8, 16, 32, 64)),
        *("float16", "float32", "float64"),
    )
}
_MOST_DIMS = 8


def files(folder: str) -> list[Path]:
    """Return the index and its shards; nothing where there is no index."""
    path = Path(folder) / INDEX
    return [
        path,
        *(Path(folder) / s["raw_data"]["basename"] for s in _shards(path)),
    ] * path.exists()


def parts(
    folder: str, expected: Mapping[str, tuple[int, ...]], keys: Mapping[str, str]
) -> list[Parts]:
    """Return the declared parts of each shard.

    Raises:
        DataError: shards that are absent, compressed or torn, or columns that are not read.
    """
    columns = {part: keys.get(part, part) for part in expected}
    return [_parts(Path(folder), shard, columns) for shard in _shards(Path(folder) / INDEX)]


def _shards(path: Path) -> list[dict[str, Any]]:
    try:
        shards = json.loads(path.read_text(encoding="utf-8"))["shards"] if path.exists() else []
        for shard in shards:
            name = shard["raw_data"]["basename"]
            if shard["format"] != "mds" or Path(name).name != name:
                raise ValueError(f"{name} of format {shard['format']}")
            widths = {len(shard[f"column_{what}"]) for what in ("names", "encodings", "sizes")}
            if len(widths) != 1 or int(shard["samples"]) < 1:
                raise ValueError(f"the columns of {name}")
    except (OSError, ValueError, KeyError, TypeError) as error:
        rule, got = f"{INDEX} lists MDS shards", f"{path}: {type(error).__name__}: {error}"
        raise DataError([Fault(_AT, rule, got, "copy or write it again")]) from None
    return list(shards)


def _parts(root: Path, shard: Mapping[str, Any], columns: Mapping[str, str]) -> Parts:
    path, names = root / shard["raw_data"]["basename"], list(shard["column_names"])
    if not path.is_file() or path.stat().st_size != shard["raw_data"]["bytes"]:
        rule = f"{path.name} is there, whole and not compressed"
        got = f"{path.stat().st_size} bytes" if path.is_file() else "no such file"
        raise DataError([Fault(_AT, rule, got, "copy it, or decompress it, into this folder")])
    found: Parts = {}
    for part, column in columns.items():
        if column not in names:
            rule = f"{path.name} has the column {column}"
            remedy = f"name it with `keys: {{{part}: …}}`"
            raise DataError([Fault(_AT, rule, f"it has {first_few(names, 8)}", remedy)])
        read = _reader(path, shard, names.index(column))
        found[part] = as_part(Rows(part, int(shard["samples"]), read))
    return found


def _reader(path: Path, shard: Mapping[str, Any], column: int) -> Read:
    dtype, shape = _numbers(shard["column_names"][column], shard["column_encodings"][column])
    sizes: list[int | None] = shard["column_sizes"]
    n_varying = sum(size is None for size in sizes)
    n_bytes = dtype.itemsize * math.prod(shape)

    def read(row: int) -> np.ndarray:
        with path.open("rb") as file:
            file.seek(4 * (1 + row), os.SEEK_SET)
            begin = int.from_bytes(file.read(4), "little")
            file.seek(begin)
            varying = iter(np.frombuffer(file.read(4 * n_varying), "<u4").tolist())
            before = sum(next(varying) if s is None else s for s in sizes[:column])
            file.seek(begin + 4 * n_varying + before)
            content = file.read(n_bytes)
        if len(content) != n_bytes:
            got = f"sample {row} ends too soon"
            raise DataError([Fault(_AT, f"{path.name} is whole", got, "copy it again")])
        return np.frombuffer(content, dtype).reshape(shape)

    return read


def _numbers(column: str, encoding: str) -> tuple[np.dtype, tuple[int, ...]]:
    """Return the number format and the shape of a column's values."""
    kind, _, options = encoding.partition(":")
    dtype, _, dims = options.partition(":")
    if kind in _NUMBERS and not options:
        return np.dtype(_NUMBERS[kind]), ()
    shape = dims.split(",")[: _MOST_DIMS + 1]
    if kind == "ndarray" and dtype in _NUMBERS and all(d.isdecimal() for d in shape):
        return np.dtype(dtype), tuple(map(int, shape))
    rule = f"column {column} is of numbers, such as `int` and `ndarray:float16:4,32,32`"
    remedy = "write it so"
    if kind == "pkl":
        remedy += "; pickles are not read, since they can run code"
    raise DataError([Fault(_AT, rule, f"the encoding {encoding}", remedy)])
