"""Damaged run directories: every command answers, and no verdict differs from the undamaged one.

Files are flipped, cut, swapped, lost, edited, replaced by links, folders and pipes. A change whose
checksums are made to fit is a forgery: it may change a verdict, but must not end in a bug either.
"""

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.fuzz.outcome import Tally
from benchmarks.fuzz.values import mutated

from mutransfer.sweep.plan import progress
from mutransfer.sweep.results.analyze import analyze
from mutransfer.sweep.store import code, integrity, rundir
from mutransfer.sweep.store.checksums import with_checksum
from mutransfer.sweep.store.store import Store

Change = Callable[[Path, random.Random], object]


def _file(run: Path, rng: random.Random, suffix: str = "") -> Path:
    files = [p for p in sorted(run.rglob("*")) if p.is_file() and p.name.endswith(suffix)]
    return rng.choice(files)


def flip(run: Path, rng: random.Random) -> None:
    """Flip one bit."""
    path = _file(run, rng)
    content = bytearray(path.read_bytes())
    if content:
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(content)


def cut(run: Path, rng: random.Random) -> None:
    """Cut a file off."""
    path = _file(run, rng)
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(len(content) + 1)])


def lose(run: Path, rng: random.Random) -> None:
    """Delete a file."""
    _file(run, rng).unlink()


def swap(run: Path, rng: random.Random) -> None:
    """Copy one file over another, or under a name of its own."""
    source, target = _file(run, rng), _file(run, rng)
    names = (target.name, f"{source.stem} (conflicted copy){source.suffix}", f"{source.name}~")
    target = target.with_name(rng.choice(names))
    if source != target:
        shutil.copy(source, target)


def replace(run: Path, rng: random.Random) -> None:
    """Put a link, a folder or a pipe where a file was."""
    path = _file(run, rng)
    path.unlink()
    kind = rng.choice(("link", "folder", "pipe"))
    if kind == "link":
        path.symlink_to(rng.choice(("/dev/zero", "/nowhere", "/etc", str(_file(run, rng)))))
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)


def edit(run: Path, rng: random.Random) -> None:
    """Edit a JSON file."""
    path = _file(run, rng, ".json")
    path.write_text(json.dumps(mutated(json.loads(path.read_text()), rng, rng.randrange(1, 4))))


def forge(run: Path, rng: random.Random) -> None:
    """Edit a JSON file, and make its checksum fit."""
    path = _file(run, rng, ".json")
    content = json.loads(path.read_text())
    changed = mutated(content, rng, rng.randrange(1, 4))
    path.write_text(json.dumps(with_checksum(changed) if isinstance(changed, dict) else changed))


HONEST: tuple[Change, ...] = (flip, cut, lose, swap, replace, edit)


def answers(run: Path) -> dict[str, Any]:
    """What `analyze` and `status` say of a run directory: the verdict, and what is left to do."""
    study, store = rundir.find_run(str(run), Path("no.yaml"), "runs")
    integrity.require_sound(store)
    study, store = code.of_choice(store, study, None)
    verdict = analyze(study, store).verdict
    left = progress.progress(study, store.decisions(), store.table())
    return {"verdict": verdict.verdict, "sentence": verdict.sentence, "finished": left.finished}


def fuzz(
    n: int, seed: int, tally: Tally, make: Callable[[Path], object],
    of: Callable[[Path], dict[str, Any]] = answers,
) -> None:  # fmt: skip
    """Damage a run directory ``n`` times.

    Args:
        n: How often.
        seed: Seed of the changes.
        tally: Where outcomes are noted.
        make: Writes an undamaged run directory.
        of: The answers that must stay the same.
    """
    with TemporaryDirectory() as folder:
        whole, run = Path(folder) / "whole", Path(folder) / "run"
        make(whole)
        expected = of(whole)
        for i in range(n):
            rng = random.Random(f"{seed}-{i}")
            shutil.rmtree(run, ignore_errors=True)
            shutil.copytree(whole, run)
            is_forged = i % 4 == 3
            change = forge if is_forged else rng.choice(HONEST)
            change(run, rng)
            name = f"run directory {seed}-{i} ({change.__name__})"
            found = tally.add(name, lambda: of(run))
            # A lost row is a trial that has not run: the study is called unfinished.
            is_wrong = found is not None and found["finished"] and found != expected
            if is_wrong and not is_forged:
                tally.wrong(name, f"{found} in place of {expected}")
            tally.add(f"{name}, doctor", lambda: integrity.look(Store(str(run))))
