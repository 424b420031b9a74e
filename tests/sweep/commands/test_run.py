"""The command `run`: its files, what it refuses, and what it prints when a signal stops it."""

import signal

from mutransfer.sweep.errors import Stopped
from tests.sweep.command_line import call
from tests.sweep.conftest import TINY, write_spec


def test_a_stopped_run_says_how_to_continue_and_exits_with_the_signals_code(tiny_spec, monkeypatch):
    def stop(state) -> None:
        raise Stopped(signal.SIGTERM)

    monkeypatch.setattr("mutransfer.sweep.commands.run.run_inline", stop)
    done = call(tiny_spec.parent, "run", "tiny", "--inline")
    assert done.returncode == 128 + signal.SIGTERM
    assert "type the same command again" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


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
