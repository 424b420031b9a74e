"""The loop of a study: plan, write decisions, run trials, until nothing is left.

Executors differ only in how they run trials: Ray Tune (`ray_tune.run`) or this process
(`run_inline`, for tests and debugging).
"""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import pandas as pd

from mutransfer.analysis.table import from_rows
from mutransfer.proxies.training.flops import training_flops
from mutransfer.sweep.plan.next_trials import Next, next_trials
from mutransfer.sweep.plan.request import TrialRequest
from mutransfer.sweep.run import events, limits, worker
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.store import provenance
from mutransfer.sweep.store.store import Store


class Watcher(Protocol):
    """Displays the progress of a run, for example in the terminal."""

    def planned(self, state: "State") -> None:
        """The plan changed: a decision was written, or a trial finished."""

    def heartbeat(self, heartbeat: worker.Heartbeat) -> None:
        """A running trial sent a heartbeat."""


class NoWatcher:
    """Displays nothing."""

    def planned(self, state: "State") -> None:
        """Ignore the new plan."""

    def heartbeat(self, heartbeat: worker.Heartbeat) -> None:
        """Ignore the heartbeat."""


@dataclass(kw_only=True)
class State:
    """A study in progress: the decisions and rows read so far, and the trials to run next.

    Rows are cached, and only new row files are read: reading a thousand files takes a second.
    """

    study: Study
    store: Store
    watcher: Watcher = field(default_factory=NoWatcher)
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    decisions: dict[str, dict[str, Any]] = field(default_factory=dict)
    next: Next = field(default_factory=Next)
    started: float = field(default_factory=time.monotonic)
    running: set[str] = field(default_factory=set)
    slots: int = 1  # number of trials that run at once
    stopped_by: str | None = None  # the limit that ended the run, as text

    @classmethod
    def load(cls, study: Study, store: Store, watcher: Watcher | None = None) -> "State":
        """Read the state of a study from its run directory."""
        rows = store.rows()
        state = cls(
            study=study,
            store=store,
            rows=rows,
            decisions=store.decisions(),
            watcher=watcher or NoWatcher(),
        )
        state.advance()
        return state

    @property
    def table(self) -> pd.DataFrame:
        """The rows so far, sorted by trial id: no fit depends on the order of finishing."""
        return from_rows(self.rows[trial_id] for trial_id in sorted(self.rows))

    def started_trial(self, request: TrialRequest) -> None:
        """Note that a trial runs."""
        self.running.add(request.trial_id)
        events.append(
            self.store,
            "trial_started",
            trial_id=request.trial_id,
            stage=request.asked_by,
            generation=request.generation,
            arm=request.config.arm,
            width=request.config.width,
            seed=request.config.seed,
        )

    def finished(self, trial_id: str) -> None:
        """Read the row of a trial that has ended."""
        self.running.discard(trial_id)
        row = self.rows[trial_id] = self.store.read_row(trial_id)
        said = ("status", "val_loss", "wall_s", "flops", "host", "error")
        events.append(
            self.store,
            "trial_finished",
            trial_id=trial_id,
            stage=row.get("asked_by"),
            **{name: row.get(name) for name in said},
        )
        limits.require_few_failures(self.study.limits, self.rows.values())

    def may_start(self, request: TrialRequest) -> bool:
        """Whether a trial may start under the limits of the study; else ``stopped_by`` says why."""
        if self.study.limits is None:
            return True
        spent = limits.Spent(
            flops=sum(row["flops"] or 0.0 for row in self.rows.values()) + self._other_flops(),
            wall_s=time.monotonic() - self.started,
            trials=len(self.rows) + len(self.running),
        )
        self.stopped_by = limits.reached(self.study.limits, spent, training_flops(request.config))
        return self.stopped_by is None

    def _other_flops(self) -> float:
        """FLOPs of running trials, and of attempts that were run again."""
        running = [r for r in self.next.requested if r.trial_id in self.running]
        retried = sum(attempt["flops"] for attempt in self.store.retried())
        return retried + sum(training_flops(request.config) for request in running)

    def advance(self) -> Next:
        """Write every decision that can be made, then return what comes next.

        A decision is on disk before any trial that follows from it is planned.
        """
        self.next = next_trials(self.study, self.decisions, self.table)
        while self.next.decision is not None:
            decision = self.next.decision
            content = {**decision.content, "versions": provenance.versions()}
            self.decisions[decision.name] = self.store.decide(decision.name, content)
            events.append(self.store, "decision", name=decision.name)
            self.next = next_trials(self.study, self.decisions, self.table)
        self.watcher.planned(self)
        return self.next

    def counts(self) -> Counter[str]:
        """Number of finished trials among those requested, by status."""
        ids = [request.trial_id for request in self.next.requested]
        return Counter(self.rows[i]["status"] for i in ids if i in self.rows)


def run_inline(state: State, stop: Callable[[], None] = lambda: None) -> None:
    """Run the remaining trials in this process, one after the other.

    Args:
        state: The study; ``state.next`` is empty afterwards, unless a limit ended the run.
        stop: Called at each heartbeat; raises an exception to stop the run.
    """
    while not state.next.finished:
        for request in state.next.trials:
            if not state.may_start(request):
                return
            state.started_trial(request)
            for heartbeat in worker.run(
                request,
                state.study.name,
                state.store,
                checkpoint_every_s=state.study.resources.checkpoint_every_s,
            ):
                state.watcher.heartbeat(heartbeat)
                stop()
            state.finished(request.trial_id)
            state.watcher.planned(state)
        state.advance()
