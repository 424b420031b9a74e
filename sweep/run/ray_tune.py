"""Ray Tune as the executor: one ``Tuner`` for a whole study, started afresh at every run.

Ray holds no truth. Trials write their own rows, the plan is derived from rows and decisions, so a
run that is killed anywhere goes on by being typed again. ``Tuner.restore``, ``OptunaSearch`` with
a storage, and early stopping are not used: they lose, double or mislabel trials.
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

from mutransfer.sweep.run import ray_cluster  # first: it settles what Ray reads when it is imported

# isort: split
from ray import tune

from mutransfer.sweep.errors import RunError, Stopped
from mutransfer.sweep.run import memory, worker
from mutransfer.sweep.run.driver import State
from mutransfer.sweep.run.ray_actor import WARM, TrialWorker
from mutransfer.sweep.run.ray_searcher import PlanSearcher
from mutransfer.sweep.store.store import Store

NO_ROOM_S = 60.0  # with nothing running and no node that fits, the run ends


def run(state: State) -> None:
    """Run what is left of a study on Ray; ``state.next`` is empty afterwards.

    Raises:
        UserError: no node has what a trial needs, or no cluster answers.
        RunError: the study could not go on.
        Stopped: Ctrl-C or SIGTERM; everything that finished is kept.
    """
    if state.next.finished:
        return
    resources = state.study.resources
    with _log_of_ray(state.store), ray_cluster.connected(state.study):
        ray_cluster.keep_actors()
        slots = state.slots = ray_cluster.slots(resources)
        memory.check(state.study, ray_cluster.slot_bytes(resources, slots), "the cluster")
        state.store.clear(WARM)
        searcher, watch = PlanSearcher(state), Watch(state)
        with _tune_directory(state.store) as directory, _signals(watch.stop_soon):
            _tuner(state, searcher, watch, slots, directory).fit()
    state.store.clear(WARM)
    if searcher.error is not None:
        raise searcher.error
    if not state.next.finished:
        raise RunError(
            f"{state.store.root}: Ray ended before the study did; see ray.log there and run again"
        )


class Watch(tune.Callback):
    """Passes signs of life to the watcher, and stops the run when asked or when nothing fits."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._signal: int | None = None
        self._idle_since: float | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles callbacks, and nobody restores this one."""
        return {}

    def stop_soon(self, signal_number: int, frame: object) -> None:
        """Signal handler: stop at the loop's next turn; a second signal ends at once."""
        if self._signal is not None:
            os._exit(128 + signal_number)
        self._signal = signal_number

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Stop where a signal came, or where no node has room for what waits."""
        if self._signal is not None:
            raise Stopped(self._signal)
        if any(trial.status == "RUNNING" for trial in trials):
            self._idle_since = None
            return
        self._idle_since = self._idle_since or time.monotonic()
        if time.monotonic() - self._idle_since > NO_ROOM_S:
            ray_cluster.check_room(self._state.study.resources)
            self._idle_since = None

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Pass the sign of life on."""
        if result.get("beat"):
            self._state.watcher.beat(worker.Heartbeat(**result["beat"]))


def _tuner(
    state: State, searcher: PlanSearcher, watch: Watch, slots: int, directory: str
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
            callbacks=[watch],
            verbose=0,
        ),
    )


@contextmanager
def _tune_directory(store: Store) -> Iterator[str]:
    """A directory for Tune's own state, which nobody reads; removed at the end."""
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
    """Ray's own lines go to ray.log: its threads print to stdout whatever it is told."""
    path = Path(store.path("ray.log")) if store.local else Path(tempfile.gettempdir()) / "ray.log"
    stdout = sys.stdout
    with path.open("a") as file:
        sys.stdout = file
        try:
            yield
        finally:
            sys.stdout = stdout


@contextmanager
def _signals(handler: Callable[[int, object], None]) -> Iterator[None]:
    """SIGINT and SIGTERM go to ``handler``; installed after ``ray.init``, which takes SIGTERM."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
