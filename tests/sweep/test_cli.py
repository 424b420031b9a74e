"""The command line: exit codes, messages and files of the commands."""

import subprocess

import pytest

from tests.sweep.command_line import CLI, call


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
