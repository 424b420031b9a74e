"""The log of a run directory: one JSON object per line, in the order of what happened.

For people and log collectors; nothing reads it to continue a study. Only the driver writes it,
under the lock. Object stores cannot append, so there is none there.
"""

import contextlib
import json
import math
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mutransfer.sweep.errors import Stopped
from mutransfer.sweep.store.files import Files
from mutransfer.sweep.store.store import EVENTS_FILE as FILE

MAX_TEXT = 500  # characters of an error


def append(files: Files, event: str, **fields: Any) -> None:
    """Append one line; a log that cannot be written stops nothing.

    Args:
        files: The run directory.
        event: What happened: run_started, gate, decision, trial_started, trial_finished, run_ended.
        fields: What is said of it; a number that is not finite is written as null.

    Raises:
        UserError: the file is a link out of the run directory.
    """
    if not files.local:
        return
    content = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event}
    line = json.dumps(content | {name: _plain(value) for name, value in fields.items()})
    path = Path(files.own_path(FILE))
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            file.write((_end_of_torn_line(file) + line + "\n").encode())


@contextlib.contextmanager
def of_run(files: Files, **fields: Any) -> Iterator[dict[str, Any]]:
    """Log the start of a run with ``fields``, and its end with what is put into the yielded dict.

    The end has an ``outcome``: finished, limit, stopped (by a signal) or failed.
    """
    append(files, "run_started", host=socket.gethostname(), pid=os.getpid(), **fields)
    end: dict[str, Any] = {}
    try:
        yield end
    except (Stopped, KeyboardInterrupt) as stop:
        number = stop.signal_number if isinstance(stop, Stopped) else None
        append(files, "run_ended", outcome="stopped", signal=number)
        raise
    except Exception as error:
        append(files, "run_ended", outcome="failed", error=str(error))
        raise
    append(files, "run_ended", outcome="limit" if end.get("stopped_by") else "finished", **end)


def read(files: Files) -> list[dict[str, Any]]:
    """The events, first to last; a line that a kill cut off is left out."""
    if not files.exists(FILE):
        return []
    events = []
    for line in files.read_bytes(FILE).splitlines():
        with contextlib.suppress(ValueError):
            event = json.loads(line)
            if isinstance(event, dict):
                events.append(event)
    return events


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value[:MAX_TEXT] if isinstance(value, str) else value


def _end_of_torn_line(file: Any) -> str:
    """A line break where a killed process left half a line."""
    if file.seek(0, os.SEEK_END) == 0:
        return ""
    file.seek(-1, os.SEEK_END)
    return "" if file.read(1) == b"\n" else "\n"
