"""The formats of latents on disk: which files there are, and the parts of their samples."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from mutransfer.proxies.config.data import LatentsConfig
from mutransfer.proxies.errors import DataError
from mutransfer.proxies.files import hf, mds, npy_folder, tars
from mutransfer.proxies.files.shards import Parts, open_shards, shape_faults, shard_paths

Shapes = Mapping[str, tuple[int, ...]]


class Format(NamedTuple):
    """How a format is read.

    Attributes:
        what: What a folder of it holds.
        files: The files of a folder.
        parts: The parts of each shard in a folder, given shapes and keys. Raises DataError.
    """

    what: str
    files: Callable[[str], list[Path]]
    parts: Callable[[str, Shapes, Mapping[str, str]], list[Parts]]


def _safetensors(folder: str, expected: Shapes, keys: Mapping[str, str]) -> list[Parts]:
    shards, faults = open_shards(shard_paths(folder), expected, keys)
    if faults:
        raise DataError(faults)
    return shards


FORMATS = {
    "safetensors": Format("safetensors shards", shard_paths, _safetensors),
    "webdataset": Format("WebDataset's tars", tars.files, tars.parts),
    "mds": Format("MDS shards and their index.json", mds.files, mds.parts),
    "hf": Format("what `save_to_disk` of `datasets` wrote", hf.files, hf.parts),
    "npy": Format(".npy files and their dataset.json", npy_folder.files, npy_folder.parts),
}


def found(folder: str) -> list[str]:
    """Return the formats of which a folder has files."""
    names = []
    for name, each in FORMATS.items():
        with suppress(DataError):
            names += [name] if each.files(folder) else []
    return names


def files(config: LatentsConfig) -> list[Path]:
    """Return the files of a data set in their order."""
    return FORMATS[config.format].files(config.path)


def parts(config: LatentsConfig, expected: Shapes) -> list[Parts]:
    """Return the parts of each shard, of the shapes that are expected.

    Raises:
        DataError: files that cannot be read, or that differ from what is declared.
    """
    shards = FORMATS[config.format].parts(config.path, expected, config.keys)
    faults = []
    if config.format != "safetensors":
        for number, shard in enumerate(shards):
            name = f"shard {number} of {config.path}"
            faults += shape_faults(name, shard, expected, list(shard))
    if faults:
        raise DataError(faults)
    return shards
