"""The command `run`: its files, what it refuses, and what it prints when a signal stops it."""

import signal
import subprocess

import pytest

from mutransfer.sweep.errors import Stopped
from mutransfer.sweep.store.store import Store
from tests.sweep.command_line import CLI, call, wait_for_rows
from tests.sweep.conftest import TINY, write_spec


def test_a_stopped_run_says_how_to_continue_and_exits_with_the_signals_code(tiny_spec, monkeypatch):
    def stop(state) -> None:
        raise Stopped(signal.SIGTERM)

    monkeypatch.setattr("mutransfer.sweep.commands.run.run_inline", stop)
    done = call(tiny_spec.parent, "run", "tiny", "--inline")
    assert done.returncode == 128 + signal.SIGTERM
    (line,) = done.stderr.splitlines()
    assert line.startswith("mutransfer: stopped;") and "type the same command again" in line
    assert "tiny: search 0/4" in done.stdout and "stopped" not in done.stdout


def test_ctrl_c_is_told_once_after_the_last_line_of_progress(tmp_path):
    """A real signal to a real process, whose two streams are one as on a terminal."""
    write_spec(tmp_path, TINY.replace("steps: 6", "steps: 3000"))
    run = subprocess.Popen(
        [*CLI, "run", "tiny", "--inline"], cwd=tmp_path, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # A shell starts what runs in its background with the signal ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    wait_for_rows(run, Store(str(tmp_path / "runs/tiny")), 1)
    run.send_signal(signal.SIGINT)
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 130, output
    *before, last = output.splitlines()
    assert last.startswith("mutransfer: stopped; every finished trial is kept")
    assert before[-1].startswith("tiny: search 1/4") and "stopped" not in "".join(before)


@pytest.mark.parametrize("words", [["run", "--inline"], ["run"], ["coordcheck"]])
def test_a_place_that_cannot_be_written_is_one_message(tiny_spec, words):
    (tiny_spec.parent / "taken").write_text("a file where the folder should be")
    for place in ("taken", "/proc/none"):  # a file, and a file system that nobody can write
        done = call(tiny_spec.parent, words[0], "tiny", *words[1:], "--runs", place)
        assert done.returncode == 2 and "cannot be written" in done.stderr
        assert "--runs" in done.stderr and "bug" not in done.stderr


def test_a_run_from_the_command_line_ends_in_all_files(tmp_path):
    write_spec(tmp_path)
    done = call(tmp_path, "run", "tiny", "--inline")
    assert done.returncode == 0, done.stderr
    assert "finished" in done.stdout and "next: mutransfer analyze tiny" in done.stdout
    assert call(tmp_path, "run", "runs/tiny", "--inline").returncode == 0


def test_a_run_directory_of_another_spec_is_refused(ran, tmp_path):
    write_spec(tmp_path, TINY.replace("rel_loss: 0.02", "rel_loss: 0.5"))
    done = call(tmp_path, "run", "tiny", "--runs", str(ran / "runs"))
    assert done.returncode == 2 and "target.tolerance.rel_loss" in done.stderr
