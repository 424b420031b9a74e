"""Decisions are kept, whatever happens to the results that they rest on."""

import pytest

from mutransfer.sweep.errors import RunError
from mutransfer.sweep.plan import next_trials
from tests.sweep.planted import play


def test_a_decision_is_kept_whatever_happens_to_the_rows_it_rests_on(played, tiny):
    decisions, table, _ = played
    worse = table.copy()
    searched = worse["asked_by"] == "search"
    worse.loc[searched, "val_loss"] = 9 - worse.loc[searched, "val_loss"]  # the best is the worst
    assert next_trials.next_trials(tiny, decisions, worse).finished
    without = {name: d for name, d in decisions.items() if name != "centre"}
    assert (
        next_trials.next_trials(tiny, without, worse).decision.content["centre"]
        != (decisions["centre"]["centre"])
    )


def test_a_search_without_any_loss_has_no_centre(tiny):
    with pytest.raises(RunError, match="no trial of the search gave a loss"):
        play(tiny, lambda config: None)


def test_decisions_record_the_trials_that_they_rest_on(played):
    decisions, table, _ = played
    for name in ("search-001", "centre", "transferred"):
        ids = {entry["trial_id"] for entry in decisions[name]["rests_on"]}
        assert ids and ids <= set(table["trial_id"])
