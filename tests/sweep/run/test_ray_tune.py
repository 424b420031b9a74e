"""Studies on real Ray; tests that only inspect a run share one."""

import dataclasses
import os
import signal
from pathlib import Path

import pytest

from mutransfer.analysis.table import same
from mutransfer.sweep.errors import Stopped
from mutransfer.sweep.run import driver, ray_tune, worker
from mutransfer.sweep.store.store import Store
from tests.sweep.command_line import kill_run, start_run, wait_for_rows
from tests.sweep.conftest import TINY, study_of, write_spec


@pytest.fixture(scope="module")
def baseline(tmp_path_factory) -> Store:
    """The tiny study run in this process, without an interruption."""
    store = Store(str(tmp_path_factory.mktemp("inline")))
    driver.run_inline(driver.State.load(study_of(TINY), store))
    return store


class ProcessIds(driver.NoWatcher):
    """Records which process ran which trial."""

    def __init__(self) -> None:
        self.of_trial = {}

    def heartbeat(self, heartbeat: worker.Heartbeat) -> None:
        self.of_trial[heartbeat.trial_id] = heartbeat.pid


@pytest.fixture(scope="module")
def on_ray(tmp_path_factory) -> driver.State:
    """The tiny study, run on two slots of Ray."""
    tiny = study_of(TINY)
    resources = dataclasses.replace(tiny.resources, cpus_per_trial=1, max_concurrent=2)
    study = dataclasses.replace(tiny, resources=resources)
    store = Store(str(tmp_path_factory.mktemp("ray")))
    state = driver.State.load(study, store, ProcessIds())
    ray_tune.run(state)
    return state


def test_ray_and_this_process_give_the_same_table_and_decisions(on_ray, baseline):
    assert on_ray.next.finished
    assert same(on_ray.store.table(), baseline.table()) == []
    on_ray_decisions, inline_decisions = on_ray.store.decisions(), baseline.decisions()
    assert {n: {**d, "versions": 0} for n, d in on_ray_decisions.items()} == {
        n: {**d, "versions": 0} for n, d in inline_decisions.items()
    }


def test_all_slots_run_trials_after_the_end_of_a_generation(on_ray):
    """Tune itself keeps one actor between generations; short trials would then run on that one."""
    pids = [
        on_ray.watcher.of_trial[request.trial_id]
        for request in on_ray.next.requested
        if request.asked_by == "slices" and request.trial_id in on_ray.watcher.of_trial
    ]
    assert len(set(pids)) == 2
    assert min(pids.count(pid) for pid in set(pids)) >= len(pids) // 5


def test_a_finished_study_does_not_start_ray(on_ray, monkeypatch):
    calls = []
    monkeypatch.setattr(ray_tune.ray_cluster.ray, "init", lambda **options: calls.append(options))
    ray_tune.run(driver.State.load(on_ray.study, on_ray.store))
    assert calls == []


def test_no_file_of_ray_stays_in_the_run_directory(on_ray):
    names = {path.name for path in Path(on_ray.store.root).iterdir()}
    parts = {"trials", "curves", "decisions", "samples", "checkpoints"}
    assert names <= parts | {"ray.log", ".lock", "events.jsonl"}


def test_a_signal_stops_the_run_at_tunes_next_step(tiny, tmp_path):
    callback = ray_tune.RunCallback(driver.State.load(tiny, Store(str(tmp_path))))
    callback.on_step_begin(0, [])
    callback.stop_soon(signal.SIGINT, None)
    with pytest.raises(Stopped) as stopped:
        callback.on_step_begin(1, [])
    assert stopped.value.signal_number == signal.SIGINT


@pytest.mark.slow
def test_sigterm_stops_the_command_with_a_message_that_says_how_to_continue(tmp_path):
    write_spec(tmp_path, TINY.replace("steps: 6", "steps: 60"))
    process = start_run(tmp_path, "tiny")
    store = Store(str(tmp_path / "runs" / "tiny"))
    wait_for_rows(process, store, 2)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert "type the same command again" in err and "Traceback" not in out + err
    n_rows = len(store.names("trials", ".parquet"))
    assert n_rows >= 2 and len(store.table()) == n_rows


@pytest.mark.slow
def test_a_study_killed_in_every_stage_ends_in_the_same_table(tmp_path, baseline):
    """SIGKILL to the driver in search, slices and target; no finished trial runs twice."""
    write_spec(tmp_path)
    store = Store(str(tmp_path / "runs" / "tiny"))
    n_total = len(baseline.table())
    for n_rows in (1, 5, n_total - 5):
        process = start_run(tmp_path, "tiny")
        wait_for_rows(process, store, n_rows)
        kill_run(process, settle_s=4)
        before = store.table().set_index("trial_id")["started_at"]
        assert n_rows <= len(before) < n_total
        store.sweep_temporaries()
    last = start_run(tmp_path, "tiny")
    assert last.wait(timeout=180) == 0, last.communicate()
    after = store.table()
    assert same(after, baseline.table()) == []
    assert (after.set_index("trial_id")["started_at"][before.index] == before).all()
    assert not store.names("checkpoints", ".pt")


class Killer(driver.NoWatcher):
    """Kills the first worker whose trial is in its middle and has a checkpoint."""

    victim = None

    def __init__(self, root: Path) -> None:
        self.checkpoints = root / "checkpoints"

    def heartbeat(self, heartbeat: worker.Heartbeat) -> None:
        is_kept = any(self.checkpoints.glob(f"{heartbeat.trial_id}*"))
        if self.victim is None and is_kept and heartbeat.step < heartbeat.steps:
            self.victim = heartbeat.trial_id
            os.kill(heartbeat.pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_trial_whose_worker_is_killed_resumes_elsewhere_with_the_same_result(tmp_path):
    text = TINY.replace("steps: 6", "steps: 500, log_every: 5")
    text = text.replace("widths: [8, 16]", "widths: [16, 24]")
    every = "    resources: {checkpoint_every_s: 0.01}\n"
    study = study_of(text.rstrip("\n") + "\n" + every)
    state = driver.State.load(study, Store(str(tmp_path / "ray")), Killer(tmp_path / "ray"))
    ray_tune.run(state)
    assert state.watcher.victim is not None
    row = state.store.read_row(state.watcher.victim)
    assert row["status"] in ("done", "diverged") and row["resumed_from_step"] > 0
    undisturbed = driver.State.load(study, Store(str(tmp_path / "undisturbed")))
    driver.run_inline(undisturbed)
    assert same(state.store.table(), undisturbed.store.table()) == []


@pytest.mark.slow
def test_a_trial_that_fits_no_node_is_refused_before_it_waits(tmp_path):
    more = "tolerance: {rel_loss: 0.02}}\n    resources: {cpus_per_trial: 4096}"
    write_spec(tmp_path, TINY.replace("tolerance: {rel_loss: 0.02}}", more))
    process = start_run(tmp_path, "tiny")
    _, err = process.communicate(timeout=90)
    assert process.returncode == 2 and "4096 CPU" in err
