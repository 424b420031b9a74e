"""A finished trial as loggers receive it."""

import pytest

from mutransfer.sweep.viewers.finished_trial import FinishedTrial
from tests.sweep.viewers.conftest import CURVE


@pytest.fixture
def trials(logged) -> dict[str, FinishedTrial]:
    """The trials of the run directory by status."""
    return {
        row["status"]: FinishedTrial("tiny", row, CURVE if row["status"] != "failed" else [])
        for row in logged.rows().values()
    }


def test_each_cell_with_a_value_is_a_setting_or_an_outcome(trials):
    for trial in trials.values():
        cells = {name: value for name, value in trial.row.items() if value is not None}
        assert trial.config | trial.outcome == cells
        assert not trial.config.keys() & trial.outcome.keys()
    assert trials["done"].outcome["val_loss"] == 0.5
    assert "val_loss" not in trials["diverged"].outcome  # it has no loss


def test_a_name_is_unique(trials):
    done = trials["done"]
    assert done.name.startswith("mup-w16-lr0.0156-s1-")
    # Trials that differ only in what the words of the name do not say.
    other = done._replace(row={**done.row, "trial_id": "0" * 16})
    assert other.name != done.name and len({trial.name for trial in trials.values()}) == 3
    assert done.stage == "slices" and done._replace(row={"asked_by": None}).stage == "unknown"


def test_points_are_spread_over_the_time_of_the_trial_by_step(trials):
    points = list(trials["done"].points())
    start, end = trials["done"].times
    assert end - start == 60
    assert [(step, time - start) for step, time, _ in points] == [(2, 20), (4, 40), (6, 60)]
    assert ["val_loss" in values for *_, values in points] == [False, False, True]
    assert list(trials["failed"].points()) == []
