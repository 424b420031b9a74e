"""The actor that runs trials, here in the process of the test: Ray calls the same methods."""

import json

import pytest

from mutransfer.proxies.training import train
from mutransfer.sweep.plan.request import TrialRequest, trial
from mutransfer.sweep.run import driver
from mutransfer.sweep.run.ray_actor import TrialWorker, plain_of_request, request_from_plain
from mutransfer.sweep.run.ray_searcher import PlanSearcher
from mutransfer.sweep.store.store import Store


@pytest.fixture
def configs(tiny, tmp_path) -> list[dict]:
    """The configs of the first trials, as the searcher sends them."""
    searcher = PlanSearcher(driver.State.load(tiny, Store(str(tmp_path))))
    return [searcher.suggest(f"{i}") for i in range(2)]


def run_to_end(actor: TrialWorker) -> dict:
    while not (result := actor.step())["done"]:
        pass
    return result


def test_a_request_goes_through_plain_data_unchanged(tiny):
    config = trial(tiny, axis_value=16, arm="mup", hps={"lr": 2**-6}, seed=1)
    request = TrialRequest(config=config, asked_by="search", generation=3)
    plain = json.loads(json.dumps(plain_of_request(request)))
    assert request_from_plain(plain) == request
    assert request_from_plain(plain | {"generation": 4}) != request  # the control


def test_an_actor_runs_one_trial_after_the_other_and_their_rows_are_on_disk(configs, tmp_path):
    store = Store(str(tmp_path))
    actor = TrialWorker(configs[0])
    assert store.table().empty
    run_to_end(actor)
    assert len(store.table()) == 1
    assert actor.reset_config(configs[1])
    run_to_end(actor)
    assert len(store.table()) == 2 and set(store.table()["status"]) <= {"done", "diverged"}


def test_a_barrier_trial_is_done_when_all_processes_have_arrived_and_trains_nothing(tmp_path):
    config = {"location": str(tmp_path), "n_processes": 2}
    first = TrialWorker({**config, "barrier_index": 0})
    assert not first.step()["done"]
    TrialWorker({**config, "barrier_index": 1})
    assert first.step() == {"done": True, "heartbeat": None}
    assert Store(str(tmp_path)).table().empty


def test_after_a_cuda_error_the_process_ends_and_the_row_is_written(configs, tmp_path, monkeypatch):
    def poisoned(self):
        raise RuntimeError("CUDA error: device-side assert triggered")

    def end(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr(train.Training, "run", poisoned)
    monkeypatch.setattr("os._exit", end)  # it would end the tests
    with pytest.raises(SystemExit) as ended:
        run_to_end(TrialWorker(configs[0]))
    assert ended.value.code == 1
    assert Store(str(tmp_path)).table()["status"].tolist() == ["failed"]
