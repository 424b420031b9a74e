"""The supervisor ends a program with all that it started; it hands on the program's exit code."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mutransfer.sweep.run import supervise

# A program that starts a process in another session, as torchrun does; it outlives the program.
CHILD = """
import subprocess
child = subprocess.Popen(["sleep", "60"], start_new_session=True)
open(sys.argv[1] + ".pid", "w").write(str(child.pid))
time.sleep(60)
"""


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc")
def test_a_program_and_its_processes_end_when_the_worker_is_gone(tmp_path):
    """The kernel closes the pipe of a killed worker; here the test closes it."""
    trial_json, program = tmp_path / "trial.json", tmp_path / "program.py"
    program.write_text("import sys, time\n" + CHILD)
    output = str(tmp_path / "output.txt")
    words = [sys.executable, supervise.__file__, output, sys.executable, str(program)]
    words.append(str(trial_json))
    process = subprocess.Popen(words, stdin=subprocess.PIPE)
    pid_file = Path(f"{trial_json}.pid")
    while not (pid_file.exists() and pid_file.read_text()):
        time.sleep(0.05)
    child = int(pid_file.read_text())
    assert not is_gone(child)
    process.stdin.close()
    assert process.wait(timeout=20) == 128 + signal.SIGTERM
    assert is_gone(child)


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [("sys.exit(3)", 3), ("os.kill(os.getpid(), signal.SIGKILL)", 128 + signal.SIGKILL)],
)
def test_the_exit_code_is_that_of_the_program(tmp_path, code, exit_code):
    program = f"import os, signal, sys; {code}"
    output = str(tmp_path / "output.txt")
    words = [sys.executable, supervise.__file__, output, sys.executable, "-c", program]
    with subprocess.Popen(words, stdin=subprocess.PIPE) as process:
        assert process.wait(timeout=60) == exit_code


def test_a_process_has_its_children_as_descendants_and_no_other():
    with subprocess.Popen(["sleep", "60"]) as child, subprocess.Popen(["sleep", "60"]) as other:
        assert other.pid not in supervise.descendants(child.pid)
        supervise.end(child.pid)
        assert child.wait(timeout=10) == -signal.SIGTERM and other.poll() is None
        other.kill()
