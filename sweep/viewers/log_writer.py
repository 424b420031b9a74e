"""Writing finished trials to loggers; nothing is read back, and no result depends on it.

A trial that a logger has written is marked by an empty file in the run directory,
`logged/<logger>/<trial_id>`, and is not written again.
"""

import importlib
from collections.abc import Sequence
from typing import get_args

from mutransfer.sweep.errors import UserError
from mutransfer.sweep.spec.loggers import SINKS, missing
from mutransfer.sweep.spec.sections import Logger
from mutransfer.sweep.store.store import Store
from mutransfer.sweep.viewers.finished_trial import FinishedTrial, Writer

FOLDER = "logged"

assert set(SINKS) == set(get_args(Logger))


def require(names: Sequence[str]) -> None:
    """Raise UserError where a logger is unknown or its package is not installed."""
    unknown = [name for name in names if name not in SINKS]
    if unknown:
        raise UserError(f"logger: one of {', '.join(SINKS)}; got {', '.join(unknown)}; pick one")
    absent = missing(names)
    if absent:
        needs = "; ".join(f"{name} needs the package {sink.package}" for name, sink in absent)
        extras = ",".join(sink.extra for _, sink in absent)
        raise UserError(f"loggers: {needs}: pip install 'mutransfer[{extras}]'")


def write_new(study: str, store: Store, names: Sequence[str]) -> "LogWriter":
    """Write every finished trial to each logger that has not written it; returns the outcome."""
    writer = LogWriter(study, store, names)
    writer.write_new()
    return writer


class LogWriter:
    """Writes finished trials to loggers; a logger that fails is not used again.

    Attributes:
        written: Number of trials written by this object, by logger.
        faults: The error of each logger that failed.
    """

    def __init__(self, study: str, store: Store, names: Sequence[str]) -> None:
        self._study, self._store = study, store
        self._writers: dict[str, Writer | None] = dict.fromkeys(names)
        self.written = dict.fromkeys(names, 0)
        self.faults: dict[str, str] = {}

    def write_new(self) -> None:
        """Write the trials that are new. An error of a logger is recorded, never raised."""
        finished_ids = self._store.trial_ids()
        for name in self._writers:
            written_ids = set(self._store.names(f"{FOLDER}/{name}", ""))
            for trial_id in finished_ids:
                if name in self.faults:
                    break
                if trial_id not in written_ids:
                    self._write(name, trial_id)

    def _write(self, name: str, trial_id: str) -> None:
        try:
            row = self._store.read_row(trial_id)
            if row["status"] == "failed":
                return  # it has no result, and may be run again
            curve = self._store.curve(trial_id)
            writer = self._writers[name]
            if writer is None:
                module = importlib.import_module(SINKS[name].module)
                writer = self._writers[name] = module.writer(self._study, self._store)
            writer.write(FinishedTrial(self._study, row, curve))
            self._store.write(b"", FOLDER, name, trial_id)
            self.written[name] += 1
        except Exception as error:
            text = " ".join(str(error).split())[:300]
            self.faults[name] = f"{name}: {type(error).__name__}: {text}"
