"""The searcher hands out the plan: barrier trials first, then trials, then the end."""

import dataclasses
import errno
import os

import pytest
from ray.tune.search import Searcher

from mutransfer.sweep.errors import RunError
from mutransfer.sweep.run import driver
from mutransfer.sweep.run.ray_actor import request_from_plain
from mutransfer.sweep.run.ray_searcher import PlanSearcher
from mutransfer.sweep.spec.sections import Limits
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


def test_no_trial_starts_beyond_a_limit_and_running_ones_end_first(state):
    state.study = dataclasses.replace(state.study, limits=Limits(trials=1))
    searcher = PlanSearcher(state)
    request, *_ = state.next.trials
    assert "request" in searcher.suggest("first")
    assert searcher.suggest("second") is None, "one is running"
    state.store.write_row(row(request, 0.5), [])
    searcher.on_trial_complete("first")
    assert searcher.suggest("third") == Searcher.FINISHED
    assert "limits.trials" in state.stopped_by and searcher.error is None


def test_too_many_failures_end_the_search_with_their_errors(state, monkeypatch):
    state.study = dataclasses.replace(state.study, limits=Limits(max_failed_fraction=0.5))
    monkeypatch.setattr(Limits, "MIN_FAILED", 2)
    searcher = PlanSearcher(state)
    for i, _ in enumerate(state.next.trials):
        searcher.suggest(f"{i}")
    for i, request in enumerate(state.next.trials):
        state.store.write_row(row(request, "failed"), [])
        searcher.on_trial_complete(f"{i}")
    assert isinstance(searcher.error, RunError) and "2 of 2 trials failed" in str(searcher.error)
    assert searcher.suggest("next") == Searcher.FINISHED


def test_a_place_that_cannot_be_written_ends_the_search_with_its_name(state, monkeypatch):
    searcher = PlanSearcher(state)
    searcher.suggest("lost")
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(full))
    searcher.on_trial_complete("lost", error=True)
    assert searcher.suggest("next") == Searcher.FINISHED
    assert "No space left" in str(searcher.error)
