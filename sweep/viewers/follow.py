"""Viewers of other people: TensorBoard, W&B and MLflow, written from the table and the curves.

Nothing is read back and no result depends on them. During `run` a process of its own follows the
run directory, so that a viewer which is slow, breaks or crashes takes no trial with it; whatever it
did not write, `mutransfer log` writes later. A trial that a logger has is marked in the run
directory, `logged/<logger>/<trial_id>`, and not written twice.
"""

import contextlib
import importlib
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, Any, NamedTuple, Protocol, get_args

import mutransfer
from mutransfer.analysis.table.schema import HP_PREFIX
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.spec.loggers import SINKS, missing
from mutransfer.sweep.spec.sections import Logger
from mutransfer.sweep.store.store import Store

FOLDER, LOG = "logged", "loggers.log"

EVERY_S = 2.0  # between two looks into the run directory

# What the driver waits for at the end of a run, and when it was stopped.
LAST_S, STOPPED_S = 300.0, 10.0

SILENT_S = 5.0  # a longer wait is announced

assert set(SINKS) == set(get_args(Logger))


class Trial(NamedTuple):
    """A finished trial as a logger takes it."""

    study: str
    row: Mapping[str, Any]
    curve: Sequence[Mapping[str, Any]]

    @property
    def name(self) -> str:
        """A name that says what was trained, and is unique."""
        row = self.row
        lr = row[f"{HP_PREFIX}lr"]
        return f"{row['arm']}-w{row['width']}-lr{lr:.3g}-s{row['seed']}-{row['trial_id'][:8]}"

    @property
    def stage(self) -> str:
        """The stage that asked first."""
        return str(self.row["asked_by"] or "unknown")

    @property
    def config(self) -> dict[str, Any]:
        """What determines the trial: every known cell but its outcome."""
        return {k: v for k, v in self.row.items() if v is not None and k not in OUTCOME}

    @property
    def outcome(self) -> dict[str, Any]:
        """What came out."""
        return {name: self.row[name] for name in OUTCOME if self.row.get(name) is not None}

    @property
    def times(self) -> tuple[float, float]:
        """Start and end, seconds since 1970."""
        return _seconds(self.row["started_at"]), _seconds(self.row["finished_at"])

    def points(self) -> Iterator[tuple[int, float, dict[str, float]]]:
        """Step, time (seconds since 1970, spread evenly) and values of each point of the curve."""
        start, end = self.times
        last = max((point["step"] for point in self.curve), default=1)
        for point in self.curve:
            values = {name: float(point[name]) for name in SERIES if point[name] is not None}
            yield int(point["step"]), start + (end - start) * point["step"] / last, values


SERIES = ("train_loss", "val_loss", "lr", "grad_norm")

OUTCOME = (
    "status", "diverged_step", "train_loss", "val_loss", "init_val_loss", "trivial_val_loss",
    "flops", "train_s", "wall_s",
)  # fmt: skip


class Writer(Protocol):
    """Writes trials to one viewer."""

    def write(self, trial: Trial) -> None:
        """Write a trial that the viewer may hold in part, or in whole, from an attempt before."""


def require(names: Sequence[str]) -> None:
    """Raise UserError where a logger is unknown or its package is not installed."""
    unknown = [name for name in names if name not in SINKS]
    if unknown:
        raise UserError(f"logger: one of {', '.join(SINKS)}; got {', '.join(unknown)}; pick one")
    absent = missing(names)
    if absent:
        told = "; ".join(f"{name} needs the package {sink.package}" for name, sink in absent)
        extras = ",".join(sink.extra for _, sink in absent)
        raise UserError(f"loggers: {told}: pip install 'mutransfer[{extras}]'")


def write_new(study: str, store: Store, names: Sequence[str]) -> "Report":
    """Write every finished trial that a logger does not hold yet. See ``Report``."""
    report = Report(study, store, names)
    report.look()
    return report


class Report:
    """What is written where; a logger that failed is left alone from then on.

    Attributes:
        written: Trials written by this object, by logger.
        faults: The first error of each logger that failed.
    """

    def __init__(self, study: str, store: Store, names: Sequence[str]) -> None:
        self._study, self._store = study, store
        self._writers: dict[str, Writer | None] = dict.fromkeys(names)
        self.written = dict.fromkeys(names, 0)
        self.faults: dict[str, str] = {}

    def look(self) -> None:
        """Write what is new. Never raises for what a viewer does."""
        rows = self._store.names("trials", ".parquet")
        for name in self._writers:
            held = set(self._store.names(f"{FOLDER}/{name}", ""))
            for trial_id in rows:
                if name in self.faults:
                    break
                if trial_id not in held:
                    self._write(name, trial_id)

    def _write(self, name: str, trial_id: str) -> None:
        try:
            row = self._store.read_row(trial_id)
            if row["status"] == "failed":
                return  # nothing to see yet: it may be run again
            curve = self._store.curve(trial_id)
            writer = self._writers[name]
            if writer is None:
                module = importlib.import_module(SINKS[name].module)
                writer = self._writers[name] = module.writer(self._study, self._store)
            writer.write(Trial(self._study, row, curve))
            self._store.write(b"", FOLDER, name, trial_id)
            self.written[name] += 1
        except Exception as error:
            text = " ".join(str(error).split())[:300]
            self.faults[name] = f"{name}: {type(error).__name__}: {text}"


@contextlib.contextmanager
def following(
    study: str, store: Store, names: Sequence[str], tell: Callable[[str], object]
) -> Iterator[None]:
    """Write trials as they finish, in a process of its own, while the body runs.

    Args:
        study: Name of the study.
        store: Its run directory.
        names: Loggers; nothing happens where there are none.
        tell: Is told in one line what went wrong.
    """
    if not names:
        yield
        return
    later = f"no trial is touched; `mutransfer log {study}` goes on"
    try:
        child = _start(study, store, names)
    except OSError as error:
        tell(f"note: loggers cannot start: {error}; {later}")
        yield
        return
    patience = STOPPED_S
    try:
        yield
        patience = LAST_S
    finally:
        fault = _end(child, patience, tell)
        if fault:
            tell(f"note: {fault}; {later}")


def _start(study: str, store: Store, names: Sequence[str]) -> subprocess.Popen[str]:
    words = [
        sys.executable,
        "-m",
        "mutransfer.sweep.viewers.follow",
        store.location_on_workers,
        study,
        *names,
    ]
    folder = Path(mutransfer.__file__).absolute().parent.parent
    known = os.environ.get("PYTHONPATH")
    path = os.pathsep.join(filter(None, (known, str(folder))))
    with _log(store) as log:
        return subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C is for the study: it ends when its input does
        )


def _end(
    child: subprocess.Popen[str], patience_s: float, tell: Callable[[str], object]
) -> str | None:
    """Let the follower write what is left; what went wrong, if anything did."""
    try:
        try:
            said, _ = child.communicate(timeout=min(SILENT_S, patience_s))
        except subprocess.TimeoutExpired:
            tell(f"loggers write what is left, for at most {patience_s:.0f} s")
            said, _ = child.communicate(timeout=patience_s)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.communicate()
        return f"loggers were not done {patience_s:.0f} s after the study"
    if child.returncode == 0:
        return None
    return "; ".join(said.split("\n")[:-1]) or f"loggers ended with code {child.returncode}"


@contextlib.contextmanager
def _log(store: Store) -> Iterator[IO[str]]:
    """What the follower and its viewers print."""
    path = Path(store.path(LOG)) if store.local else Path(tempfile.gettempdir()) / LOG
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        yield file


def _seconds(utc: str | None) -> float:
    return datetime.fromisoformat(utc).timestamp() if utc else 0.0


def follow(location: str, study: str, names: Sequence[str], over: threading.Event) -> Report:
    """Write what is new until ``over`` is set, then once more."""
    report = Report(study, Store(location), names)
    while not over.wait(EVERY_S):
        report.look()
    report.look()
    return report


def main() -> None:
    """The follower: ends when its input does, with code 1 and a line for each logger that failed.

    What viewers print goes to the log.
    """
    told = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    os.nice(5)  # trials first
    over = threading.Event()
    threading.Thread(target=_await_end, args=(over,), daemon=True).start()
    location, study, *names = sys.argv[1:]
    report = follow(location, study, names, over)
    for fault in report.faults.values():
        told.write(f"{fault}\n")
    told.close()
    sys.exit(1 if report.faults else 0)


def _await_end(over: threading.Event) -> None:
    sys.stdin.read()
    over.set()


if __name__ == "__main__":
    main()
