"""The Ray Tune searcher that hands out the trials of the plan."""

from typing import Any

from mutransfer.sweep.run import ray_settings  # noqa: F401  # before Ray, which reads it

# isort: split
from ray.tune.search import Searcher

from mutransfer.sweep.errors import RunError, UserError
from mutransfer.sweep.plan.request import TrialRequest
from mutransfer.sweep.run import worker
from mutransfer.sweep.run.driver import State
from mutransfer.sweep.run.ray_actor import plain_of_request


class PlanSearcher(Searcher):
    """Hands out the trials of the plan; learns from rows on disk, not from Tune's results.

    With several slots, the first trial of each slot is a barrier trial, which only waits until
    every slot has its process (see `start_barrier`).

    Attributes:
        error: The exception that planning raised, if any; `ray_tune.run` raises it again.
    """

    def __init__(self, state: State) -> None:
        super().__init__(metric="heartbeat", mode="min")
        self._state = state
        self._running: dict[str, TrialRequest] = {}
        self._plan_is_stale = False
        self._barrier_indices = list(range(state.slots)) if state.slots > 1 else []
        self._at_barrier: set[str] = set()
        self.error: Exception | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles searchers, and this one is never restored."""
        return {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:  # type: ignore[override]
        """The next trial; None while the plan waits for running ones; FINISHED at the end."""
        if self.error is not None:
            return Searcher.FINISHED
        if self._barrier_indices:
            self._at_barrier.add(trial_id)
            return self._barrier_config(self._barrier_indices.pop())
        request = self._next_request()
        if request is None and self._plan_is_stale:  # planning takes 0.1 s: only where needed
            try:
                self._state.advance()
                self._plan_is_stale = False
            except Exception as error:
                self.error = error  # raised by `ray_tune.run`: Tune would wrap it
                return Searcher.FINISHED
            request = self._next_request()
        if request is not None and not self._state.may_start(request):
            request = None  # running trials end; then the run does
        if request is not None:
            self._running[trial_id] = request
            self._state.started_trial(request)
            return self._trial_config(request)
        return None if self._running or self._at_barrier else Searcher.FINISHED

    def _next_request(self) -> TrialRequest | None:
        """The first planned trial that is not running and has no row."""
        running = {request.trial_id for request in self._running.values()}
        for request in self._state.next.trials:
            if request.trial_id not in running and request.trial_id not in self._state.rows:
                return request
        return None

    def _barrier_config(self, index: int) -> dict[str, Any]:
        return {
            "barrier_index": index,
            "n_processes": self._state.slots,
            "location": self._state.store.location_on_workers,
        }

    def _trial_config(self, request: TrialRequest) -> dict[str, Any]:
        return {
            "request": plain_of_request(request),
            "study": self._state.study.name,
            "code_names": self._state.study.code_names,
            "imports": self._state.study.imports,
            "location": self._state.store.location_on_workers,
            "checkpoint_every_s": self._state.study.resources.checkpoint_every_s,
        }

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Read the trial's row; where there is none, write that the worker was lost."""
        if trial_id in self._at_barrier:
            self._at_barrier.discard(trial_id)
            return
        request, state = self._running.pop(trial_id), self._state
        try:
            if not state.store.has_row(request.trial_id):
                state.store.write_row(worker.lost_row(request, state.study.name), [])
            state.finished(request.trial_id)
        except (UserError, RunError) as cause:  # no place to write to, or too many failures
            self.error = cause
            return
        self._plan_is_stale = True
        state.watcher.planned(state)

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: Tune calls this, Ray's own raises, and nobody restores the searcher."""

    def restore(self, checkpoint_path: str) -> None:
        """Restore nothing, as ``save`` saves nothing."""
