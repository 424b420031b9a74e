"""The searcher hands out the plan: barrier trials first, then trials, then the end."""

import pytest
from ray.tune.search import Searcher

from mutransfer.sweep.run import driver
from mutransfer.sweep.run.ray_actor import request_from_plain
from mutransfer.sweep.run.ray_searcher import PlanSearcher
from mutransfer.sweep.store.store import Store
from tests.sweep.planted import row


@pytest.fixture
def state(tiny, tmp_path) -> driver.State:
    return driver.State.load(tiny, Store(str(tmp_path)))


def test_every_slot_gets_a_barrier_trial_before_any_other(state):
    state.slots = 2
    searcher = PlanSearcher(state)
    barrier = [searcher.suggest(f"barrier-{i}") for i in range(2)]
    assert sorted(config["barrier_index"] for config in barrier) == [0, 1]
    assert "request" in searcher.suggest("trial")
    state.slots = 1
    assert "request" in PlanSearcher(state).suggest("trial")


def test_requests_arrive_unchanged_and_once(state):
    searcher = PlanSearcher(state)
    configs = [searcher.suggest(f"trial-{i}") for i in range(len(state.next.trials))]
    assert [request_from_plain(config["request"]) for config in configs] == [*state.next.trials]
    assert searcher.suggest("more") is None  # the plan waits for them


def test_a_trial_without_a_row_was_lost_and_becomes_a_failed_row(state):
    searcher = PlanSearcher(state)
    request, other = state.next.trials
    searcher.suggest("lost"), searcher.suggest("done")
    searcher.on_trial_complete("lost", error=True)
    state.store.write_row(row(other, 0.5), [])
    searcher.on_trial_complete("done")
    assert state.rows[request.trial_id]["status"] == "failed"
    assert "worker lost" in state.rows[request.trial_id]["error"]
    assert state.rows[other.trial_id]["status"] == "done"


def test_an_error_of_planning_ends_the_search_and_is_kept(state, monkeypatch):
    searcher = PlanSearcher(state)
    for i, request in enumerate(state.next.trials):
        searcher.suggest(f"{i}")
        state.store.write_row(row(request, 0.5), [])
        searcher.on_trial_complete(f"{i}")

    def fail() -> None:
        raise OSError("no disk")

    monkeypatch.setattr(state, "advance", fail)
    assert searcher.suggest("next") == Searcher.FINISHED
    assert "no disk" in str(searcher.error)
