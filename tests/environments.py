"""Python environments made for one test: with the wheel, with few packages, with all."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("analysis", "proxies", "sweep")
SITE = next(Path(folder) for folder in sys.path if folder.endswith("site-packages"))


def build_wheel(folder: Path) -> Path:
    """The wheel of a copy of the checkout (a build leaves files beside the sources)."""
    source = folder / "source"
    source.mkdir()
    for name in (*FOLDERS, "src", "README.md", "LICENSE", "pyproject.toml"):
        origin, copy = ROOT / name, source / name
        if origin.is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(origin, copy, symlinks=True, ignore=ignore)
        else:
            shutil.copy(origin, copy)
    words = ["wheel", "--quiet", "--no-build-isolation", "--no-deps", "-w", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", *words, str(source)], check=True, timeout=240)
    return next(folder.glob("*.whl"))


def environment(folder: Path, wheel: Path | None, packages: Path | list[Path]) -> Path:
    """An environment of its own, with the wheel and some packages of this one: its Python.

    Args:
        folder: Where to.
        wheel: The wheel of mutransfer, or None.
        packages: A site-packages folder to see as a whole, or single entries of one.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    site = next((folder / "lib").glob("python*/site-packages"))
    if wheel is not None:
        with zipfile.ZipFile(wheel) as file:
            file.extractall(site)
    if isinstance(packages, Path):
        # A folder that a .pth file names is searched, its own .pth files are not read: the
        # editable install of this checkout stays out.
        (site / "packages.pth").write_text(f"{packages}\n")
    else:
        for entry in packages:
            (site / entry.name).symlink_to(entry)
    return folder / "bin" / "python"


def requirements(name: str, seen: set[str] | None = None) -> set[str]:
    """The names of a distribution and of all that it requires, without extras."""
    seen = set() if seen is None else seen
    if name in seen:
        return seen
    try:
        lines = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        return seen  # asked for on another platform
    seen.add(name)
    for line in lines:
        if "extra ==" not in line:
            requirements(re.match(r"[\w.-]+", line)[0].lower(), seen)
    return seen


def entries(names: set[str]) -> list[Path]:
    """The files and folders in site-packages of some distributions."""
    tops = {
        file.parts[0]
        for name in names
        for file in importlib.metadata.files(name) or []
        if file.parts[0] not in ("..", "__pycache__")
    }
    return [SITE / top for top in sorted(tops)]


def python(
    executable: Path | str, code: str, folder: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run code in a folder; PYTHONPATH of this process stays out."""
    clean = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        [str(executable), "-c", code],
        cwd=folder,
        env=clean | variables,
        capture_output=True,
        text=True,
        timeout=240,
    )
