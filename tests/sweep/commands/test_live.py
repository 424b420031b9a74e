"""The progress line of a run whose output is not a terminal."""

import io
import re

import pytest
from rich.console import Console

from mutransfer.sweep.commands.live import LiveProgress, clock
from mutransfer.sweep.plan import estimate
from mutransfer.sweep.run import driver
from mutransfer.sweep.store.store import Store
from tests.sweep.planted import parabola, row


def test_the_line_counts_the_trials_of_each_stage_and_names_the_best(tiny, tmp_path):
    console = Console(file=io.StringIO(), width=200)
    with LiveProgress(console, tiny) as progress:
        state = driver.State.load(tiny, Store(str(tmp_path)), progress)
        for request in state.next.trials:
            state.store.write_row(row(request, parabola(request.config)), [])
            state.finished(request.trial_id)
        progress.planned(state)
    line = console.file.getvalue()
    assert "tiny: search 2/4 · slices 0/18 · set 0/4 · target 0/6" in line
    best = min(row["val_loss"] for row in state.rows.values())
    assert f"best {best:.4g} at lr 2^" in line and "ETA" in line and "failed" not in line


def cost_of(line: str) -> tuple[float, float]:
    """The target runs that were spent and are planned, from a progress line."""
    spent, planned = re.search(r"cost (\S+) of (\S+) target runs", line).groups()
    return float(spent), float(planned)


def test_the_line_has_the_cost_so_far_of_what_is_planned_and_a_diverged_trial_saves(tiny, tmp_path):
    planned = estimate.nominal_cost(tiny, estimate.stages(tiny, {}))
    lines = {}
    for name, law in (("done", parabola), ("diverged", lambda config: None)):
        console = Console(file=io.StringIO(), width=200)
        with LiveProgress(console, tiny) as progress:
            state = driver.State.load(tiny, Store(str(tmp_path / name)), progress)
            for request in state.next.trials[:1]:
                state.store.write_row(row(request, law(request.config)), [])
                state.finished(request.trial_id)
            progress.planned(state)
        lines[name] = cost_of(console.file.getvalue())
    one = planned.by_stage["search"].target_runs / 4
    assert lines["done"] == pytest.approx((one, planned.target_runs), rel=0.01)
    assert lines["diverged"] == pytest.approx((one / 2, planned.target_runs - one / 2), rel=0.01)


def test_a_time_is_minutes_and_seconds_with_hours_where_there_are_any():
    assert [clock(s) for s in (5, 65.4, 3725)] == ["0:05", "1:05", "1:02:05"]
