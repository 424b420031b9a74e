"""The start barrier: no worker process begins a trial before all processes have started.

Without it the first process to start takes the short trials of the others, Ray Tune cancels the
processes that were starting for them, and the study continues on a single process.
"""

import time

from mutransfer.sweep.store.store import Store

FOLDER = ".start-barrier"  # in the run directory; the leading dot hides it from readers
TIMEOUT_S = 60.0  # a process waits no longer for the others


class StartBarrier:
    """The barrier as one process sees it; processes meet in a folder of the run directory."""

    def __init__(self, location: str, n_processes: int) -> None:
        self._store = Store(location)
        self._n_processes = n_processes
        self._deadline = time.monotonic() + TIMEOUT_S

    def arrive(self, index: int) -> None:
        """Record that process ``index`` has started."""
        self._store.write(b"", FOLDER, f"{index}.started")

    def is_open(self) -> bool:
        """Whether all processes have started, or `TIMEOUT_S` have passed."""
        n_started = len(self._store.names(FOLDER, ".started"))
        return n_started >= self._n_processes or time.monotonic() > self._deadline
