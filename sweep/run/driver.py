"""The loop of a study: what is next, decide, run, until nothing is left.

Executors differ only in how they run trials: Ray Tune (``sweep.launch``) or this process
(``run_inline``, for tests and debugging).
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import pandas as pd

from mutransfer.analysis import table as results
from mutransfer.sweep.plan.next_trials import Next, next_trials
from mutransfer.sweep.run import worker
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.store import provenance
from mutransfer.sweep.store.store import Store


class Watcher(Protocol):
    """Somebody who looks on: the terminal, or nobody."""

    def planned(self, state: "State") -> None:
        """The plan changed: another decision, or trials finished."""

    def beat(self, beat: worker.Heartbeat) -> None:
        """A running trial gave a sign of life."""


class Silent:
    """Looks on and says nothing."""

    def planned(self, state: "State") -> None:
        """Say nothing."""

    def beat(self, beat: worker.Heartbeat) -> None:
        """Say nothing."""


@dataclass(kw_only=True)
class State:
    """A study in progress: decisions and rows as read so far, and what comes next.

    Rows are kept in memory; only new parts are read, since a thousand parts take a second.
    """

    study: Study
    store: Store
    watcher: Watcher = field(default_factory=Silent)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    decisions: dict[str, dict[str, Any]] = field(default_factory=dict)
    next: Next = field(default_factory=Next)
    started: float = field(default_factory=time.monotonic)
    running: set[str] = field(default_factory=set)
    slots: int = 1  # trials that run at once

    @classmethod
    def load(cls, study: Study, store: Store, watcher: Watcher | None = None) -> "State":
        """The state of a study as its run directory holds it."""
        rows = store.rows()
        state = cls(
            study=study,
            store=store,
            rows=rows,
            decisions=store.decisions(),
            watcher=watcher or Silent(),
        )
        state.advance()
        return state

    @property
    def table(self) -> pd.DataFrame:
        """The rows so far, in a fixed order, so that no fit depends on who finished first."""
        return results.from_rows(self.rows[trial_id] for trial_id in sorted(self.rows))

    def finished(self, trial_id: str) -> None:
        """Take in the row of a trial that has ended."""
        self.running.discard(trial_id)
        self.rows[trial_id] = self.store.read_row(trial_id)

    def advance(self) -> Next:
        """Decide all that can be decided (each decision is on disk first); what comes next."""
        self.next = next_trials(self.study, self.decisions, self.table)
        while self.next.decision is not None:
            decision = self.next.decision
            content = {**decision.content, "versions": provenance.versions()}
            self.decisions[decision.name] = self.store.decide(decision.name, content)
            self.next = next_trials(self.study, self.decisions, self.table)
        self.watcher.planned(self)
        return self.next

    def counts(self) -> Counter[str]:
        """Rows of the asked trials, by status."""
        ids = [ask.trial_id for ask in self.next.asked]
        return Counter(self.rows[i]["status"] for i in ids if i in self.rows)


def run_inline(state: State, stop: Callable[[], None] = lambda: None) -> None:
    """Run what is left in this process, one trial after the other.

    Args:
        state: The study; its ``next`` is empty afterwards.
        stop: Called at each sign of life; may raise to stop.
    """
    while not state.next.finished:
        for ask in state.next.trials:
            state.running.add(ask.trial_id)
            for beat in worker.run(
                ask,
                state.study.name,
                state.store,
                checkpoint_every_s=state.study.resources.checkpoint_every_s,
            ):
                state.watcher.beat(beat)
                stop()
            state.finished(ask.trial_id)
            state.watcher.planned(state)
        state.advance()
