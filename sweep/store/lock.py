"""One driver at a time in a run directory.

By `flock`, which the death of a process ends. Where the file system has none (some network file
systems, object stores) by a lease: a file that names its process and is written anew every
`BEAT_S`, and that counts no more once it is `STALE_S` old by the clock of the file system.
"""

import contextlib
import errno
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mutransfer.sweep.errors import UserError
from mutransfer.sweep.store.files import Files

FILE, LEASE, CLOCK = ".lock", ".lease.json", ".clock.tmp"
BUSY = {errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES}
BEAT_S, STALE_S = 10.0, 60.0
SETTLE_S = 1.0  # two drivers that take a lease at once: the later one's file stays


@contextlib.contextmanager
def held(files: Files) -> Iterator[None]:
    """Keep other drivers out of the run directory.

    Raises:
        UserError: another process runs this study, or the place cannot be written.
    """
    if not files.local:
        with _lease(files):
            yield
        return
    import fcntl

    try:
        Path(files.root).mkdir(parents=True, exist_ok=True)
        file = Path(files.own_path(FILE)).open("a")  # noqa: SIM115  # closed below
    except OSError as error:
        raise files.unwritable(error) from None
    with file, contextlib.ExitStack() as stack:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in BUSY:
                raise _busy(files) from None
            stack.enter_context(_lease(files))
        yield


def _busy(files: Files, who: str = "") -> UserError:
    """The message for a run directory that another driver works in."""
    return UserError(
        f"{files.root}: another `mutransfer run`{who} is running this study; wait for it, stop it, "
        "or use another --runs directory"
    )


@contextlib.contextmanager
def _lease(files: Files) -> Iterator[None]:
    """Hold the lease of a run directory."""
    ours = {"host": socket.gethostname(), "pid": os.getpid(), "token": uuid.uuid4().hex}
    if not files.write_json(ours, LEASE, keep_first=True):
        if not _is_stale(files):
            raise _busy(files, _who(files))
        files.write_json(ours, LEASE)
    time.sleep(SETTLE_S)
    if _read(files).get("token") != ours["token"]:
        raise _busy(files, _who(files))
    ended = threading.Event()
    beat = threading.Thread(target=_beat, args=(files, ours, ended), daemon=True)
    beat.start()
    try:
        yield
    finally:
        ended.set()
        beat.join()
        if _read(files).get("token") == ours["token"]:
            files.remove(LEASE)


def _beat(files: Files, ours: dict[str, Any], ended: threading.Event) -> None:
    """Write the lease anew until the run has ended, unless another driver has taken it."""
    while not ended.wait(BEAT_S):
        with contextlib.suppress(UserError, OSError):
            if _read(files).get("token") == ours["token"]:
                files.write_json(ours, LEASE)


def _read(files: Files) -> dict[str, Any]:
    try:
        return files.read_json(LEASE)
    except (UserError, OSError):  # gone, or half of it is seen
        return {}


def _who(files: Files) -> str:
    lease = _read(files)
    return f" (process {lease['pid']} on {lease['host']})" if {"pid", "host"} <= set(lease) else ""


def _is_stale(files: Files) -> bool:
    """Whether the process that holds the lease is gone, or silent for too long."""
    lease = _read(files)
    if lease.get("host") == socket.gethostname() and isinstance(lease.get("pid"), int):
        return not Path(f"/proc/{lease['pid']}").exists() if Path("/proc/self").exists() else False
    files.write(json.dumps({}).encode(), CLOCK)
    now = files.fs.get_file_info(files.path(CLOCK)).mtime_ns
    files.remove(CLOCK)
    written = files.fs.get_file_info(files.path(LEASE)).mtime_ns
    return None not in (now, written) and (now - written) / 1e9 > STALE_S
