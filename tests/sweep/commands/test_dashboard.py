"""The command `dashboard`: the journal, and a server of it on this machine."""

import json
import math
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mutransfer.sweep.cli import app
from mutransfer.sweep.commands.dashboard import SERVE
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.store.store import Store
from tests.sweep.command_line import call
from tests.sweep.planted import filled_run


@pytest.fixture
def filled(tiny, tmp_path) -> Store:
    return filled_run(tiny, tmp_path / "tiny")


@pytest.mark.parametrize("port", ["0", "-1", "65536", "99999"])
def test_a_port_that_does_not_exist_is_refused_with_the_limits(filled, port):
    done = call(Path(filled.root), "dashboard", filled.root, "--port", port)
    limit = "or equal to 65535" if int(port) > 0 else "or equal to 1 "
    assert done.returncode == 2 and limit in done.stderr and "--port" in done.stderr


def test_without_the_package_only_the_journal_is_written(filled, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = CliRunner().invoke(app, ["dashboard", filled.root])
    assert isinstance(result.exception, UserError)
    assert "pip install 'mutransfer[dashboard]'" in str(result.exception)
    assert CliRunner().invoke(app, ["dashboard", filled.root, "--journal-only"]).exit_code == 0


def test_the_command_writes_the_journal_and_prints_how_to_open_it(filled):
    result = CliRunner().invoke(app, ["dashboard", filled.root, "--journal-only"])
    assert result.exit_code == 0, result.output
    assert "4 trials" in result.output and "optuna-dashboard" in result.output


@pytest.mark.slow
def test_optuna_dashboard_serves_the_trials_on_localhost(filled):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-c", "from mutransfer.sweep.cli import main; main()", "dashboard"]
    command += [filled.root, "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            listed = wait_for(f"http://127.0.0.1:{port}/api/studies", server)
            names = {s["study_name"]: s["study_id"] for s in listed["study_summaries"]}
            assert set(names) == {"tiny", "tiny: μP, width 32"}
            shown_study = get(f"http://127.0.0.1:{port}/api/studies/{names['tiny']}")
        finally:
            server.terminate()
    states = [trial_["state"] for trial_ in shown_study["trials"]]
    assert states == ["Complete", "Fail", "Fail"]
    assert shown_study["trials"][0]["values"] == [0.5]
    (param,) = [p for p in shown_study["trials"][0]["params"] if p["name"] == "lr"]
    assert param["distribution"]["log"] is True
    assert math.isclose(float(param["param_external_value"]), 2**-6)
    attributes = {a["key"]: a["value"] for a in shown_study["trials"][1]["user_attrs"]}
    assert "diverged" in attributes["status"]


def get(url: str):
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def wait_for(url: str, server: subprocess.Popen):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        try:
            return get(url)
        except OSError:
            time.sleep(0.5)
    raise AssertionError(f"no answer from {url}")


def test_the_server_imports_nothing_from_the_working_directory(tmp_path):
    """As where a user changed into a stranger's run directory and types `dashboard .`."""
    marker = tmp_path / "imported"
    for name in ("optuna_dashboard", "argparse", "json"):
        (tmp_path / f"{name}.py").write_text(f"open({str(marker)!r}, 'w')\n")
    help_ = [*SERVE, "--help"]
    done = subprocess.run([sys.executable, *help_], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and "--port" in done.stdout and not marker.exists()
    help_.remove("-P")  # the control
    subprocess.run([sys.executable, *help_], cwd=tmp_path, capture_output=True)
    assert marker.exists()
