"""The folder that encoding writes: a recipe, shards, and their checksums.

encode.json                            the recipe that made the shards
train-00000-of-00012.safetensors       shards, in metadata `mutransfer` the names of their
validation-00000-of-00002.safetensors  files, their captions and a hash of both
SHA256SUMS                             for `sha256sum -c`
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from mutransfer.proxies.errors import DataError, Fault, first_few
from mutransfer.proxies.files.shards import SUFFIX

RECIPE, SUMS = "encode.json", "SHA256SUMS"
_TMP = ".tmp-"


class Output:
    """A folder of shards; whatever is in it under its final name is whole."""

    def __init__(self, folder: Path, recipe: Mapping[str, Any]) -> None:
        """Open a folder for a recipe, or go on with what an earlier run of it left.

        Raises:
            DataError: the folder holds something else, or shards of another recipe.
        """
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f"{_TMP}*"):
            left.unlink(missing_ok=True)
        there = sorted(path.name for path in folder.iterdir())
        text = json.dumps(recipe, indent=1, sort_keys=True) + "\n"
        if RECIPE in there and any(name.endswith(SUFFIX) for name in there):
            _compare(folder / RECIPE, json.loads(text))
        elif there and RECIPE not in there:
            got = f"{folder} holds {first_few(there)}"
            raise DataError([_fault("a new folder, or one that `encode` wrote", got)])
        else:
            self._write(RECIPE, text.encode())
        self._sums = self._read_sums()

    def metadata(self, name: str) -> dict[str, Any]:
        """Return the metadata of a shard that is there and whole, else none."""
        path = self._folder / name
        try:
            if _sha256(path) != self._sums.get(name):
                return {}
            with safe_open(path, framework="pt") as file:
                found = json.loads((file.metadata() or {})["mutransfer"])
        except (OSError, SafetensorError, ValueError, KeyError):
            return {}
        return found if isinstance(found, dict) else {}

    def write(self, name: str, parts: dict[str, Tensor], metadata: Mapping[str, Any]) -> None:
        """Write a shard, then its checksum; killed between the two, it is written again."""
        # One entry: the order of several would differ from one process to the next.
        text = {"mutransfer": json.dumps(metadata, ensure_ascii=False, sort_keys=True)}
        temporary = self._folder / f"{_TMP}{os.getpid()}-{name}"
        save_file(parts, temporary, metadata=text)
        # safetensors lets the owner alone read what it writes; the recipe has the umask's mode.
        temporary.chmod((self._folder / RECIPE).stat().st_mode & 0o777)
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        sha = _sha256(temporary)
        temporary.replace(self._folder / name)
        self._sums[name] = sha
        lines = [f"{each}  {shard}\n" for shard, each in sorted(self._sums.items())]
        self._write(SUMS, "".join(lines).encode())

    def _read_sums(self) -> dict[str, str]:
        try:
            lines = (self._folder / SUMS).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return {}
        return {name: sha for sha, _, name in (line.partition("  ") for line in lines)}

    def _write(self, name: str, content: bytes) -> None:
        temporary = self._folder / f"{_TMP}{os.getpid()}-{name}"
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self._folder / name)


def _compare(path: Path, recipe: Mapping[str, Any]) -> None:
    """Raise DataError where a folder's recipe is another than this."""
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        before = None
    if not isinstance(before, dict):
        raise DataError([_fault(f"{path} is a recipe of `encode`", "something else")])
    keys = sorted(before.keys() | recipe.keys())
    if differing := [key for key in keys if before.get(key) != recipe.get(key)]:
        shown = [f"{key} {before.get(key)}, now {recipe.get(key)}" for key in differing]
        rule = "shards of one folder are of one recipe"
        raise DataError([_fault(rule, f"{path}: {first_few(shown)}")])


def _fault(rule: str, got: str) -> Fault:
    return Fault(("--out",), rule, got, "name another folder, or remove this one")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
