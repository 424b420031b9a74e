"""A trial in a worker becomes a row: done, diverged, failed, lost; resumed to the same result."""

import pytest

from mutransfer.analysis.table import from_rows, validate
from mutransfer.proxies.training import train
from mutransfer.proxies.training.flops import step_flops
from mutransfer.sweep.plan.request import TrialRequest, trial
from mutransfer.sweep.run import worker
from mutransfer.sweep.store.store import Store
from tests.sweep.conftest import TINY, study_of

LONG = TINY.replace("steps: 6", "steps: 30, log_every: 5")


def a_request(text: str = TINY, **changes) -> TrialRequest:
    values = {"axis_value": 16, "arm": "mup", "hps": {"lr": 2**-6}, "seed": 1, **changes}
    return TrialRequest(config=trial(study_of(text), **values), asked_by="set")


def run_to_row(request: TrialRequest, store: Store, every_s: float = 1e9) -> dict:
    for _ in worker.run(request, "tiny", store, checkpoint_every_s=every_s):
        pass
    return store.read_row(request.trial_id)


def test_a_trial_becomes_a_valid_row_with_a_curve(tmp_path):
    store = Store(str(tmp_path))
    row = run_to_row(a_request(), store)
    assert row["status"] == "done" and 0 < row["val_loss"] < row["trivial_val_loss"]
    assert row["flops"] > 0 and row["n_params"] > 0 and row["asked_by"] == "set"
    assert store.curves()["step"].max() == 6
    assert len(validate(store.table())) == 1


def test_a_trial_with_a_row_is_not_run_again(tmp_path):
    store = Store(str(tmp_path))
    first = run_to_row(a_request(), store)
    assert list(worker.run(a_request(), "tiny", store, checkpoint_every_s=1)) == []
    assert store.read_row(first["trial_id"]) == first


def test_a_killed_trial_resumes_from_its_checkpoint_with_the_same_result(tmp_path):
    request = a_request(LONG)
    uninterrupted = run_to_row(request, Store(str(tmp_path / "uninterrupted")))
    store = Store(str(tmp_path / "cut"))
    heartbeats = worker.run(request, "tiny", store, checkpoint_every_s=0)
    next(heartbeats)
    next(heartbeats)  # the first checkpoint is written before this heartbeat
    heartbeats.close()
    assert not store.has_row(request.trial_id) and store.names("checkpoints", ".pt")
    row = run_to_row(request, store)
    assert row["resumed_from_step"] == 10 and uninterrupted["resumed_from_step"] is None
    assert (
        row["val_loss"] == uninterrupted["val_loss"]
        and row["train_loss"] == uninterrupted["train_loss"]
    )
    assert not store.names("checkpoints", ".pt")


def test_a_damaged_checkpoint_starts_the_trial_from_step_0(tmp_path):
    request = a_request(LONG)
    store = Store(str(tmp_path))
    store.write(b"PK damaged", "checkpoints", f"{request.trial_id}.pt")
    assert run_to_row(request, store)["status"] == "done"


def test_a_diverged_trial_has_a_step_and_no_loss(tmp_path):
    row = run_to_row(a_request(LONG, hps={"lr": 64.0}), Store(str(tmp_path)))
    assert row["status"] == "diverged" and row["val_loss"] is None
    assert 0 < row["diverged_step"] <= 30


def test_a_failing_trial_is_a_row_with_its_error(tmp_path, monkeypatch):
    def raise_error(self):
        raise MemoryError("no memory")

    monkeypatch.setattr(train.Training, "run", raise_error)
    row = run_to_row(a_request(), Store(str(tmp_path)))
    assert row["status"] == "failed" and "MemoryError: no memory" in row["error"]
    assert row["val_loss"] is None and row["flops"] == 0.0


def test_a_trial_that_fails_costs_the_steps_that_it_took(tmp_path, monkeypatch):
    take_step = train.Training.take_step

    def until_step_4(self):
        if self.step == 4:
            raise MemoryError("no memory")
        take_step(self)

    monkeypatch.setattr(train.Training, "take_step", until_step_4)
    row = run_to_row(a_request(), Store(str(tmp_path)))
    assert row["status"] == "failed" and "MemoryError: no memory (test_worker.py" in row["error"]
    assert row["flops"] == 4 * step_flops(a_request().config)


def test_a_diverged_trial_costs_the_steps_that_it_took(tmp_path):
    request = a_request(LONG, hps={"lr": 64.0})
    row = run_to_row(request, Store(str(tmp_path)))
    steps = row["flops"] / step_flops(request.config)
    assert row["status"] == "diverged" and steps == int(steps)
    assert row["diverged_step"] <= steps <= 30


def test_after_a_cuda_error_the_row_is_written_and_the_process_is_given_up(tmp_path, monkeypatch):
    def poisoned(self):
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(train.Training, "run", poisoned)
    store = Store(str(tmp_path))
    with pytest.raises(worker.PoisonedProcess):
        run_to_row(a_request(), store)
    assert store.read_row(a_request().trial_id)["status"] == "failed"


def test_a_lost_worker_leaves_a_failed_row():
    row = worker.lost_row(a_request(), "tiny")
    assert from_rows([row])["status"].tolist() == ["failed"]
