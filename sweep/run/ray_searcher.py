"""The searcher that feeds Ray Tune with the trials of the plan."""

from typing import Any

# isort: split
from ray.tune.search import Searcher

from mutransfer.sweep.plan.request import TrialRequest
from mutransfer.sweep.run import worker
from mutransfer.sweep.run.driver import State
from mutransfer.sweep.run.ray_actor import plain_of_request


class PlanSearcher(Searcher):
    """Hands out the trials of the plan; learns from rows on disk, not from Tune's results."""

    def __init__(self, state: State) -> None:
        super().__init__(metric="beat", mode="min")
        self._state = state
        self._running: dict[str, TrialRequest] = {}
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

    def _waiting(self) -> TrialRequest | None:
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

    def _config(self, ask: TrialRequest) -> dict[str, Any]:
        return {
            "ask": plain_of_request(ask),
            "study": self._state.study.name,
            "imports": self._state.study.imports,
            "location": self._state.store.location_on_workers,
            "checkpoint_every_s": self._state.study.resources.checkpoint_every_s,
        }
