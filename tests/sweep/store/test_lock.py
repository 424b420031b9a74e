"""One driver at a time, where the file system has locks and where it has none."""

import errno
import fcntl
import json
import os
import socket
import subprocess

import pytest

from mutransfer.sweep.errors import UserError
from mutransfer.sweep.store import lock
from mutransfer.sweep.store.store import Store


@pytest.fixture
def no_flock(monkeypatch):
    def refused(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    monkeypatch.setattr(lock, "SETTLE_S", 0.05)
    monkeypatch.setattr(lock, "BEAT_S", 0.05)


def hold(root, pid: int, host: str, age_s: float = 0.0) -> None:
    """The lease of another process."""
    Store(str(root)).write_json({"host": host, "pid": pid, "token": "other"}, lock.LEASE)
    written = (root / lock.LEASE).stat().st_mtime - age_s
    os.utime(root / lock.LEASE, (written, written))


def test_without_flock_a_lease_keeps_a_second_driver_out_and_is_given_back(tmp_path, no_flock):
    with Store(str(tmp_path)).lock():
        lease = json.loads((tmp_path / lock.LEASE).read_text())
        assert lease["pid"] == os.getpid() and lease["host"] == socket.gethostname()
        with pytest.raises(UserError, match=f"another .*process {os.getpid()} on"):  # noqa: SIM117
            with Store(str(tmp_path)).lock():
                pass
    assert not (tmp_path / lock.LEASE).exists()
    with Store(str(tmp_path)).lock():
        pass


def test_the_lease_of_a_process_that_died_or_is_silent_is_taken(tmp_path, no_flock):
    dead = subprocess.Popen(["true"])
    dead.wait()
    for pid, host, age_s, is_free in (
        (dead.pid, socket.gethostname(), 0.0, True),
        (os.getppid(), socket.gethostname(), 1e4, False),
        (1, "elsewhere", 0.0, False),
        (1, "elsewhere", 2 * lock.STALE_S, True),
    ):
        hold(tmp_path, pid, host, age_s)
        if is_free:
            with Store(str(tmp_path)).lock():
                pass
        else:
            with pytest.raises(UserError, match=f"process {pid} on"), Store(str(tmp_path)).lock():
                pass


def test_a_lease_is_written_anew_while_it_is_held(tmp_path, no_flock):
    with Store(str(tmp_path)).lock():
        first = (tmp_path / lock.LEASE).stat().st_mtime_ns
        lock.threading.Event().wait(0.4)
        assert (tmp_path / lock.LEASE).stat().st_mtime_ns > first


def test_the_control_a_lock_that_another_process_holds_is_no_lack_of_locks(tmp_path, monkeypatch):
    def busy(*_):
        raise BlockingIOError(errno.EWOULDBLOCK, "busy")

    monkeypatch.setattr(fcntl, "flock", busy)
    with pytest.raises(UserError, match="another"), Store(str(tmp_path)).lock():
        pass
