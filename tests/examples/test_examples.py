"""The examples run, as a user runs them."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from mutransfer.analysis.best import BestWarning
from tests.sweep.conftest import write_spec

ROOT = Path(__file__).parent.parent.parent


def call(script: str, *words: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / script), *words]
    return subprocess.run(command, text=True, capture_output=True, timeout=280)


def run_trainer(monkeypatch, capsys, run: Path, *words: str) -> tuple[str, str]:
    """Run train_best.py in this process on the study of a run; what it prints, and its warnings."""
    spec = str(run.parent.parent / "sweeps.yaml")
    arguments = ["train_best.py", str(run / "best.yaml"), "--spec", spec, *words]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.warns(BestWarning) as warned:
        runpy.run_path(str(ROOT / "examples/train_best.py"), run_name="__main__")
    return capsys.readouterr().out, "\n".join(str(w.message) for w in warned)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """The demo's script on a study of seconds, and its run directory."""
    folder = tmp_path_factory.mktemp("demo")
    spec = write_spec(folder)
    words = ("--study", "tiny", "--spec", str(spec), "--runs", str(folder / "runs"))
    return call("examples/demo.py", *words), folder / "runs" / "tiny"


def test_the_demo_ends_with_the_verdict_and_writes_every_file(demo):
    done, run = demo
    assert done.returncode == 0, done.stdout + done.stderr
    verdict = json.loads((run / "verdict.json").read_text())
    assert done.stdout.strip().splitlines()[-1] == verdict["sentence"]
    assert verdict["verdict"] != "PASS"  # six steps of training prove nothing
    for name in ("best.yaml", "report.html", "plots/loss_lr.svg", "plots/loss_lr.png"):
        assert (run / name).stat().st_size > 0


def test_a_demo_without_a_spec_ends_with_a_message(tmp_path):
    done = call("examples/demo.py", "--spec", str(tmp_path / "none.yaml"), "--runs", str(tmp_path))
    assert done.returncode == 2 and "no such file" in done.stderr


def test_a_trainer_loads_best_yaml_at_the_production_width(demo, monkeypatch, capsys):
    _, run = demo
    best = YAML(typ="safe").load((run / "best.yaml").read_text())
    printed, _ = run_trainer(monkeypatch, capsys, run, "--steps", "1")
    lrs = {m[1]: float(m[2]) for m in re.finditer(r"^(\S+): lr (\S+) ", printed, re.MULTILINE)}
    hidden = next(lr for name, lr in lrs.items() if name.startswith("hidden"))
    others = [lr for name, lr in lrs.items() if not name.startswith("hidden")]
    assert best["width"] == 1152 and best["plan"]["width_mult"] == 72
    # After one step the scheduler has multiplied every group by the same factor.
    assert hidden * 72 == pytest.approx(others[0], rel=1e-2)
    assert others[0] < best["hps"]["lr"]


def test_a_trainer_at_another_depth_is_warned_and_makes_a_new_plan(demo, monkeypatch, capsys):
    _, run = demo
    _, warned = run_trainer(monkeypatch, capsys, run, "--depth", "2")
    assert "the verdict is for depth = 1; got 2" in warned
