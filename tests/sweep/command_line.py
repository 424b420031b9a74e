"""The command line in tests: in this process, or as a process that can be stopped and killed."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mutransfer.sweep.cli import main
from mutransfer.sweep.store.store import Store

CLI = [sys.executable, "-c", "from mutransfer.sweep.cli import main; main()"]


def call(folder: Path, *words: str) -> subprocess.CompletedProcess:
    """Call the command line in this process (a new one imports torch for seconds)."""
    out, err = io.StringIO(), io.StringIO()
    argv, sys.argv = sys.argv, ["mutransfer", *words]
    try:
        with (
            contextlib.chdir(folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
            pytest.raises(SystemExit) as end,
        ):
            main()
    finally:
        sys.argv = argv
    return subprocess.CompletedProcess(words, end.value.code or 0, out.getvalue(), err.getvalue())


def start_run(folder: Path, name: str, *words: str) -> subprocess.Popen:
    """Start `mutransfer run NAME` as the leader of a new process group."""
    return subprocess.Popen(
        [*CLI, "run", name, *words], cwd=folder, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def wait_for_rows(process: subprocess.Popen, store: Store, n: int, timeout_s: float = 120) -> None:
    """Wait until a running study has ``n`` rows."""
    deadline = time.monotonic() + timeout_s
    while len(store.names("trials", ".parquet")) < n:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "too slow"
        time.sleep(0.05)


def kill_run(process: subprocess.Popen, settle_s: float) -> None:
    """SIGKILL the driver; wait until Ray's processes have noticed its death and ended."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(settle_s)
