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
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sweep import cluster  # first: it settles what Ray reads when it is imported

# isort: split
from ray import tune
from ray.tune.search import Searcher

from proxies import user_code
from proxies.config import TrialConfig
from sweep import memory, worker
from sweep.ask import Ask
from sweep.driver import State
from sweep.faults import RunError, Stopped
from sweep.store import Store

CHUNK_S = 0.5  # between two signs of life; also how long a stop may wait for a worker
WARM, WARM_UP_S = ".warm", 60.0  # where processes say that they are up; how long they wait
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
    with _log_of_ray(state.store), cluster.connected(state.study):
        cluster.keep_actors()
        slots = state.slots = cluster.slots(resources)
        memory.check(state.study, cluster.slot_bytes(resources, slots), "the cluster")
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


class TrialWorker(tune.Trainable):
    """An actor that runs one trial after the other; results go to disk, never through Tune."""

    def setup(self, config: dict[str, Any]) -> None:
        """Begin the actor's first trial."""
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin the next trial in the same process: starting a process costs seconds."""
        self._begin(new_config)
        return True

    def _begin(self, config: Mapping[str, Any]) -> None:
        self._warm_up = config if "warm_up" in config else None
        if self._warm_up is not None:
            self._deadline = time.monotonic() + WARM_UP_S
            Store(config["location"]).write(b"", WARM, f"{config['warm_up']}.up")
            return
        user_code.add_paths(config["imports"])
        self._beats = worker.run(
            ask_from_plain(config["ask"]),
            config["study"],
            Store(config["location"]),
            checkpoint_every_s=config["checkpoint_every_s"],
        )

    def step(self) -> dict[str, Any]:
        """Train for about half a second."""
        if self._warm_up is not None:
            return self._wait_for_the_others(self._warm_up)
        deadline = time.monotonic() + CHUNK_S
        beat = None
        try:
            for beat in self._beats:
                if time.monotonic() > deadline:
                    return {"done": False, "beat": vars(beat)}
        except worker.PoisonedProcess:
            os._exit(1)  # the row is written; Tune retries, and a new process finds the row
        return {"done": True, "beat": None if beat is None else vars(beat)}

    def _wait_for_the_others(self, config: Mapping[str, Any]) -> dict[str, Any]:
        up = len(Store(config["location"]).names(WARM, ".up"))
        time.sleep(0.1)
        return {"done": up >= config["slots"] or time.monotonic() > self._deadline, "beat": None}

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Save nothing: trials keep checkpoints of their own in the run directory."""

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Load nothing, as ``save_checkpoint`` saves nothing."""


class PlanSearcher(Searcher):
    """Hands out the trials of the plan; learns from rows on disk, not from Tune's results."""

    def __init__(self, state: State) -> None:
        super().__init__(metric="beat", mode="min")
        self._state = state
        self._running: dict[str, Ask] = {}
        self._stale = False
        self._cold = list(range(state.slots)) if state.slots > 1 else []
        self._warming: set[str] = set()
        self.error: Exception | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles searchers, and nobody restores this one."""
        return {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """The next trial; None while others run that the plan waits for; FINISHED at the end."""
        if self._cold:
            self._warming.add(trial_id)
            return self._warm_up(self._cold.pop())
        ask = self._waiting()
        if ask is None and self._stale:  # planning takes a tenth of a second: only when needed
            try:
                self._state.advance()
                self._stale = False
            except Exception as error:
                self.error = error  # raised by ``run``: Tune would wrap it
                return Searcher.FINISHED
            ask = self._waiting()
        if ask is not None:
            self._running[trial_id] = ask
            self._state.running.add(ask.trial_id)
            return self._config(ask)
        return None if self._running or self._warming else Searcher.FINISHED

    def _warm_up(self, index: int) -> dict[str, Any]:
        """A trial that only waits until every slot has its process.

        Without it the first process up takes the others' short trials, Tune cancels the
        processes that were starting for them, and the study goes on with one.
        """
        place = {"location": self._state.store.location_on_workers}
        return {"warm_up": index, "slots": self._state.slots, **place}

    def _waiting(self) -> Ask | None:
        """The first planned trial that neither runs nor has a row."""
        running = {ask.trial_id for ask in self._running.values()}
        for ask in self._state.next.trials:
            if ask.trial_id not in running and ask.trial_id not in self._state.rows:
                return ask
        return None

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Nothing to learn before the end."""

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Take in the row, or write that the worker was lost."""
        if trial_id in self._warming:
            self._warming.discard(trial_id)
            return
        ask, state = self._running.pop(trial_id), self._state
        if not state.store.has_row(ask.trial_id):
            state.store.write_row(worker.lost_row(ask, state.study.name), [])
        state.finished(ask.trial_id)
        self._stale = True
        state.watcher.planned(state)

    def save(self, checkpoint_path: str) -> None:
        """Save nothing."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing."""

    def _config(self, ask: Ask) -> dict[str, Any]:
        return {
            "ask": plain_of_ask(ask),
            "study": self._state.study.name,
            "imports": self._state.study.imports,
            "location": self._state.store.location_on_workers,
            "checkpoint_every_s": self._state.study.resources.checkpoint_every_s,
        }


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
            cluster.check_room(self._state.study.resources)
            self._idle_since = None

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Pass the sign of life on."""
        if result.get("beat"):
            self._state.watcher.beat(worker.Beat(**result["beat"]))


def plain_of_ask(ask: Ask) -> dict[str, Any]:
    """The ask as plain data that Ray can send."""
    return {
        "config": ask.config.to_dict(),
        "asked_by": ask.asked_by,
        "generation": ask.generation,
    }


def ask_from_plain(plain: Mapping[str, Any]) -> Ask:
    """The ask that ``plain_of_ask`` wrote."""
    return Ask(
        config=TrialConfig.from_dict(plain["config"]),
        asked_by=plain["asked_by"],
        generation=plain["generation"],
    )


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
