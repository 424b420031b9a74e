"""A user's own `analysis`, `proxies` and `sweep`: theirs and ours are imported alike."""

import sys
from pathlib import Path

import pytest

from tests.environments import SITE, environment, python

MODEL = """
import torch
from torch import nn


def build(width):
    stem, inner, head = nn.Linear(5, width), nn.Linear(width, width), nn.Linear(width, 2)
    return nn.Sequential(stem, nn.ReLU(), inner, head)


def loss(model, batch, generator):
    return (model(batch["x"]) - batch["y"]).square().mean(1)
"""
DATA = """
import torch


class Data:
    fingerprint = "normal"

    def batch(self, seed, step, size):
        x = torch.randn(size, 5, generator=torch.Generator().manual_seed(1000 * seed + step))
        return {"x": x, "y": x[:, :2]}

    def validation(self):
        return self.batch(10**6, 0, 32)
"""
TRAINER = """
import torch
from analysis import model
from proxies import data

from mutransfer import mup


def run(trial):
    net = model.build(trial.width)
    mup.init_(net, trial.plan, seed=trial.seed)
    optimizer = torch.optim.AdamW(mup.param_groups(net, trial.plan, lr=trial.hps["lr"]))
    for step in range(trial.steps + 1):
        batch = data.Data().batch(trial.seed, step, trial.batch_size)
        loss = model.loss(net, batch, None).mean()
        yield {"step": step, "train_loss": loss.item(), "val_loss": loss.item()}
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
"""
HOSTILE = """
version: 1
studies:
  ours: &study
    model:
      {family: custom, build: 'analysis.model:build', loss: 'analysis.model:loss', base_width: 16}
    data: {source: custom, build: 'proxies.data:Data'}
    train: {steps: 4, batch_size: 16, n_val: 1}
    parameters:
      lr: {log2: [-8, -5]}
    search: {width: 16, trials: 2, generation: 2}
    transfer:
      {parameters: [lr], widths: [16, 32], points: 3, refine: false, seeds: 1, max_extend: 0}
    target: {width: 64, check: slices, points: 3, seeds: 1, tolerance: {rel_loss: 0.05}}
    coordcheck: {gate: skip}
  theirs:
    <<: *study
    trial: 'sweep:run'
"""


def write_hostile(folder: Path) -> None:
    """A user's own `analysis` (a package), `proxies` (a folder) and `sweep` (a module)."""
    for name, text in {
        "analysis/__init__.py": "",
        "analysis/model.py": MODEL,
        "proxies/data.py": DATA,
        "sweep.py": TRAINER,
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


EVERY_CHECK = ("check", "roles", "coordcheck")
COMMANDS = """
import sys
from mutransfer.sweep.cli import main

for words, codes in {calls}:
    sys.argv[1:] = words
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code or 0
    assert code in codes, (words, code)
"""


def use(
    executable: Path | str,
    work: Path,
    spec: Path,
    *options: str,
    first: tuple[str, ...] = ("check", "roles"),
    **variables: str,
) -> list[str]:
    """Go the way of both studies, to `best.yaml`; returns those that arrived."""
    where = ["--spec", str(spec), "--runs", str(work / "runs")]
    calls: list[tuple[list[str], tuple[int, ...]]] = [
        ([command, "ours", "--spec", str(spec)], (0,)) for command in first
    ]
    for study in ("ours", "theirs"):
        calls += [
            (["plan", study, *where], (0,)),
            (["run", study, *where, *options], (0,)),
            (["status", study, *where], (0,)),
            (["log", study, "--to", "tensorboard", *where], (0,)),
            (["analyze", study, *where], (0, 3)),
            (["export", study, "--width", "128", "--force", *where], (3,)),
        ]
    done = python(executable, COMMANDS.format(calls=calls), work, **variables)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stdout + done.stderr
    return sorted(path.parent.name for path in (work / "runs").glob("*/best.yaml"))


def placed(tmp_path: Path, placement: str) -> tuple[Path, Path, dict[str, str]]:
    """Working directory, spec and environment of a user whose folders lie in one place."""
    work, other, path = (tmp_path / name for name in ("work", "spec", "path"))
    for folder in (work, other, path):
        folder.mkdir()
    write_hostile({"working directory": work, "spec": other, "PYTHONPATH": path}[placement])
    (other / "sweeps.yaml").write_text(HOSTILE)
    return work, other / "sweeps.yaml", {"PYTHONPATH": str(path)}


def test_a_users_own_folders_of_our_names_are_imported_beside_ours(tmp_path):
    work, spec, variables = placed(tmp_path, "spec")
    assert use(sys.executable, work, spec, "--inline", **variables) == ["ours", "theirs"]


@pytest.mark.slow
@pytest.mark.parametrize("placement", ["working directory", "spec", "PYTHONPATH"])
@pytest.mark.parametrize("install", ["wheel", "editable"])
def test_wherever_they_lie_and_however_we_are_installed(wheel, tmp_path, placement, install):
    work, spec, variables = placed(tmp_path, placement)
    own = environment(tmp_path / "env", wheel, SITE) if install == "wheel" else sys.executable
    ways = use(own, work, spec, "--inline", first=EVERY_CHECK, **variables)
    assert ways == ["ours", "theirs"]


@pytest.mark.slow
@pytest.mark.parametrize("install", ["wheel", "editable"])
def test_rays_workers_import_both(wheel, tmp_path, install):
    work, spec, variables = placed(tmp_path, "working directory")
    own = environment(tmp_path / "env", wheel, SITE) if install == "wheel" else sys.executable
    assert use(own, work, spec, **variables) == ["ours", "theirs"]
