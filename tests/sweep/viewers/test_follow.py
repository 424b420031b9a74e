"""The process that writes to loggers while a study runs; its faults affect no trial."""

import os
import signal
import threading
import time

from mutransfer.sweep.run import driver, worker
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from mutransfer.sweep.viewers import follow, log_writer


def test_a_logger_that_fails_is_reported_once_and_affects_no_trial(tiny, tmp_path):
    store = Store(str(tmp_path / "tiny"))
    rundir.claim(store, tiny)
    (tmp_path / "tiny" / "tensorboard").write_text("a file where the folder should be")
    messages: list[str] = []
    with follow.following("tiny", store, ["tensorboard"], messages.append):
        for request in driver.State.load(tiny, store).next.trials:
            for _ in worker.run(request, "tiny", store, checkpoint_every_s=30):
                pass
    assert set(store.table()["status"]) <= {"done", "diverged"} and len(store.table()) == 2
    (note,) = notes(messages)
    assert note.startswith("note: tensorboard: ") and "mutransfer log tiny" in note


def test_a_follower_that_is_killed_is_reported_in_one_line(logged, monkeypatch):
    messages: list[str] = []
    started = []
    start = follow._start
    monkeypatch.setattr(follow, "_start", lambda *a: started.append(start(*a)) or started[0])
    with follow.following("tiny", logged, ["tensorboard"], messages.append):
        os.kill(started[0].pid, signal.SIGKILL)
    assert notes(messages) == [
        f"note: loggers ended with code {-signal.SIGKILL}; no trial is affected; "
        "`mutransfer log tiny` writes the missing ones"
    ]


def test_a_follower_that_cannot_start_is_reported_in_one_line(logged, monkeypatch):
    monkeypatch.setattr(follow.sys, "executable", "/no/such/python")
    messages: list[str] = []
    with follow.following("tiny", logged, ["tensorboard"], messages.append):
        messages.append("the study runs")
    assert messages[0].startswith("note: loggers cannot start") and messages[1:] == [
        "the study runs"
    ]


def notes(messages: list[str]) -> list[str]:
    """The messages without the announcement of a wait, which comes on a busy machine."""
    return [line for line in messages if line.startswith("note: ")]


def test_following_writes_what_finishes_meanwhile_and_ends(logged):
    study_has_ended = threading.Event()
    thread = threading.Thread(
        target=follow.follow, args=(logged.root, "tiny", ["tensorboard"], study_has_ended)
    )
    thread.start()
    deadline = time.monotonic() + 60
    while not logged.names(log_writer.FOLDER + "/tensorboard", "") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert logged.names(log_writer.FOLDER + "/tensorboard", ""), "written before the end"
    study_has_ended.set()
    thread.join(60)
    assert not thread.is_alive()
