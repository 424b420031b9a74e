"""Where results come from: versions of packages, commit of the user's repository."""

import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mutransfer import __version__


def commit() -> str | None:
    """The commit of the code, with '+' where files differ from it; None outside a checkout."""
    here = Path(__file__).resolve().parent
    try:
        _git(here, "ls-files", "--error-unmatch", "provenance.py")  # else it is somebody else's
        head = _git(here, "rev-parse", "HEAD")
        code = [f":/{folder}" for folder in ("analysis", "proxies", "src", "sweep")]
        changed = _git(here, "status", "--porcelain", "--untracked-files=no", "--", *code)
    except (OSError, subprocess.SubprocessError):
        return None
    return head + ("+" if changed else "")


def _git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *words], capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()


def versions() -> dict[str, str]:
    """Versions of what a result rests on."""
    found = {"mutransfer": __version__, "python": platform.python_version()}
    for name in ("torch", "optuna", "ray", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found
