"""The command line: exit codes, messages and files of the commands."""

import signal
import subprocess
import sys
import time

import pytest

from tests.sweep.command_line import CLI, call
from tests.sweep.conftest import TINY, write_spec


def test_the_command_starts_as_a_process(tmp_path):
    done = subprocess.run([*CLI, "--version"], cwd=tmp_path, text=True, capture_output=True)
    assert done.returncode == 0 and done.stdout.startswith("mutransfer ")


def test_help_shows_every_command_with_an_example(tmp_path):
    help_text = call(tmp_path, "--help").stdout
    for command in ("check", "plan", "run", "status", "analyze", "export"):
        assert command in help_text
        assert f"mutransfer {command}" in call(tmp_path, command, "--help").stdout


@pytest.mark.parametrize(
    "words",
    [
        ("check", "--spec", "none.yaml"),
        ("run", "nope"),
        ("run", "tiny", "--spec", "."),
        ("status", "tiny"),
        ("analyze", "tiny"),
        ("export", "tiny", "--width", "128"),
        ("export", "tiny"),
        ("run", "./nowhere/at/all"),
        ("no-such-command",),
    ],
)
def test_wrong_input_is_exit_code_2_without_a_traceback(tiny_spec, words):
    done = call(tiny_spec.parent, *words)
    assert done.returncode == 2, done
    assert done.stderr.strip() and "Traceback" not in done.stderr


READY = "from mutransfer.sweep.cli import main; print('ready', flush=True); main()"


def test_ctrl_c_says_stopped_in_every_command(tmp_path):
    """A real signal to a real process, while `plan` simulates."""
    write_spec(tmp_path)
    plan = subprocess.Popen(
        [sys.executable, "-c", READY, "plan", "tiny"], cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert plan.stdout.readline() == "ready\n"
    time.sleep(0.5)
    plan.send_signal(signal.SIGINT)
    _, errors = plan.communicate(timeout=60)
    assert plan.returncode == 130 and errors.strip() == "mutransfer: stopped", errors


@pytest.mark.parametrize("words", [["run", "tiny", "--inline"], ["coordcheck", "tiny"]])
def test_sigterm_says_stopped_outside_of_trials_too(tmp_path, words):
    """As Slurm and Kubernetes send it, while the gate runs."""
    write_spec(tmp_path, TINY.replace("gate: skip", "gate: stop, widths: [256, 512, 1024]"))
    process = subprocess.Popen(
        [sys.executable, "-c", READY, *words], cwd=tmp_path, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.5)
    assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert "mutransfer: stopped" in errors and "Traceback" not in errors


IMPORTING = """
import signal, sys
class Interrupt:
    def find_spec(self, name, path, target=None):
        if name == "mutransfer.sweep.cli":
            signal.raise_signal(signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupt())
from mutransfer.__main__ import main
main()
"""


def test_ctrl_c_while_the_command_line_is_imported_says_so_too():
    done = subprocess.run([sys.executable, "-c", IMPORTING], capture_output=True, text=True)
    assert (done.returncode, done.stderr.strip()) == (130, "mutransfer: stopped")
    # The control: without the entry point it is a traceback.
    bare = IMPORTING.replace("mutransfer.__main__", "mutransfer.sweep.cli")
    assert (
        "Traceback"
        in subprocess.run([sys.executable, "-c", bare], capture_output=True, text=True).stderr
    )


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("foo://bucket/run", "Unrecognized filesystem type"),
        ("file:///no/such/run", "no study.json"),
    ],
)
def test_a_location_is_never_a_name_below_runs(tmp_path, name: str, told: str):
    done = call(tmp_path, "status", name)
    assert done.returncode == 2 and name in done.stderr and told in done.stderr
    assert "runs/" not in done.stderr
