"""The user's own functions, named as `package.module:function`, and a digest of their source.

All code that a study names passes one gate, `require`, which is closed at first. A spec that the
user named on the command line opens it for its own names (`allow`); a run directory, which may be a
stranger's, opens it for none.
"""

import hashlib
import importlib
import importlib.util
import shlex
import sys
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from mutransfer.proxies.errors import ConfigError

# What the user's code may raise when it is imported or called; a script may call sys.exit.
USER_ERRORS = (Exception, SystemExit)
MAX_SOURCE_BYTES = 2**20

_allowed: set[str] = set()


class NotAllowedError(ConfigError):
    """Code that no spec of the user's names, so it is neither imported nor executed."""


def allow(names: Iterable[str], folders: Iterable[str] = ()) -> None:
    """Open the gate for functions and commands that a spec of the user's names.

    Args:
        names: Functions as `package.module:function`, and commands of trainers.
        folders: Where the functions are imported from, besides the import path.
    """
    _allowed.update(names)
    add_paths(folders)


def require(name: str) -> None:
    """Return where a spec of the user's names this function or command.

    Raises:
        NotAllowedError: none does.
    """
    if name not in _allowed:
        raise NotAllowedError(
            f"{name}: code is imported and executed only where a spec of yours names it; got a "
            "run directory, which may be a stranger's; if the code is yours, name its study and "
            "spec: `mutransfer run STUDY --spec FILE`"
        )


def add_paths(folders: Iterable[str]) -> None:
    """Append the user's own folders to the import path; at its end they hide no package."""
    folders = [str(Path(folder).absolute()) for folder in folders]
    for folder in folders:
        if folder not in sys.path:
            sys.path.append(folder)
            importlib.invalidate_caches()


def located(word: str) -> str:
    """Return the path of the file that a word names in an import folder; else the word itself."""
    if not word or Path(word).is_absolute():
        return word
    paths = (Path(folder) / word for folder in sys.path if folder)
    return next((str(path) for path in paths if path.is_file()), word)


def function(reference: str) -> Callable[..., Any]:
    """Return the function that `package.module:function` names.

    Raises:
        NotAllowedError: no spec of the user's names it.
        ConfigError: no such module or function, or the import fails.
    """
    module_name, colon, attribute = reference.partition(":")
    if not (colon and module_name and attribute):
        raise ConfigError(
            f"{reference}: a function is named as package.module:function; got no ':'; write for "
            "example `mypackage.models:build`"
        )
    require(reference)
    try:
        module = importlib.import_module(module_name)
    except USER_ERRORS as error:
        raise ConfigError(_import_fault(module_name, error)) from error
    value = getattr(module, attribute, None)
    if not callable(value):
        names = [n for n, v in vars(module).items() if callable(v) and not n.startswith("_")]
        raise ConfigError(
            f"{reference}: a function of {module.__file__}; got "
            f"{'nothing' if value is None else type(value).__name__} of that name; it has: "
            f"{', '.join(names[:8]) or 'none'}"
        )
    return value


def _import_fault(name: str, error: BaseException) -> str:
    is_absent = isinstance(error, ModuleNotFoundError) and error.name in _parents(name)
    if is_absent:
        return (
            f"{name}: a module that can be imported from the spec's folder or the current one; got "
            f"{error}; put it there, or install it"
        )
    return f"{name}: its import ends without error; got {type(error).__name__}: {error}; correct it"


def _parents(name: str) -> set[str]:
    parts = name.split(".")
    return {".".join(parts[: i + 1]) for i in range(len(parts))}


@lru_cache
def source_digest(references: tuple[str, ...]) -> str:
    """Return a digest, 16 hex digits, of the packages that hold these functions.

    For `mypackage.models:build`, of all `*.py` below `mypackage/`; for a module without package,
    of its file. Imports from elsewhere are not covered.

    Raises:
        ConfigError: as `function`.
    """
    sha = hashlib.sha256()
    for reference in references:
        function(reference)
    for top in sorted({reference.partition(":")[0].split(".")[0] for reference in references}):
        for path in _sources(top):
            content = path.read_bytes()
            sha.update(f"{path.name} {len(content)} ".encode() + content)
    return sha.hexdigest()[:16]


def source_files(references: Iterable[str], command: str | None = None) -> dict[str, str]:
    """Return a digest, 16 hex digits, of every file that `source_digest` covers, by its path.

    Paths begin with the name of the package or module. Of a command they are the words that name
    a file of at most `MAX_SOURCE_BYTES`: a script, not the program that interprets it.
    """
    files: dict[str, Path] = {}
    for top in sorted({reference.partition(":")[0].split(".")[0] for reference in references}):
        folders = _folders(top)
        for path in _sources(top):
            below = next((f for f in folders if path.is_relative_to(f)), path.parent)
            name = path.relative_to(below).as_posix()
            files[f"{top}/{name}" if folders else name] = path
    for word in shlex.split(command or ""):
        path = Path(located(word))
        if path.is_file() and path.stat().st_size <= MAX_SOURCE_BYTES:
            files[path.name] = path
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        for name, path in sorted(files.items())
    }


def _sources(top: str) -> list[Path]:
    spec = importlib.util.find_spec(top)
    if spec is None:
        return []
    if spec.submodule_search_locations:
        return sorted(path for folder in _folders(top) for path in folder.rglob("*.py"))
    return [Path(spec.origin)] if spec.origin else []


def _folders(top: str) -> list[Path]:
    """Return the folders of a package, each once.

    A namespace package has one location for each entry of the import path that leads to it, and
    the working directory is on that path twice in some processes and once in others.
    """
    spec = importlib.util.find_spec(top)
    locations = (spec.submodule_search_locations if spec else None) or ()
    return sorted({Path(folder).resolve() for folder in locations})


def package_folders(references: Iterable[str]) -> list[str]:
    """Return the folders of the packages that hold these functions, to send to a cluster."""
    tops = {reference.partition(":")[0].split(".")[0] for reference in references}
    return [str(folder) for top in sorted(tops) for folder in _folders(top)]
