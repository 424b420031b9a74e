"""The loop of a study: decisions come before trials, and a run that was stopped goes on."""

import pytest

from mutransfer.sweep.errors import Stopped
from mutransfer.sweep.run import driver
from mutransfer.sweep.store.store import Store
from tests.sweep.planted import parabola, row


class Witness(driver.NoWatcher):
    """At each plan, compares the decisions on disk with those that the plan rests on."""

    def __init__(self) -> None:
        self.decided: list[set[str]] = []

    def planned(self, state: driver.State) -> None:
        assert state.store.decisions() == state.decisions
        self.decided.append(set(state.decisions))


def play(state: driver.State) -> None:
    """Give every trial of the plan a planted row, the last in the order of ids first."""
    for request in sorted(state.next.trials, key=lambda r: r.trial_id, reverse=True):
        state.store.write_row(row(request, parabola(request.config)), [])
        state.finished(request.trial_id)


def test_a_decision_is_on_disk_before_a_trial_that_follows_from_it_is_planned(tiny, tmp_path):
    witness = Witness()
    state = driver.State.load(tiny, Store(str(tmp_path)), witness)
    for generation in ("search-000", "search-001"):
        assert generation in witness.decided[-1] and "centre" not in witness.decided[-1]
        assert {request.asked_by for request in state.next.trials} == {"search"}
        play(state)
        state.advance()
    assert "search-001" not in witness.decided[0] and "centre" in witness.decided[-1]
    assert {request.asked_by for request in state.next.trials} == {"slices"}
    assert "python" in state.store.decisions()["centre"]["versions"]


def test_a_loaded_state_goes_on_as_the_one_that_was_left(tiny, tmp_path):
    left = driver.State.load(tiny, Store(str(tmp_path)))
    play(left)
    ids = left.table["trial_id"].tolist()
    assert list(left.rows) != ids == sorted(ids)  # the order of finishing is not that of the table
    assert left.counts() == {"done": 2}
    left.advance()
    loaded = driver.State.load(tiny, Store(str(tmp_path)))
    assert (loaded.next, loaded.rows) == (left.next, left.rows)
    other = driver.State.load(tiny, Store(str(tmp_path / "other")))
    assert other.next != left.next  # the control: nothing has ended there


def test_a_run_stopped_at_a_heartbeat_has_no_row_and_is_run_when_continued(tiny, tmp_path):
    def stop() -> None:
        raise Stopped(15)

    state = driver.State.load(tiny, Store(str(tmp_path)))
    first, second = state.next.trials
    state.store.write_row(row(first, 0.5), [])
    with pytest.raises(Stopped):
        driver.run_inline(state, stop)
    assert state.rows[first.trial_id]["val_loss"] == 0.5  # it has a row, so it was not run
    assert state.running == {second.trial_id} and not state.store.has_row(second.trial_id)
    again = driver.State.load(tiny, Store(str(tmp_path)))
    assert [request.trial_id for request in again.next.trials] == [second.trial_id]
