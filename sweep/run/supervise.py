"""A program on a leash: it ends, with all that it started, when whoever asked for it is gone.

A worker that is killed cannot end its program, which would train on beside the one that is started
in its place. So programs run below this one, which holds one end of a pipe: `python leash.py
program argument …`, with a standard input that nobody writes to and that closes with the worker.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

GRACE_S = 5.0  # after SIGTERM, which torchrun passes on to processes in sessions of their own


def end(pid: int) -> None:
    """End a process, its group and its descendants: SIGTERM, and SIGKILL for what is left."""
    everyone = [pid, *descendants(pid)]
    _signal(pid, everyone, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_S
    while time.monotonic() < deadline and any(map(_is_alive, everyone)):
        time.sleep(0.05)
    _signal(pid, everyone, signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """Return the processes below one, as far as /proc tells; none where there is no /proc."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    found, left = [], [pid]
    while left:
        parent = left.pop()
        children = [child for child, own in parents.items() if own == parent]
        found += children
        left += children
    return found


def _signal(pid: int, everyone: list[int], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if os.getpgid(pid) == pid:
            os.killpg(pid, number)
    for one in everyone:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(one, number)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def main() -> None:
    """Run the program of the arguments; leave with its exit code, 128 + n after signal n."""
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)

    is_alone = threading.Event()

    def watch() -> None:
        os.read(0, 1)  # returns when the other end is closed
        is_alone.set()
        end(process.pid)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    code = process.wait()
    if is_alone.is_set():
        watcher.join()  # what the program started may outlive it
    sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
