"""A folder of `.npy` files with the labels in `dataset.json`, as StyleGAN and EDM have them.

    {"labels": [["00000/img00000000.npy", 5], …]}

Files `img-mean-std-….npy` are those of EDM2: means and standard deviations of the posterior one
after the other; the means are read.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mutransfer.proxies.errors import DataError, Fault
from mutransfer.proxies.files.rows import Rows, as_part, npy
from mutransfer.proxies.files.shards import Parts

LIST = "dataset.json"
_MEAN_STD = "img-mean-std-"
_AT = ("data", "path")


def files(folder: str) -> list[Path]:
    """Return the list and those arrays that it names and that are there."""
    path = Path(folder) / LIST
    if not path.is_file():
        return []
    named = [Path(folder) / name for name, _ in _labels(path)]
    return [path, *(file for file in named if file.is_file())]


def parts(
    folder: str, expected: Mapping[str, tuple[int, ...]], keys: Mapping[str, str]
) -> list[Parts]:
    """Return `image` and `label` of the samples of a folder, as one shard.

    Raises:
        DataError: a list that is not as above, or a declared part that such a folder has not.
    """
    root = Path(folder)
    if more := sorted(set(expected) - {"image", "label"}):
        rule = "a folder of .npy files has `image` and `label`"
        raise DataError([Fault(_AT, rule, f"{', '.join(more)} declared", "remove it")])
    labels = _labels(root / LIST)

    def image(row: int) -> np.ndarray:
        name = labels[row][0]
        try:
            content = (root / name).read_bytes()
        except OSError as error:
            rule, remedy = f"every file of {LIST} is there", "copy it, or remove its entry"
            raise DataError([Fault(_AT, rule, f"{name}: {error.strerror}", remedy)]) from None
        found = npy(content, name)
        is_pair = Path(name).name.startswith(_MEAN_STD)
        return found[: len(found) // 2] if is_pair else found

    def label(row: int) -> np.ndarray:
        return np.asarray(labels[row][1], dtype=np.int64)

    read = {"image": image, "label": label}
    n = len(labels)
    return [{name: as_part(Rows(name, n, read[name])) for name in expected}]


def _labels(path: Path) -> list[tuple[str, int]]:
    """Return names and labels, in the order of the names."""
    try:
        listed = json.loads(path.read_text(encoding="utf-8"))["labels"]
        found = sorted((str(name), int(label)) for name, label in listed)
    except (OSError, ValueError, KeyError, TypeError) as error:
        found, cause = [], f"{type(error).__name__}: {error}"
    else:
        cause = "no entries"
    root = path.parent.resolve()
    outside = [name for name, _ in found if not (root / name).resolve().is_relative_to(root)]
    if not found or outside:
        rule = f'{LIST} is {{"labels": [["00000/img00000000.npy", 5], …]}}, files below the folder'
        remedy = "write it so; without labels give all of them 0"
        raise DataError([Fault(_AT, rule, outside[0] if outside else cause, remedy)])
    return found
