"""A folder of images, with or without classes, splits and captions."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from mutransfer.proxies.config.data import ImagesConfig
from mutransfer.proxies.data.captioned import captioned
from mutransfer.proxies.data.feed import Feed
from mutransfer.proxies.data.findings import Findings
from mutransfer.proxies.data.words import words
from mutransfer.proxies.errors import DataError, Fault, first_few
from mutransfer.proxies.files.folder import Listing, Split, listing, split
from mutransfer.proxies.files.metadata import Captions, read_captions
from mutransfer.proxies.files.pixels import CONVERTIBLE, MODES, Pixels, read_pixels

_AT = ("data", "path")


def load(config: ImagesConfig) -> Feed:
    """Return the images of a folder, in [-1, 1]; one class if none lies in a sub-folder.

    Raises:
        DataError: all faults of the folder, with examples.
    """
    files, found, captions = read_folder(config)
    pixels = read_pixels(Path(config.path), found.names, config)
    kept = _kept(found, [name not in pixels.unreadable for name in found.names])
    faults = captions.faults + captions.missing(found.names) + pixel_faults(pixels, config)
    faults += loose_faults(kept) + _class_faults(kept)
    if faults:
        raise DataError(faults)
    classes = sorted(set(kept.classes))
    texts = captions.of(kept.names)
    return captioned(
        config,
        images=torch.from_numpy(pixels.pixels),
        labels=torch.tensor([classes.index(label) for label in kept.classes]),
        n_classes=len(classes),
        texts=texts,
        names=kept.names,
        is_validation=None if kept.is_validation is None else torch.tensor(kept.is_validation),
        findings=_findings(files, kept, captions, texts, pixels),
    )


def read_folder(config: ImagesConfig) -> tuple[Listing, Split, Captions]:
    """Return the files of a folder, its images with class and split, and their captions.

    Raises:
        DataError: no image, or sub-folders that may be splits or classes.
    """
    root = Path(config.path)
    files = listing(root)
    found = split(files.images, is_asked=config.splits == "auto")
    if config.captions == "none":
        return files, found, Captions()
    return files, found, read_captions(root, files.images, files.others, config.caption_key)


def _kept(found: Split, is_kept: Sequence[bool]) -> Split:
    """Return the images that can be decoded."""
    rows = [row for row, kept in enumerate(is_kept) if kept]
    is_validation = found.is_validation
    return Split(
        names=[found.names[row] for row in rows],
        classes=[found.classes[row] for row in rows],
        is_validation=is_validation and [is_validation[row] for row in rows],
        left_out=found.left_out,
    )


def loose_faults(found: Split) -> list[Fault]:
    """Return a fault where some images have a class and others have none."""
    loose = [name for name, label in zip(found.names, found.classes, strict=True) if not label]
    if not 0 < len(loose) < len(found.names):
        return []
    rule = "all images lie in sub-folders, their classes, or none does"
    got = f"{len(loose)} of {len(found.names)} do not: {first_few(loose)}"
    return [Fault(_AT, rule, got, "move them into a sub-folder")]


def _class_faults(kept: Split) -> list[Fault]:
    faults = []
    if not kept.names:
        rule = "a class has two images or more, one of them for validation"
        return [Fault(_AT, rule, "no readable image at all", "add images")]
    single = [label or "the folder itself" for label, n in Counter(kept.classes).items() if n == 1]
    if single and kept.is_validation is None:
        rule = "a class has two images or more, one of them for validation"
        got = f"one image in {first_few(single)}"
        faults.append(Fault(_AT, rule, got, "add images, or remove the class"))
    return faults


def pixel_faults(pixels: Pixels, config: ImagesConfig) -> list[Fault]:
    """Return the faults of images that cannot be decoded or do not fit."""
    n, faults = len(pixels.pixels) + len(pixels.unreadable) + len(pixels.mismatched), []
    if pixels.unreadable and not config.skip_unreadable:
        examples = first_few([f"{name} ({reason})" for name, reason in pixels.unreadable.items()])
        got = f"{len(pixels.unreadable)} of {n} cannot: {examples}"
        remedy = "replace them, or set `skip_unreadable: true` to leave them out"
        faults.append(Fault(_AT, "every image can be decoded", got, remedy))
    if pixels.mismatched:
        examples = first_few([f"{name} ({actual})" for name, actual in pixels.mismatched.items()])
        got = f"{len(pixels.mismatched)} of {n} are not: {examples}"
        faults.append(Fault(_AT, _size_rule(config), got, _size_remedy(config)))
    return faults


def _size_rule(config: ImagesConfig) -> str:
    if config.resize and config.aspect == "refuse":
        return "images are squares of 8 bits a channel (`aspect: refuse`)"
    return f"images are of one size and mode, {config.size}×{config.size} {MODES[config.channels]}"


def _size_remedy(config: ImagesConfig) -> str:
    if not config.resize:
        return "set `resize: true` to crop, scale and convert them"
    modes = f"resize accepts the modes {' '.join(sorted(CONVERTIBLE))}"
    if config.aspect == "refuse":
        return f"set `aspect: crop` or `pad`, or convert them yourself: {modes}"
    return f"convert them yourself: {modes}"


def _findings(
    files: Listing,
    kept: Split,
    captions: Captions,
    texts: Sequence[str] | None,
    pixels: Pixels,
) -> Findings:
    """Return what the folder holds and what of it is left out."""
    counts = Counter(kept.classes)
    lines = [f"{len(kept.names):,} images {list(pixels.pixels.shape[1:])} in {len(counts)} classes"]
    if set(counts) != {""}:
        shown = [f"{label} {n:,}" for label, n in sorted(counts.items())]
        lines[0] += f": {first_few(shown, 10)}"
    lines += kept.left_out + files.left_out(captions.used)
    warnings = files.unread()
    if pixels.unreadable:
        names = first_few(sorted(pixels.unreadable))
        lines.append(f"left out: {len(pixels.unreadable)} images that cannot be decoded: {names}")
    if texts is not None:
        lines.append(_caption_line(texts, captions))
    if kept.is_validation is not None:
        lines.append(f"{sum(kept.is_validation):,} of them are the validation split")
        warnings += _shared(pixels.pixels, np.array(kept.is_validation))
    return Findings(lines=tuple(lines), warnings=tuple(warnings))


def _caption_line(texts: Sequence[str], captions: Captions) -> str:
    lengths = [len(words(text)) for text in texts]
    line = f"{len(set(texts)):,} different captions of up to {max(lengths)} words, from "
    line += first_few(sorted(captions.used))
    return line + (f"; {n:,} are empty: the null caption" if (n := lengths.count(0)) else "")


def _shared(pixels: np.ndarray, is_validation: np.ndarray) -> list[str]:
    """Return a sentence where images for validation are trained on as well."""
    trained = {image.tobytes() for image in pixels[~is_validation]}
    n = sum(image.tobytes() in trained for image in pixels[is_validation])
    return [f"{n:,} images of the validation split are in training too"] if n else []
