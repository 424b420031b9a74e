"""Where results come from: versions of packages and the commit of our code."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mutransfer import __version__


def commit() -> str | None:
    """The commit of our code, with '+' where files differ from it; None outside a checkout."""
    here = Path(__file__).resolve().parent
    try:
        _git(here, "ls-files", "--error-unmatch", "provenance.py")  # else another repository's
        head = _git(here, "rev-parse", "HEAD")
        code = [f":/{folder}" for folder in ("analysis", "proxies", "src", "sweep")]
        changed = _git(here, "status", "--porcelain", "--untracked-files=no", "--", *code)
    except (OSError, subprocess.SubprocessError):
        return None
    return head + ("+" if changed else "")


def _git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()


def versions() -> dict[str, str]:
    """Versions of the packages that a result depends on; 'none' where one is not installed."""
    by_name = {"mutransfer": __version__, "python": platform.python_version()}
    for name in ("torch", "optuna", "ray", "numpy"):
        try:
            by_name[name] = version(name)
        except PackageNotFoundError:
            by_name[name] = "none"
    return by_name
