"""Which images a folder holds, and which of its sub-folders are splits and which classes."""

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from mutransfer.proxies.errors import DataError, Fault, first_few

# Formats that Pillow decodes to what a viewer shows; of others it reads a thumbnail or a header.
_ENDINGS = (
    "apng avif avifs bmp dib gif j2c j2k jfif jp2 jpc jpe jpeg jpf jpg jpx pbm pgm png pnm ppm qoi "
    "tga tif tiff webp"
)
# Images that Pillow does not read: a folder that has them is warned of.
_UNREAD_ENDINGS = "arw cr2 cr3 dng exr hdr heic heif hif jxl nef psd svg"
SUFFIXES = frozenset("." + ending for ending in re.split(" ", _ENDINGS))
UNREAD = frozenset("." + ending for ending in re.split(" ", _UNREAD_ENDINGS))
# The words of Hugging Face's imagefolder.
SPLITS = {
    "train": frozenset({"train", "training"}),
    "validation": frozenset({"validation", "valid", "val", "dev"}),
    "test": frozenset({"test", "testing", "eval", "evaluation"}),
}

_AT = ("data", "path")


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The files below a folder, relative to it, with slashes, sorted.

    Attributes:
        images: Files whose ending says that they are images.
        others: All others, without hidden ones.
        n_hidden: Hidden files, and files in hidden folders.
    """

    images: list[str]
    others: list[str]
    n_hidden: int

    def left_out(self, used: frozenset[str]) -> list[str]:
        """Return sentences that count the files that are not read; `used` are read for captions."""
        others = [name for name in self.others if name not in used]
        endings = Counter(PurePosixPath(name).suffix.lower() or "without ending" for name in others)
        parts = [f"{n} {ending}" for ending, n in sorted(endings.items())]
        parts += [f"{self.n_hidden} hidden"] if self.n_hidden else []
        return [f"left out, not read as images: {', '.join(parts)}"] if parts else []

    def unread(self) -> list[str]:
        """Return a sentence where there are images of formats that Pillow does not read."""
        names = [name for name in self.others if PurePosixPath(name).suffix.lower() in UNREAD]
        text = f"{len(names)} images are of formats that Pillow does not read: {first_few(names)}"
        return [f"{text}; convert them to PNG, or they are left out"] if names else []


@dataclass(frozen=True, kw_only=True)
class Split:
    """Images of a folder with their classes.

    Attributes:
        names: Images for training and validation.
        classes: Class of each; '' where there are no classes.
        is_validation: Which are for validation; None: none is set apart.
        left_out: Sentences that tell which images are in neither.
    """

    names: list[str]
    classes: list[str]
    is_validation: list[bool] | None = None
    left_out: list[str] = field(default_factory=list)


def listing(root: Path) -> Listing:
    """Return the files below a folder, through links to folders as well.

    Raises:
        DataError: no such folder, or no image in it.
    """
    if not root.is_dir():
        remedy = "correct the path; a spec takes it relative to its own folder"
        raise DataError([Fault(_AT, "a folder of images", f"no folder {root}", remedy)])
    names = sorted(_files(root, "", frozenset()))
    hidden = [name for name in names if any(p.startswith(".") for p in name.split("/"))]
    shown = sorted(set(names) - set(hidden))
    images = [name for name in shown if PurePosixPath(name).suffix.lower() in SUFFIXES]
    found = Listing(images=images, others=sorted(set(shown) - set(images)), n_hidden=len(hidden))
    if not images:
        rule = f"a folder with images ({' '.join(sorted(SUFFIXES))})"
        got = "; ".join([f"none in {root}", *found.left_out(frozenset())])
        raise DataError([Fault(_AT, rule, got, "put images there")])
    return found


def _files(folder: Path, prefix: str, above: frozenset[tuple[int, int]]) -> Iterator[str]:
    """Yield the files below a folder; a link to a folder that it is in is not followed."""
    status = folder.stat()
    here = above | {(status.st_dev, status.st_ino)}
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_dir():
                yield prefix + entry.name
            elif (found := entry.stat()) and (found.st_dev, found.st_ino) not in here:
                yield from _files(folder / entry.name, f"{prefix}{entry.name}/", here)


def split(names: Sequence[str], *, is_asked: bool) -> Split:
    """Return the images with their classes, and the splits if the first sub-folders name them.

    Args:
        names: Images, relative to the folder.
        is_asked: Whether sub-folders named as splits are splits; else they are classes.

    Raises:
        DataError: sub-folders that may be either, or a class for validation alone.
    """
    tops = {name.split("/")[0] for name in names if "/" in name}
    roles = {top: role for top in tops if (role := _role(top))}
    has_loose = any("/" not in name for name in names)
    if not is_asked or has_loose or "train" not in roles.values():
        return Split(names=list(names), classes=[_top(name) for name in names])
    if set(roles) != tops or len(set(roles.values())) != len(roles):
        if set(roles.values()) == {"train"}:
            return Split(names=list(names), classes=[_top(name) for name in names])
        raise DataError([_either(sorted(tops))])
    return _by_split(names, roles)


def _by_split(names: Sequence[str], roles: dict[str, str]) -> Split:
    validation = "validation" if "validation" in roles.values() else "test"
    wanted = {"train", validation} & set(roles.values())
    kept = [name for name in names if roles[_top(name)] in wanted]
    classes = [_top(name.split("/", 1)[1]) for name in kept]
    is_validation = [roles[_top(name)] == validation for name in kept]
    trained = {label for label, val in zip(classes, is_validation, strict=True) if not val}
    if alone := sorted(set(classes) - trained):
        rule = "every class has images for training"
        got = f"only for validation: {first_few([label or 'no sub-folder' for label in alone])}"
        raise DataError([Fault(_AT, rule, got, "move some to train, or remove the class")])
    others = [name for name in names if roles[_top(name)] not in wanted]
    return Split(
        names=kept,
        classes=classes,
        is_validation=is_validation if any(is_validation) else None,
        left_out=[f"left out: {len(others)} images of the split test"] if others else [],
    )


def _either(tops: list[str]) -> Fault:
    rule = "sub-folders are classes, or they are the splits train, validation and test"
    remedy = "move what is no split elsewhere, or set `splits: none` if all of these are classes"
    return Fault(_AT, rule, first_few(tops, 6), remedy)


def _role(folder: str) -> str | None:
    return next((role for role, words in SPLITS.items() if folder.lower() in words), None)


def _top(name: str) -> str:
    """Return the first sub-folder of a name, '' if there is none."""
    return name.split("/")[0] if "/" in name else ""
