"""A data set that Hugging Face's `datasets` saved with `save_to_disk`; no code of it is run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mutransfer.proxies.errors import DataError, Fault, first_few
from mutransfer.proxies.files.rows import Read, Rows, as_part
from mutransfer.proxies.files.shards import Parts

_AT = ("data", "path")


def files(folder: str) -> list[Path]:
    """Return the Arrow files of a folder in the order of their names."""
    return sorted(Path(folder).glob("*.arrow"))


def parts(
    folder: str, expected: Mapping[str, tuple[int, ...]], keys: Mapping[str, str]
) -> list[Parts]:
    """Return the declared parts, as one shard; rows are mapped from the Arrow files.

    Raises:
        DataError: `datasets` is absent, or it cannot read the folder, or columns are not numbers.
    """
    dataset = _loaded(folder)
    columns = {part: keys.get(part, part) for part in expected}
    for part, column in columns.items():
        if column not in dataset.features:
            rule, known = f"the data set has the column {column}", sorted(dataset.features)
            remedy = f"name it with `keys: {{{part}: …}}`"
            raise DataError([Fault(_AT, rule, f"it has {first_few(known, 8)}", remedy)])
        if (kind := str(dataset.features.arrow_schema.field(column).type)) and (
            "binary" in kind or "string" in kind or "struct" in kind
        ):
            rule = f"column {column} is of numbers"
            remedy = "write it as Array3D, Array2D, Sequence or Value; pickles are not read"
            raise DataError([Fault(_AT, rule, kind, remedy)])
    plain = dataset.with_format("numpy", columns=sorted(set(columns.values())))
    return [
        {part: as_part(Rows(part, len(plain), _reader(plain, c))) for part, c in columns.items()}
    ]


def _reader(dataset: Any, column: str) -> Read:
    one = dataset.select_columns([column]).with_format("numpy")

    def read(row: int) -> np.ndarray:
        return np.asarray(one[row][column])

    return read


def _loaded(folder: str) -> Any:
    try:
        import datasets
    except ImportError:
        rule, remedy = "`format: hf` needs `datasets`", "pip install 'mutransfer[hf]'"
        raise DataError([Fault(("data", "format"), rule, "not installed", remedy)]) from None
    try:
        found = datasets.load_from_disk(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        rule = "a folder that `save_to_disk` of `datasets` wrote"
        remedy = "write it again; of several splits, name the folder of one"
        raise DataError([Fault(_AT, rule, f"{folder}: {error}", remedy)]) from None
    if not isinstance(found, datasets.Dataset):
        rule, got = "one split of a data set", f"{folder} with {first_few(sorted(found))}"
        raise DataError([Fault(_AT, rule, got, "name the folder of one of them")])
    return found
