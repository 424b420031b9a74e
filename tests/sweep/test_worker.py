import pytest

from mutransfer.analysis import table as results
from mutransfer.proxies.training import train
from mutransfer.sweep.plan.request import TrialRequest, trial
from mutransfer.sweep.run import worker
from mutransfer.sweep.store.store import Store
from tests.sweep.conftest import TINY, study_of

LONG = TINY.replace("steps: 6", "steps: 30, log_every: 5")


def an_ask(text: str = TINY, **changes) -> TrialRequest:
    values = {"axis_value": 16, "arm": "mup", "hps": {"lr": 2**-6}, "seed": 1, **changes}
    return TrialRequest(config=trial(study_of(text), **values), asked_by="set")


def exhaust(ask: TrialRequest, store: Store, every_s: float = 1e9) -> dict:
    for _ in worker.run(ask, "tiny", store, checkpoint_every_s=every_s):
        pass
    return store.read_row(ask.trial_id)


def test_a_trial_becomes_a_valid_row_with_a_curve(tmp_path):
    store = Store(str(tmp_path))
    row = exhaust(an_ask(), store)
    assert row["status"] == "done" and 0 < row["val_loss"] < row["trivial_val_loss"]
    assert row["flops"] > 0 and row["n_params"] > 0 and row["asked_by"] == "set"
    assert store.curves()["step"].max() == 6
    assert len(results.validate(store.table())) == 1


def test_a_trial_with_a_row_is_not_run_again(tmp_path):
    store = Store(str(tmp_path))
    first = exhaust(an_ask(), store)
    assert list(worker.run(an_ask(), "tiny", store, checkpoint_every_s=1)) == []
    assert store.read_row(first["trial_id"]) == first


def test_a_killed_trial_goes_on_from_its_checkpoint_to_the_same_bits(tmp_path):
    ask = an_ask(LONG)
    whole = exhaust(ask, Store(str(tmp_path / "whole")))
    store = Store(str(tmp_path / "cut"))
    beats = worker.run(ask, "tiny", store, checkpoint_every_s=0)
    next(beats)
    next(beats)  # the first checkpoint is written before this beat
    beats.close()
    assert not store.has_row(ask.trial_id) and store.names("checkpoints", ".pt")
    row = exhaust(ask, store)
    assert row["resumed_from_step"] == 10 and whole["resumed_from_step"] is None
    assert row["val_loss"] == whole["val_loss"] and row["train_loss"] == whole["train_loss"]
    assert not store.names("checkpoints", ".pt")


def test_a_torn_checkpoint_starts_the_trial_afresh(tmp_path):
    ask = an_ask(LONG)
    store = Store(str(tmp_path))
    store.write(b"PK torn", "checkpoints", f"{ask.trial_id}.pt")
    assert exhaust(ask, store)["status"] == "done"


def test_a_diverged_trial_has_a_step_and_no_loss(tmp_path):
    row = exhaust(an_ask(LONG, hps={"lr": 64.0}), Store(str(tmp_path)))
    assert row["status"] == "diverged" and row["val_loss"] is None
    assert 0 < row["diverged_step"] <= 30


def test_a_failing_trial_is_a_row_with_its_error(tmp_path, monkeypatch):
    def broken(self):
        raise MemoryError("no room")

    monkeypatch.setattr(train.Training, "run", broken)
    row = exhaust(an_ask(), Store(str(tmp_path)))
    assert row["status"] == "failed" and "MemoryError: no room" in row["error"]
    assert row["val_loss"] is None


def test_a_poisoned_process_writes_its_row_and_says_so(tmp_path, monkeypatch):
    def poisoned(self):
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(train.Training, "run", poisoned)
    store = Store(str(tmp_path))
    with pytest.raises(worker.PoisonedProcess):
        exhaust(an_ask(), store)
    assert store.read_row(an_ask().trial_id)["status"] == "failed"


def test_a_lost_worker_leaves_a_failed_row():
    row = worker.lost_row(an_ask(), "tiny")
    assert results.from_rows([row])["status"].tolist() == ["failed"]
