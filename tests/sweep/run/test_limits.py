"""A study ends cleanly at its limits, and goes on where these are raised."""

import json

import pytest

from mutransfer.sweep.errors import RunError
from mutransfer.sweep.run import driver, limits
from mutransfer.sweep.spec.sections import Limits
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from tests.sweep.command_line import call
from tests.sweep.conftest import TINY, study_of, write_spec
from tests.sweep.spec_faults import assert_fault


def limited(text: str) -> str:
    return TINY.rstrip() + f"\n    limits: {{{text}}}\n"


def test_the_first_limit_that_a_further_trial_would_exceed_is_named():
    spent = limits.Spent(flops=10.0, wall_s=5.0, trials=3)
    assert limits.reached(Limits(), spent, 1e9) is None
    assert limits.reached(Limits(flops=12.0, wall_s=6.0, trials=4), spent, 2.0) is None
    assert "limits.trials" in limits.reached(Limits(trials=3), spent, 0.0)
    assert "limits.flops" in limits.reached(Limits(flops=12.0), spent, 2.1)
    assert "limits.wall_s" in limits.reached(Limits(wall_s=5.0), spent, 0.0)


def test_a_run_ends_at_its_limit_and_goes_on_where_it_is_raised(tmp_path):
    write_spec(tmp_path, limited("trials: 3"))
    words = ("run", "tiny", "--inline", "--no-coordcheck")
    done = call(tmp_path, *words)
    assert done.returncode == 0 and "limits.trials: 3 trials have run" in done.stdout, done.stderr
    store = Store(str(tmp_path / "runs/tiny"))
    assert len(store.trial_ids()) == 3
    stopped = json.loads(call(tmp_path, *words, "--json").stdout)["stopped_by"]
    assert "limits.trials" in stopped and len(store.trial_ids()) == 3
    write_spec(tmp_path, limited("trials: 5"))
    assert call(tmp_path, *words).returncode == 0
    assert len(store.trial_ids()) == 5


def test_flops_of_a_study_stay_below_their_limit(tmp_path):
    most = 3e8
    study, store = study_of(limited(f"flops: {most}")), Store(str(tmp_path))
    rundir.claim(store, study)
    state = driver.State.load(study, store)
    driver.run_inline(state)
    assert "limits.flops" in state.stopped_by
    assert 0.5 * most < store.table()["flops"].sum() <= most


def rows(n_failed: int, n_done: int) -> list[dict]:
    failed = [
        {"status": "failed", "error": f"OSError: node {i} lost\nat 0x{i}"} for i in range(n_failed)
    ]
    return [*failed, *({"status": "done", "error": None} for _ in range(n_done))]


def test_too_many_failures_end_a_run_with_their_errors_grouped():
    few = Limits(max_failed_fraction=0.25)
    limits.require_few_failures(None, rows(9, 0))
    limits.require_few_failures(few, rows(2, 0))  # too few to tell
    limits.require_few_failures(few, rows(3, 9))
    with pytest.raises(RunError, match=r"(?s)4 of 13 trials.*4 × OSError: node 0 lost") as error:
        limits.require_few_failures(few, rows(4, 9))
    assert str(error.value).count("OSError") == 1, "they differ in numbers alone"


def test_limits_are_checked():
    for text in ("trials: 0", "flops: -1", "max_failed_fraction: 2"):
        key = text.partition(":")[0]
        assert_fault(
            ("    coordcheck: {gate: skip}", f"    limits: {{{text}}}"), f"limits.{key}", ""
        )
