"""The command `run`: what it prints when a signal stops it."""

import signal

from mutransfer.sweep.errors import Stopped
from tests.sweep.command_line import call


def test_a_stopped_run_says_how_to_continue_and_exits_with_the_signals_code(tiny_spec, monkeypatch):
    def stop(state) -> None:
        raise Stopped(signal.SIGTERM)

    monkeypatch.setattr("mutransfer.sweep.commands.run.run_inline", stop)
    done = call(tiny_spec.parent, "run", "tiny", "--inline")
    assert done.returncode == 128 + signal.SIGTERM
    assert "type the same command again" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
