"""A cache, in the user's cache directory, of arrays and texts that are expensive to compute."""

import os
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import numpy as np

Arrays = dict[str, np.ndarray]


def directory() -> Path:
    """Return $MUTRANSFER_CACHE, else mutransfer in $XDG_CACHE_HOME, else in ~/.cache."""
    override = os.environ.get("MUTRANSFER_CACHE")
    if override:
        return Path(override)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mutransfer"


def arrays(name: str, make: Callable[[], Arrays]) -> Arrays:
    """Return the arrays cached under a name, or make and cache them.

    Files are written atomically, also by several processes at once; a damaged one is replaced.
    If the directory cannot be written, the arrays are made each time.
    """
    path = directory() / f"{name}.npz"
    unreadable = (OSError, ValueError, EOFError, zipfile.BadZipFile)
    with suppress(*unreadable), np.load(path, allow_pickle=False) as cached:
        return {key: cached[key] for key in cached.files}
    new = make()
    with suppress(OSError):
        _write(path, new)
    return new


def _write(path: Path, content: Arrays) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
        try:
            np.savez(file, **cast(Any, content))
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise


def text(name: str, make: Callable[[], str]) -> str:
    """Return the text cached under a name, or make and cache it; see `arrays`."""
    cached = arrays(name, lambda: {"text": np.array(make())})
    return str(cached["text"])
