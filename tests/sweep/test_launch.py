"""The real Ray. One study of a minute, shared by the tests that only look at it."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mutransfer.analysis import table as results
from mutransfer.sweep.run import driver, ray_tune, worker
from mutransfer.sweep.store.store import Store
from tests.sweep.conftest import TINY, study_of, write_spec

CLI = [sys.executable, "-c", "from mutransfer.sweep.cli import main; main()"]


@pytest.fixture(scope="module")
def baseline(tmp_path_factory) -> Store:
    """The tiny study run in this process, undisturbed."""
    store = Store(str(tmp_path_factory.mktemp("inline")))
    driver.run_inline(driver.State.load(study_of(TINY), store))
    return store


@pytest.fixture(scope="module")
def on_ray(tmp_path_factory):
    """The tiny study run by Ray Tune on two slots, with the processes that ran each trial."""
    tiny = study_of(TINY)
    resources = dataclasses.replace(tiny.resources, cpus_per_trial=1, max_concurrent=2)
    study = dataclasses.replace(tiny, resources=resources)
    store = Store(str(tmp_path_factory.mktemp("ray")))
    state = driver.State.load(study, store, Pids())
    ray_tune.run(state)
    return state


class Pids(driver.Silent):
    """Notes which process ran which trial."""

    def __init__(self) -> None:
        self.of_trial = {}

    def beat(self, beat: worker.Heartbeat) -> None:
        self.of_trial[beat.trial_id] = beat.pid


def test_ray_and_this_process_give_the_same_table_and_decisions(on_ray, baseline):
    assert on_ray.next.finished
    assert results.same(on_ray.store.table(), baseline.table()) == []
    here, there = on_ray.store.decisions(), baseline.decisions()
    assert {n: {**d, "versions": 0} for n, d in here.items()} == {
        n: {**d, "versions": 0} for n, d in there.items()
    }


def test_all_slots_work_after_a_generation_boundary(on_ray):
    """Stock Tune kills all but one actor at a boundary, and short trials then run on that one."""
    by_stage = {}
    for ask in on_ray.next.asked:
        if ask.trial_id in on_ray.watcher.of_trial:
            pids = by_stage.setdefault(ask.asked_by, [])
            pids.append(on_ray.watcher.of_trial[ask.trial_id])
    assert len(set(by_stage["slices"])) == 2
    least = min(by_stage["slices"].count(pid) for pid in set(by_stage["slices"]))
    assert least >= len(by_stage["slices"]) // 5


def test_a_finished_study_starts_nothing(on_ray, monkeypatch):
    started = []
    monkeypatch.setattr(ray_tune.ray_cluster.ray, "init", lambda **options: started.append(options))
    ray_tune.run(driver.State.load(on_ray.study, on_ray.store))
    assert started == []


def test_nothing_of_ray_is_left_in_the_run_directory(on_ray):
    names = {path.name for path in Path(on_ray.store.root).iterdir()}
    parts = {"trials", "curves", "decisions", "samples", "checkpoints"}
    assert names <= parts | {"ray.log", ".lock"}


def start(tmp_path, *words: str) -> subprocess.Popen:
    return subprocess.Popen(
        [*CLI, "run", "tiny", *words], cwd=tmp_path, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def wait_for_rows(process: subprocess.Popen, store: Store, n: int, timeout_s: float = 120) -> None:
    deadline = time.monotonic() + timeout_s
    while len(store.names("trials", ".parquet")) < n:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "too slow"
        time.sleep(0.05)


def test_sigterm_stops_cleanly_and_says_how_to_go_on(tmp_path):
    write_spec(tmp_path, TINY.replace("steps: 6", "steps: 60"))
    process = start(tmp_path)
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
    """SIGKILL the driver in search, slices and target; no finished trial runs twice."""
    write_spec(tmp_path)
    store = Store(str(tmp_path / "runs" / "tiny"))
    n_total = len(baseline.table())
    for n_rows in (1, 5, n_total - 5):
        process = start(tmp_path)
        wait_for_rows(process, store, n_rows)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        time.sleep(4)  # Ray's own processes notice the driver's death
        before = store.table().set_index("trial_id")["started_at"]
        killed_at = len(before)
        assert n_rows <= killed_at < n_total
        store.sweep_temporaries()
    last = start(tmp_path)
    assert last.wait(timeout=180) == 0, last.communicate()
    after = store.table()
    assert results.same(after, baseline.table()) == []
    assert (after.set_index("trial_id")["started_at"][before.index] == before).all()
    assert not store.names("checkpoints", ".pt")


class Killer(driver.Silent):
    """Kills the first worker that gives a sign of life in the middle of a trial."""

    victim = None

    def beat(self, beat: worker.Heartbeat) -> None:
        if self.victim is None and beat.step < beat.steps:
            self.victim = beat.trial_id
            os.kill(beat.pid, signal.SIGKILL)


@pytest.mark.slow
def test_a_trial_whose_worker_is_killed_goes_on_elsewhere_to_the_same_bits(tmp_path):
    text = TINY.replace("steps: 6", "steps: 150, log_every: 5")
    text = text.replace("widths: [8, 16]", "widths: [16, 24]")
    every = "    resources: {checkpoint_every_s: 0.01}\n"
    study = study_of(text.rstrip("\n") + "\n" + every)
    state = driver.State.load(study, Store(str(tmp_path / "ray")), Killer())
    ray_tune.run(state)
    assert state.watcher.victim is not None
    row = state.store.read_row(state.watcher.victim)
    assert row["status"] in ("done", "diverged") and row["resumed_from_step"] > 0
    calm = driver.State.load(study, Store(str(tmp_path / "calm")))
    driver.run_inline(calm)
    assert results.same(state.store.table(), calm.store.table()) == []


@pytest.mark.slow
def test_a_trial_that_fits_no_node_is_refused_before_it_waits(tmp_path):
    more = "tolerance: {rel_loss: 0.02}}\n    resources: {cpus_per_trial: 4096}"
    write_spec(tmp_path, TINY.replace("tolerance: {rel_loss: 0.02}}", more))
    process = start(tmp_path)
    _, err = process.communicate(timeout=90)
    assert process.returncode == 2 and "4096 CPU" in err
