"""Viewers are written to and never in the way."""

import math
import os
import signal
import struct
import threading
import time
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event
from typer.testing import CliRunner

from mutransfer.sweep import spec
from mutransfer.sweep.cli import app
from mutransfer.sweep.errors import SpecError, UserError
from mutransfer.sweep.plan.request import TrialRequest, trial
from mutransfer.sweep.run import driver, worker
from mutransfer.sweep.spec import loggers
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from mutransfer.sweep.viewers import follow
from tests.sweep.conftest import TINY, study_of, write_spec
from tests.sweep.test_plan import row

CURVE = [
    {"step": s, "train_loss": 1 / s, "val_loss": 0.5 if s == 6 else None, "lr": 0.1,
     "grad_norm": 1.0}
    for s in (2, 4, 6)
]  # fmt: skip
TIMES = {"started_at": "2026-01-02T03:04:05+00:00", "finished_at": "2026-01-02T03:05:05+00:00"}


@pytest.fixture
def filled(tiny, tmp_path) -> Store:
    """A run directory with a finished, a diverged and a failed trial."""
    store = Store(str(tmp_path / "tiny"))
    rundir.claim(store, tiny)
    for seed, outcome in ((1, 0.5), (2, None), (3, "failed")):
        config = trial(tiny, axis_value=16, arm="mup", hps={"lr": 2**-6}, seed=seed)
        entry = row(TrialRequest(config=config, asked_by="slices"), outcome) | TIMES
        store.write_row(entry, [] if outcome == "failed" else CURVE)
    return store


def events(path: Path) -> list[Event]:
    """The events of a TensorBoard file: length, its check sum, content, its check sum."""
    content, found = path.read_bytes(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        found.append(Event.FromString(content[12 : 12 + length]))
        content = content[16 + length :]
    return found


def scalars(path: Path) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for event in events(path):
        for value in event.summary.value:
            if value.WhichOneof("value") == "simple_value":
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def test_tensorboard_has_the_curve_and_the_outcome_of_each_trial_once(filled):
    first = follow.write_new("tiny", filled, ["tensorboard"])
    assert (first.written, first.faults) == ({"tensorboard": 2}, {})  # not the failed one
    files = sorted(Path(filled.root, "tensorboard").rglob("events.*"))
    assert len(files) == 2 and all("slices/mup-w16-lr0.0156-s" in str(f) for f in files)
    done = next(found for found in map(scalars, files) if "final/val_loss" in found)
    assert done["train_loss"] == [(2, 0.5), (4, 0.25), (6, pytest.approx(1 / 6))]
    assert done["val_loss"] == [(6, 0.5)] and done["final/val_loss"] == [(6, 0.5)]
    times = [event.wall_time for event in events(files[0]) if event.step == 6]
    assert {round(t) for t in times} == {1767323105}
    tags = {v.tag for event in events(files[0]) for v in event.summary.value}
    assert "_hparams_/session_start_info" in tags

    before = {file: file.read_bytes() for file in files}
    again = follow.write_new("tiny", filled, ["tensorboard"])
    assert again.written == {"tensorboard": 0}
    # An attempt that was cut off before its mark leaves the same files.
    filled.clear(follow.FOLDER)
    assert follow.write_new("tiny", filled, ["tensorboard"]).written == {"tensorboard": 2}
    assert sorted(Path(filled.root, "tensorboard").rglob("events.*")) == files
    assert {f: len(f.read_bytes()) for f in files} == {f: len(b) for f, b in before.items()}


def test_a_failed_trial_is_written_when_it_has_run_again(tiny, filled):
    follow.write_new("tiny", filled, ["tensorboard"])
    assert filled.forget_failed() == 1
    config = trial(tiny, axis_value=16, arm="mup", hps={"lr": 2**-6}, seed=3)
    filled.write_row(row(TrialRequest(config=config, asked_by="slices"), 0.4) | TIMES, CURVE)
    assert follow.write_new("tiny", filled, ["tensorboard"]).written == {"tensorboard": 1}


def test_a_viewer_that_fails_says_so_once_and_touches_no_trial(tiny, tmp_path):
    store = Store(str(tmp_path / "tiny"))
    rundir.claim(store, tiny)
    (tmp_path / "tiny" / "tensorboard").write_text("a file where the folder should be")
    told: list[str] = []
    with follow.following("tiny", store, ["tensorboard"], told.append):
        for ask in driver.State.load(tiny, store).next.trials:
            for _ in worker.run(ask, "tiny", store, checkpoint_every_s=30):
                pass
    assert set(store.table()["status"]) <= {"done", "diverged"} and len(store.table()) == 2
    (note,) = notes(told)
    assert note.startswith("note: tensorboard: ") and "mutransfer log tiny" in note


def test_a_follower_that_is_killed_is_a_line_and_no_more(filled, monkeypatch):
    told: list[str] = []
    started = []
    start = follow._start
    monkeypatch.setattr(follow, "_start", lambda *a: started.append(start(*a)) or started[0])
    with follow.following("tiny", filled, ["tensorboard"], told.append):
        os.kill(started[0].pid, signal.SIGKILL)
    assert notes(told) == [
        f"note: loggers ended with code {-signal.SIGKILL}; no trial is touched; "
        "`mutransfer log tiny` goes on"
    ]


def test_a_follower_that_cannot_start_is_a_line_and_no_more(filled, monkeypatch):
    monkeypatch.setattr(follow.sys, "executable", "/no/such/python")
    told: list[str] = []
    with follow.following("tiny", filled, ["tensorboard"], told.append):
        told.append("the study runs")
    assert told[0].startswith("note: loggers cannot start") and told[1:] == ["the study runs"]


def notes(told: list[str]) -> list[str]:
    """What was told but for the announcement of a wait, which a busy machine brings."""
    return [line for line in told if line.startswith("note: ")]


def test_following_writes_what_finishes_meanwhile_and_ends(filled):
    over = threading.Event()
    thread = threading.Thread(
        target=follow.follow, args=(filled.root, "tiny", ["tensorboard"], over)
    )
    thread.start()
    deadline = time.monotonic() + 60
    while not filled.names(follow.FOLDER + "/tensorboard", "") and time.monotonic() < deadline:
        time.sleep(0.1)
    assert filled.names(follow.FOLDER + "/tensorboard", ""), "written before the end"
    over.set()
    thread.join(60)
    assert not thread.is_alive()


def test_one_key_of_the_spec_is_enough_and_a_second_run_doubles_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = TINY.replace("seeds: 2", "seeds: 1").rstrip() + "\n    loggers: [tensorboard]\n"
    write_spec(tmp_path, text)
    run = ["run", "tiny", "--inline", "--runs", str(tmp_path / "runs")]
    assert CliRunner().invoke(app, run).exit_code == 0
    store = Store(str(tmp_path / "runs" / "tiny"))
    files = sorted(Path(store.root, "tensorboard").rglob("events.*"))
    assert len(files) == len(store.table()) > 8
    found = CliRunner().invoke(app, run)
    assert found.exit_code == 0 and "note" not in found.output
    assert sorted(Path(store.root, "tensorboard").rglob("events.*")) == files
    log = CliRunner().invoke(app, ["log", store.root, "--to", "tensorboard"])
    assert log.exit_code == 0 and "tensorboard: 0 trials written" in log.output
    assert CliRunner().invoke(app, ["log", store.root, "--to", "tensorbord"]).exit_code != 0


def test_an_absent_package_is_named_with_its_extra_before_anything_runs(monkeypatch):
    sink = loggers.Sink("mutransfer_no_such_package", "wandb", "mutransfer.sweep.viewers.wandb")
    monkeypatch.setitem(loggers.SINKS, "wandb", sink)
    text = TINY.rstrip() + "\n    loggers: [tensorboard, wandb]\n"
    with pytest.raises(SpecError) as error:
        study_of(text)
    assert "pip install 'mutransfer[wandb]'" in str(error.value)
    assert "studies.tiny.loggers" in str(error.value) and str(error.value).startswith("1 fault")
    with pytest.raises(UserError, match=r"mutransfer\[wandb\]"):
        follow.require(["wandb"])
    # A run directory is read all the same where the viewer is not installed.
    plain = study_of(text.replace(", wandb]", "]")).resolved() | {"loggers": ["wandb"]}
    assert spec.from_resolved(plain).loggers == ("wandb",)


def test_loggers_may_change_under_a_run(tiny, filled):
    text = TINY.rstrip() + "\n    loggers: [tensorboard]\n"
    assert [c.path for c in rundir.claim(filled, study_of(text))] == ["loggers"]
    assert [c.path for c in rundir.claim(filled, tiny)] == ["loggers"]


@pytest.mark.slow
def test_wandb_writes_offline_runs_named_by_their_trial(filled, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    first = follow.write_new("tiny", filled, ["wandb"])
    assert (first.written, first.faults) == ({"wandb": 2}, {})
    done = filled.table().query("status == 'done'")["trial_id"].item()
    runs = sorted(Path(filled.root, "wandb").glob("offline-run-*"))
    assert len(runs) == 2 and sum(run.name.endswith(f"tiny-{done}") for run in runs) == 1
    (content,) = [next(r.glob("*.wandb")).read_bytes() for r in runs if r.name.endswith(done)]
    for word in (b"hp.lr", b"0.015625", b"train_loss", b"val_loss", b"slices", b"width 16"):
        assert word in content, word
    assert follow.write_new("tiny", filled, ["wandb"]).written == {"wandb": 0}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow uses what SQLAlchemy deprecates
def test_mlflow_has_one_run_a_trial_even_after_an_attempt_that_was_cut_off(filled, monkeypatch):
    from mlflow.tracking import MlflowClient

    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    first = follow.write_new("tiny", filled, ["mlflow"])
    assert (first.written, first.faults) == ({"mlflow": 2}, {})
    filled.clear(follow.FOLDER)
    assert follow.write_new("tiny", filled, ["mlflow"]).written == {"mlflow": 2}
    client = MlflowClient(tracking_uri=f"sqlite:///{filled.path('mlflow.db')}")
    experiment = client.get_experiment_by_name("tiny").experiment_id
    runs = {run.data.tags["status"]: run for run in client.search_runs([experiment])}
    assert len(client.search_runs([experiment])) == 2
    done = runs["done"]
    assert (done.info.status, runs["diverged"].info.status) == ("FINISHED", "FAILED")
    assert math.isclose(float(done.data.params["hp.lr"]), 2**-6)
    assert done.data.metrics["final.val_loss"] == 0.5
    history = client.get_metric_history(done.info.run_id, "train_loss")
    by_step = {m.step: m.value for m in history if m.step}
    assert by_step == {2: 0.5, 4: 0.25, 6: pytest.approx(1 / 6)}
    assert (done.info.end_time - done.info.start_time) == 60_000
