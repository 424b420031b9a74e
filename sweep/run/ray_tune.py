"""Ray Tune as the executor: one ``Tuner`` per `mutransfer run`, for all trials that remain.

No state is kept in Ray. Trials write their own rows, and the plan is derived from rows and
decisions, so that a run which was killed continues when the same command is repeated.
``Tuner.restore``, ``OptunaSearch`` with a storage, and early stopping are not used: they lose,
duplicate or mislabel trials.
"""

import os
import shutil
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mutransfer.sweep.run import ray_settings  # noqa: F401  # before Ray, which reads it

# isort: split
from ray import tune

from mutransfer.sweep.errors import RunError, Stopped
from mutransfer.sweep.run import memory, ray_cluster, start_barrier, worker
from mutransfer.sweep.run.driver import State
from mutransfer.sweep.run.ray_actor import TrialWorker
from mutransfer.sweep.run.ray_searcher import PlanSearcher
from mutransfer.sweep.store.store import Store

IDLE_CHECK_S = 60.0  # after so long with no running trial, check again that a node fits one


def run(state: State) -> None:
    """Run the remaining trials of a study on Ray, to their end or to a limit of the study.

    Raises:
        UserError: no node has the resources of a trial, or no cluster answers.
        RunError: Ray ended before the study did.
        Stopped: Ctrl-C or SIGTERM; the rows of all finished trials are kept.
    """
    if state.next.finished:
        return
    resources = state.study.resources
    callback = RunCallback(state)
    with (
        _log_of_ray(state.store),
        ray_cluster.connected(state.study),
        _signals(callback.stop_soon),
    ):
        ray_cluster.keep_actors()
        slots = state.slots = ray_cluster.slots(resources)
        memory.check(state.study, ray_cluster.slot_bytes(resources, slots), "the cluster")
        state.store.clear(start_barrier.FOLDER)
        searcher = PlanSearcher(state)
        with _tune_directory(state.store) as directory:
            _tuner(state, searcher, callback, slots, directory).fit()
    state.store.clear(start_barrier.FOLDER)
    if searcher.error is not None:
        raise searcher.error
    if not state.next.finished and state.stopped_by is None:
        raise RunError(
            f"{state.store.root}: Ray ended before the study did; see ray.log there and run again"
        )


class RunCallback(tune.Callback):
    """Passes heartbeats to the watcher; stops the run at a signal or when no node fits a trial."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._signal: int | None = None
        self._idle_since: float | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles callbacks, and this one is never restored."""
        return {}

    def stop_soon(self, signal_number: int, frame: object) -> None:
        """Signal handler: stop at the next step of Tune's loop; a second signal exits at once."""
        if self._signal is not None:
            os._exit(128 + signal_number)
        self._signal = signal_number

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Raise `Stopped` after a signal, and UserError where no node fits a pending trial."""
        if self._signal is not None:
            raise Stopped(self._signal)
        if any(trial.status == "RUNNING" for trial in trials):
            self._idle_since = None
            return
        self._idle_since = self._idle_since or time.monotonic()
        if time.monotonic() - self._idle_since > IDLE_CHECK_S:
            ray_cluster.check_fits(self._state.study.resources)
            self._idle_since = None

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Pass the heartbeat to the watcher."""
        if result.get("heartbeat"):
            self._state.watcher.heartbeat(worker.Heartbeat(**result["heartbeat"]))


def _tuner(
    state: State, searcher: PlanSearcher, callback: RunCallback, slots: int, directory: str
) -> tune.Tuner:
    resources = state.study.resources
    need = {"cpu": resources.cpus_per_trial, "gpu": resources.gpus_per_trial}
    return tune.Tuner(
        tune.with_resources(TrialWorker, need),
        tune_config=tune.TuneConfig(
            search_alg=searcher,
            num_samples=-1,
            max_concurrent_trials=slots,  # also the limit of pending trials: without it, 1
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=directory,
            failure_config=tune.FailureConfig(max_failures=resources.max_failures),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
            callbacks=[callback],
            verbose=0,
        ),
    )


@contextmanager
def _tune_directory(store: Store) -> Iterator[str]:
    """A directory for Tune's own state, which is never read; removed at the end."""
    if not store.local:
        name = f".tune-{uuid.uuid4().hex[:8]}"
        try:
            yield f"{store.location.rstrip('/')}/{name}"
        finally:
            store.fs.delete_dir_contents(store.path(name), missing_dir_ok=True)
        return
    for stale in Path(store.root).glob(".tune-*"):
        shutil.rmtree(stale, ignore_errors=True)
    directory = tempfile.mkdtemp(prefix=".tune-", dir=store.root)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _log_of_ray(store: Store) -> Iterator[None]:
    """Write Ray's output to ray.log: its threads print to stdout whatever their log level is."""
    path = (
        Path(store.own_path("ray.log")) if store.local else Path(tempfile.gettempdir()) / "ray.log"
    )
    stdout = sys.stdout
    with path.open("a") as file:
        sys.stdout = file
        try:
            yield
        finally:
            sys.stdout = stdout


@contextmanager
def _signals(handler: Callable[[int, object], None]) -> Iterator[None]:
    """Handle SIGINT and SIGTERM by ``handler``; enter after ``ray.init``, which handles SIGTERM."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
