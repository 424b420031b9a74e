"""A separate process that writes trials to loggers while a study runs.

It follows the run directory, so a slow or failing logger affects no trial; `mutransfer log` writes
later what this process did not.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

import mutransfer
from mutransfer.sweep.store.store import Store
from mutransfer.sweep.viewers.log_writer import LogWriter

LOG = "loggers.log"
POLL_S = 2.0  # between two reads of the run directory
# How long the driver waits for this process: after the study, and when the study was stopped.
FINISH_S, STOPPED_S = 300.0, 10.0
SILENT_S = 5.0  # a longer wait is announced


@contextlib.contextmanager
def following(
    study: str, store: Store, names: Sequence[str], notify: Callable[[str], object]
) -> Iterator[None]:
    """Write trials as they finish, in a separate process, while the body runs.

    Args:
        study: Name of the study.
        store: Its run directory.
        names: Loggers; without any, no process is started.
        notify: Called with one line of text when a logger fails or is slow.
    """
    if not names:
        yield
        return
    how_to_continue = f"no trial is affected; `mutransfer log {study}` writes the missing ones"
    try:
        follower = _start(study, store, names)
    except OSError as error:
        notify(f"note: loggers cannot start: {error}; {how_to_continue}")
        yield
        return
    patience_s = STOPPED_S
    try:
        yield
        patience_s = FINISH_S
    finally:
        fault = _end(follower, patience_s, notify)
        if fault:
            notify(f"note: {fault}; {how_to_continue}")


def _start(study: str, store: Store, names: Sequence[str]) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-P",  # a module in the working directory is none of ours
        "-m",
        "mutransfer.sweep.viewers.follow",
        store.location_on_workers,
        study,
        *names,
    ]
    folder = Path(mutransfer.__file__).absolute().parent.parent
    python_path = os.environ.get("PYTHONPATH")
    path = os.pathsep.join(filter(None, (python_path, str(folder))))
    with _log(store) as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=os.environ | {"PYTHONPATH": path},
            start_new_session=True,  # Ctrl-C ends the study; the follower ends with its input
        )


def _end(
    follower: subprocess.Popen[str], patience_s: float, notify: Callable[[str], object]
) -> str | None:
    """Wait until the follower has written the remaining trials; returns its faults, or None."""
    try:
        try:
            output, _ = follower.communicate(timeout=min(SILENT_S, patience_s))
        except subprocess.TimeoutExpired:
            notify(f"loggers write the remaining trials, for at most {patience_s:.0f} s")
            output, _ = follower.communicate(timeout=patience_s)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(follower.pid, signal.SIGKILL)
        follower.communicate()
        return f"loggers were still writing {patience_s:.0f} s after the study"
    if follower.returncode == 0:
        return None
    return "; ".join(output.split("\n")[:-1]) or f"loggers ended with code {follower.returncode}"


@contextlib.contextmanager
def _log(store: Store) -> Iterator[IO[str]]:
    """The log file for what the follower and the loggers print."""
    path = Path(store.own_path(LOG)) if store.local else Path(tempfile.gettempdir()) / LOG
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        yield file


def follow(
    location: str, study: str, names: Sequence[str], study_has_ended: threading.Event
) -> LogWriter:
    """Write new trials every `POLL_S` until the study has ended, then once more."""
    writer = LogWriter(study, Store(location), names)
    while not study_has_ended.wait(POLL_S):
        writer.write_new()
    writer.write_new()
    return writer


def main() -> None:
    """Follow a run directory until standard input is closed.

    Prints one line for each logger that failed, and then exits with code 1. What loggers print
    goes to standard error.
    """
    messages = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    os.nice(5)  # trials have priority
    study_has_ended = threading.Event()
    threading.Thread(target=_await_end, args=(study_has_ended,), daemon=True).start()
    location, study, *names = sys.argv[1:]
    writer = follow(location, study, names, study_has_ended)
    for fault in writer.faults.values():
        messages.write(f"{fault}\n")
    messages.close()
    sys.exit(1 if writer.faults else 0)


def _await_end(study_has_ended: threading.Event) -> None:
    sys.stdin.read()
    study_has_ended.set()


if __name__ == "__main__":
    main()
