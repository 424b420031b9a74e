"""A process supervisor: it ends a program, with all that it started, when the worker is gone.

A worker that is killed cannot end its program, which would keep training beside the one that
replaces it. So the worker starts the program through this script, `python supervise.py output
program argument …`, and holds the other end of a pipe to its standard input: the pipe closes when
the worker ends, however it ends.

Processes that outlive their program would keep its GPU: they are ended with it. Of what it prints
the end alone is kept, in the file `output`.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
OUTPUT_BYTES = 2**16
GRACE_S = 5.0  # after SIGTERM, which torchrun passes on to processes in other sessions


def end(pid: int) -> None:
    """End a process, its group and its descendants by SIGTERM; by SIGKILL after `GRACE_S`."""
    tree = [pid, *descendants(pid)]
    _signal(tree, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while time.monotonic() < deadline and any(map(_is_alive, tree)):
        time.sleep(0.05)
    _signal(tree, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """The ids of a process's descendants; an empty list on a system without /proc."""
    parent_of = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            parent_of[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    below, pending = [], [pid]
    while pending:
        parent = pending.pop()
        children = [other for other, parent_pid in parent_of.items() if parent_pid == parent]
        below += children
        pending += children
    return below


def _signal(tree: list[int], number: int) -> None:
    """Send a signal to the group that the first process leads, and to each process."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.getpgid(tree[0]) == tree[0]:
            os.killpg(tree[0], number)
    for pid in tree:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _adopt_orphans() -> None:
    """Become the parent of descendants whose own parent ends, where the system can (Linux)."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _end_rest(group: int) -> None:
    """End what a program has left behind: its group, and descendants that are ours now."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    for pid in descendants(os.getpid()):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)


def _keep_end(stream: IO[bytes], path: Path) -> None:
    """Read all that a program prints; write the last `OUTPUT_BYTES` of it to a file."""
    end = b""
    while chunk := os.read(stream.fileno(), OUTPUT_BYTES):
        end = (end + chunk)[-OUTPUT_BYTES:]
    path.write_bytes(end)


def main() -> None:
    """Run the program given by the arguments; exit with its code, or 128 + n after signal n."""
    output, *words = sys.argv[1:]
    _adopt_orphans()
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None, "it is a pipe"
    reader = threading.Thread(target=_keep_end, args=(process.stdout, Path(output)), daemon=True)
    reader.start()
    worker_is_gone = threading.Event()

    def watch_pipe() -> None:
        os.read(0, 1)  # returns when the worker's end is closed
        worker_is_gone.set()
        end(process.pid)

    watcher = threading.Thread(target=watch_pipe, daemon=True)
    watcher.start()
    code = process.wait()
    if not worker_is_gone.is_set():
        _end_rest(process.pid)
    reader.join(GRACE_S)
    if worker_is_gone.is_set():
        watcher.join()  # the program may have ended before the processes that it started
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
