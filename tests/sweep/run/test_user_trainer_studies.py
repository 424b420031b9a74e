"""Studies with the user's own trainer, from `run` to a best.yaml that a trainer loads."""

import json
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from ruamel.yaml import YAML

from mutransfer.analysis.table import same
from mutransfer.proxies import mup, user_code
from mutransfer.sweep import spec
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from tests.sweep.command_line import call, kill_run, start_run, wait_for_rows

SETTLE_S = 6  # until Ray's processes have ended after their driver, and programs after a worker
EXAMPLE = Path(__file__).parents[3] / "examples/custom/sweeps.yaml"
# A trainer with a known optimum: the best base LR is 2^-5 at every width under the plan that it
# receives, and 2^-5 / m where the LR of hidden weights is not divided. It writes a checkpoint.
TRAINER = """
import json, math, pathlib, sys, time
trial = json.loads(pathlib.Path(sys.argv[1]).read_text())
PAUSE_S = 0.0
def say(**point):
    with open(trial["progress_file"], "a") as file:
        file.write(json.dumps(point) + "\\n")
rate = min(row["lr_mult"] for row in trial["plan"]["params"].values())
m = trial["width"] / 16
miss = math.log2(trial["hps"]["lr"] * rate * m) + 5
loss = 1 + 0.02 * miss**2 + 0.1 / m + 1e-4 * math.sin(trial["seed"] + miss)
kept = pathlib.Path(trial["checkpoint_dir"]) / "step"
begin = int(kept.read_text()) if kept.exists() else 0
say(step=0, val_loss=3.0)
for step in range(begin + 1, trial["steps"] + 1):
    kept.write_text(str(step))
    time.sleep(PAUSE_S)
say(step=trial["steps"], train_loss=loss, val_loss=loss)
"""
NOISE = '1e-4 * math.sin(trial["seed"] + miss)'
SPEC = f"""
version: 1
studies:
  own:
    model: {{family: dit, depth: 1, head_dim: 8, base_width: 16, patch_size: 4}}
    data: {{source: digits, val_draws: 1}}
    trial: {{command: '{sys.executable} trainer.py {{config_json}}', silence_s: 30}}
    train: {{steps: 8, batch_size: 16}}
    parameters:
      lr: {{log2: [-8, -2]}}
    search: {{width: 16, trials: 6, generation: 3}}
    transfer: {{parameters: [lr], widths: [16, 32], points: 5, refine: false, seeds: 2,
      control: sp}}
    target: {{width: 64, check: slices, points: 5, seeds: 2, tolerance: {{rel_loss: 0.01}}}}
    coordcheck: {{gate: skip}}
"""


def write_study(folder: Path, pause_s: float = 0.0, trainer: str = TRAINER) -> Path:
    folder.mkdir(exist_ok=True)
    code = textwrap.dedent(trainer).replace("PAUSE_S = 0.0", f"PAUSE_S = {pause_s}")
    (folder / "trainer.py").write_text(code)
    (folder / "sweeps.yaml").write_text(SPEC)
    return folder


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> Path:
    """The folder of a finished study of the program, run in this process."""
    folder = write_study(tmp_path_factory.mktemp("undisturbed"))
    done = call(folder, "run", "own", "--inline")
    assert done.returncode == 0, done.stderr
    return folder


def exported(folder: Path, name: str, width: int, *where: str) -> dict:
    """The best.yaml of a finished study, after its analysis."""
    done = call(folder, "analyze", name, "--json", *where)
    assert done.returncode in (0, 3), done.stderr
    words = ("--width", str(width), "--force", "-o", "best.yaml")
    call(folder, "export", name, *words, *where)
    best = YAML(typ="safe").load(folder / "best.yaml")
    assert best["verdict"] and best["plan"]["width"] == width
    return {"verdict": json.loads(done.stdout), "best": best}


def test_a_programs_study_is_judged_and_exported(undisturbed):
    """The planted optimum is at 2^-5 at every width under μP, and an octave lower under SP."""
    result = exported(undisturbed, "own", 128)
    assert result["verdict"]["verdict"] == "PASS", result["verdict"]["reasons"]
    assert result["best"]["hps"]["lr"] == pytest.approx(2**-5, rel=0.1)
    table = Store(str(undisturbed / "runs/own")).table()
    assert set(table["status"]) == {"done"} and table["val_loss"].min() > 1
    best = table[(table["width"] == 32) & (table["seed"] == 1)]
    at = best.loc[best.groupby("arm")["val_loss"].idxmin()].set_index("arm")["hp.lr"]
    assert at["mup"] == pytest.approx(2**-5) and at["sp"] == pytest.approx(2**-6)


@pytest.mark.parametrize("stored", [None, 0.0312501])
def test_a_study_whose_optimum_lies_beside_a_lattice_value_ends(tmp_path, stored):
    """It is the lattice value; one that an older run directory stored beside it is kept."""
    beside = TRAINER.replace("+ 5\n", "+ 5 - 3e-6\n").replace(NOISE, "1e-4 * trial['seed']")
    folder = write_study(tmp_path, trainer=beside)
    few = SPEC.replace("points: 5", "points: 3").replace(",\n      control: sp", "")
    (folder / "sweeps.yaml").write_text(few.replace("trials: 6", "trials: 3"))
    store = Store(str(folder / "runs/own"))
    if stored is not None:
        rundir.claim(store, spec.read(folder / "sweeps.yaml")["own"])
        best = {"lr": 2**-5}
        store.decide("centre", {"centre": best, "search_best": best})
        content = {"transferred": {"lr": stored}, "flags": {"lr": []}, "optima": {}}
        store.decide("transferred", content)
    done = call(folder, "run", "own", "--inline")
    assert done.returncode == 0, done.stderr
    best = exported(folder, "own", 64)["best"]
    assert best["hps"]["lr"] == (stored or 2**-5)
    at_target = store.table().query("width == 64 and seed == 1")["hp.lr"]
    near = set(at_target[(at_target - 2**-5).abs() < 1e-3])
    assert near == {2**-5, stored or 2**-5}  # the control: as it was chosen before, it runs twice


def test_a_finished_programs_study_runs_nothing_again(undisturbed):
    store = Store(str(undisturbed / "runs/own"))
    before = store.table()
    assert call(undisturbed, "run", "own", "--inline").returncode == 0
    assert store.table().equals(before)


@pytest.mark.slow
def test_on_ray_a_programs_study_killed_midway_ends_in_the_same_table(tmp_path, undisturbed):
    """SIGKILL to the driver in search and in slices; no finished trial runs twice."""
    folder = write_study(tmp_path / "killed", pause_s=0.05)
    store = Store(str(folder / "runs/own"))
    for n_rows in (2, 9):
        process = start_run(folder, "own")
        wait_for_rows(process, store, n_rows, timeout_s=400)
        kill_run(process, SETTLE_S)
        before = store.table().set_index("trial_id")["started_at"]
        store.sweep_temporaries()
    last = start_run(folder, "own")
    assert last.wait(timeout=600) == 0, last.communicate()
    after = store.table()
    expected = Store(str(undisturbed / "runs/own")).table()
    assert set(after["status"]) == {"done"} and len(before) >= 9
    assert same(after, expected) == []
    assert (after.set_index("trial_id")["started_at"][before.index] == before).all()
    assert not store.names("checkpoints", "")
    assert exported(folder, "own", 128)["verdict"]["verdict"] == "PASS"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["function", "program"])
def test_the_examples_trainers_run_on_ray_and_their_best_yaml_is_loaded(tmp_path, name):
    """The function, and two processes of torchrun with FSDP2; killed midway and continued."""
    where = ("--spec", str(EXAMPLE), "--runs", str(tmp_path))
    store = Store(str(tmp_path / name))
    process = start_run(tmp_path, name, *where)
    wait_for_rows(process, store, 3, timeout_s=400)
    kill_run(process, SETTLE_S)
    before = store.table().set_index("trial_id")["started_at"]
    last = start_run(tmp_path, name, *where)
    assert last.wait(timeout=600) == 0, last.communicate()
    table = store.table()
    assert set(table["status"]) == {"done"}, table["error"].dropna().tolist()
    assert (table.set_index("trial_id")["started_at"][before.index] == before).all()
    best = exported(tmp_path, name, 256, *where)["best"]
    assert best["valid_for"]["build"] == "transformer:build"
    loads_and_trains(best)


def loads_and_trains(best: dict) -> None:
    """A minimal production trainer: it needs only what best.yaml holds."""
    names = [f"transformer:{part}" for part in ("build", "loss", "data")]
    user_code.allow(names, [str(EXAMPLE.parent)])
    build, loss, data = map(user_code.function, names)
    torch.manual_seed(0)
    model, plan, hps = build(best["width"]), best["plan"], best["hps"]
    mup.init_(model, plan)
    groups = mup.param_groups(model, plan, lr=hps["lr"], weight_decay=hps["weight_decay"])
    by_role = {group["name"]: group["lr"] for group in groups}
    assert by_role["hidden"] == pytest.approx(hps["lr"] / 8)
    optimizer, batch = torch.optim.AdamW(groups), data().batch(0, 0, 16)
    losses = []
    for _ in range(8):
        losses.append(loss(model, batch, torch.Generator()).mean())
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < losses[0]
