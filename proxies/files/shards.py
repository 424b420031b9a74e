"""Safetensors shards of latents: which there are, what each holds, and what is wrong with them."""

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from mutransfer.proxies.errors import Fault, first_few

SUFFIX = ".safetensors"
LFS_HEAD = b"version https://git-lfs"
Parts = dict[str, Tensor]

_AT = ("data", "path")
_OF = re.compile(r"(?P<number>\d+)-of-(?P<total>\d+)$")


def shard_paths(folder: str) -> list[Path]:
    """Return the shards of a folder in the order of their names, without hidden files."""
    paths = sorted(Path(folder).glob(f"*{SUFFIX}"))
    return [path for path in paths if not path.name.startswith(".")]


def open_shards(
    paths: Sequence[Path], expected: Mapping[str, tuple[int, ...]], keys: Mapping[str, str]
) -> tuple[list[Parts], list[Fault]]:
    """Map every shard into memory and compare it with the declaration.

    Args:
        paths: The shards.
        expected: By part, the shape of one sample.
        keys: By part, the name of its tensor in the shards, where that differs.

    Returns:
        The parts of each shard that can be read, and all faults.
    """
    shards, faults = [], missing_faults(paths)
    for path in paths:
        try:
            with safe_open(path, framework="pt") as file:
                present = list(file.keys())
                names = {part: keys.get(part, part) for part in expected}
                shard = {p: file.get_tensor(n) for p, n in names.items() if n in present}
        except (OSError, SafetensorError) as error:
            faults.append(unreadable(path, error))
            continue
        faults += shape_faults(path.name, shard, expected, present)
        shards.append(shard)
    return shards, faults


def unreadable(path: Path, error: Exception) -> Fault:
    """Return the fault of a file that is no readable safetensors file, with its cause."""
    rule = "a safetensors file that can be read"
    if is_lfs_pointer(path):
        got, remedy = f"{path}: a pointer of Git LFS, not the file", "run `git lfs pull` there"
    elif isinstance(error, OSError):
        got, remedy = str(path), f"make it readable ({error.strerror or error})"
    else:
        got = f"{path} ({path.stat().st_size:,} bytes): {error}"
        remedy = "it is torn or of another format: copy or write it again"
    return Fault(_AT, rule, got, remedy)


def is_lfs_pointer(path: Path) -> bool:
    """Return whether a file is the small text that Git LFS keeps in place of a large file."""
    try:
        with path.open("rb") as file:
            return file.read(len(LFS_HEAD)) == LFS_HEAD
    except OSError:
        return False


def missing_faults(paths: Sequence[Path]) -> list[Fault]:
    """Return the faults of shards that are named `…-00000-of-00012` and are not all there."""
    there: dict[tuple[str, int], set[int]] = {}
    for path in paths:
        if match := _OF.search(path.stem):
            series = path.stem[: match.start()], int(match["total"])
            there.setdefault(series, set()).add(int(match["number"]))
    faults = []
    for (prefix, total), numbers in there.items():
        first = 0 if 0 in numbers else 1
        if absent := sorted({*range(first, first + total)} - numbers):
            rule = f"all {total} shards {prefix}…-of-{total} are there"
            got = f"{len(absent)} are not: number {first_few([str(n) for n in absent])}"
            faults.append(Fault(_AT, rule, got, "copy the missing ones"))
    return faults


def shape_faults(
    where: str, shard: Parts, expected: Mapping[str, tuple[int, ...]], present: list[str]
) -> list[Fault]:
    """Return the faults of parts whose shapes are not the expected ones."""
    n_rows = len(shard["label"]) if "label" in shard and shard["label"].ndim else "n"
    faults = []
    for name, shape in expected.items():
        rule = f"`{name}` of {where} is {[n_rows, *shape]}, as declared"
        if name not in shard:
            got = f"no such tensor; the file has {first_few(sorted(present), 8) or 'none'}"
            faults.append(Fault(_AT, rule, got, _key_remedy(name, present)))
        elif list(shard[name].shape) != [n_rows, *shape]:
            got = str(list(shard[name].shape))
            faults.append(Fault(_AT, rule, got, "correct the file or the declaration"))
    return faults


def _key_remedy(name: str, present: list[str]) -> str:
    usual = {"image": ["latents", "latent", "x", "moments"], "label": ["labels", "y", "class"]}
    near = [key for key in usual.get(name, []) if key in present]
    near += difflib.get_close_matches(name, present, n=1, cutoff=0.5)
    return f"name it with `keys: {{{name}: {near[0] if near else '…'}}}`, or write the file again"
