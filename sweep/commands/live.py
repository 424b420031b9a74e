"""Live progress in the terminal: trials done by stage, failures, cost, best so far, time left."""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mutransfer.analysis.reporting.cost import progress_text
from mutransfer.proxies import data
from mutransfer.proxies.data.findings import Findings
from mutransfer.sweep.plan import estimate, progress
from mutransfer.sweep.plan.request import TrialRequest
from mutransfer.sweep.results.cost import spent
from mutransfer.sweep.run.driver import State
from mutransfer.sweep.run.worker import Heartbeat
from mutransfer.sweep.spec.study import Study
from mutransfer.words import STAGES

_DATA_COLUMNS = (
    TextColumn("{task.description}"),
    BarColumn(),
    MofNCompleteColumn(),
    TimeRemainingColumn(),
)
LINE_EVERY_S = 15.0  # between two lines where the output is not a terminal


class LiveProgress:
    """Displays a study's progress, as a context manager that restores the terminal at the end."""

    def __init__(self, console: Console, study: Study) -> None:
        self._console = console
        self._study = study
        self._expected: list[TrialRequest] = []
        self._decided: frozenset[str] | None = None
        self._state: State | None = None
        self._cost = ""
        self._printed_at = -math.inf
        self._live = Live(
            console=console, refresh_per_second=2, get_renderable=self._view, transient=False
        )

    def __enter__(self) -> "LiveProgress":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._console.is_terminal:
            self._live.stop()
        elif self._state is not None:
            self._console.print(self._line(), soft_wrap=True)

    def planned(self, state: State) -> None:
        """Display the new state from now on."""
        if (decided := frozenset(state.decisions)) != self._decided:
            self._decided = decided
            self._expected = progress.expected(self._study, state.decisions)
        self._state = state
        self._cost = self._cost_text(state)

    def heartbeat(self, heartbeat: Heartbeat) -> None:
        """Print a line every `LINE_EVERY_S` where the output is not a terminal.

        Not in `planned`: that is called when a trial has ended and its slot is empty.
        """
        is_due = time.monotonic() - self._printed_at > LINE_EVERY_S
        if is_due and self._state is not None and not self._console.is_terminal:
            self._printed_at = time.monotonic()
            self._console.print(self._line(), soft_wrap=True)

    def _stages(self) -> list[tuple[str, int, int]]:
        """(stage, done, planned) of each stage that the study has."""
        assert self._state is not None
        planned = Counter(request.asked_by for request in self._expected)
        requested = Counter(request.asked_by for request in self._state.next.requested)
        done = Counter(
            request.asked_by
            for request in self._state.next.requested
            if request.trial_id in self._state.rows
        )
        finished = self._state.next.finished
        return [
            (
                stage,
                done[stage],
                requested[stage] if finished else max(planned[stage], requested[stage]),
            )
            for stage in STAGES
            if planned[stage] or requested[stage]
        ]

    def _eta_s(self) -> float | None:
        """Seconds until the end of the study, from measured speeds; None before any is known."""
        state = self._state
        assert state is not None
        step_s = estimate.measured_step_s(list(state.rows.values()))
        serial_s = estimate.seconds(self._remaining(state), step_s)
        return None if serial_s is None else serial_s / max(1, state.slots)

    def _remaining(self, state: State) -> list[TrialRequest]:
        return progress.remaining(self._study, state.next, self._expected, state.rows)

    def _cost_text(self, state: State) -> str:
        """The cost so far of all that is planned, in runs at the target."""
        cost = spent(self._study, state.store, state.table)
        return progress_text(cost, progress.flops_of(self._remaining(state)))

    def _facts(self) -> str:
        state = self._state
        assert state is not None
        counts = state.counts()
        parts = [f"running {len(state.running)}"]
        parts += [f"{s} {counts[s]}" for s in ("diverged", "failed") if counts[s]]
        parts.append(f"cost {self._cost}")
        best = _best(state)
        if best:
            parts.append(best)
        eta_s = self._eta_s()
        if not state.next.finished:
            parts.append(f"ETA {clock(eta_s)}" if eta_s is not None else "ETA …")
        return " · ".join([*parts, f"elapsed {clock(time.monotonic() - state.started)}"])

    def _line(self) -> str:
        stages = " · ".join(f"{s} {done}/{planned}" for s, done, planned in self._stages())
        return f"{self._study.name}: {stages} · {self._facts()}"

    def _view(self) -> Group | Text:
        if self._state is None:
            return Text(f"{self._study.name}: reading the run directory …")
        table = Table.grid(padding=(0, 2))
        for stage, done, planned in self._stages():
            bar = ProgressBar(total=max(planned, 1), completed=done, width=36)
            table.add_row(stage, bar, f"{done}/{planned}")
        return Group(Text(self._study.name, style="bold"), table, Text(self._facts()))


def clock(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    hours, within_hour = divmod(round(seconds), 3600)
    minutes, within_minute = divmod(within_hour, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{within_minute:02d}"
    return f"{minutes}:{within_minute:02d}"


def _best(state: State) -> str:
    """The lowest loss of the search so far, with its learning rate; empty before there is one."""
    rows = [
        state.rows[request.trial_id]
        for request in state.next.requested
        if request.asked_by == "search" and request.trial_id in state.rows
    ]
    done = [row for row in rows if row["status"] == "done"]
    if not done:
        return ""
    best = min(done, key=lambda row: row["val_loss"])
    log2_lr = math.log2(best["hp.lr"])
    return f"best {best['val_loss']:.4g} at lr 2^{log2_lr:.1f} (width {best['width']})"


def look_at_data(console: Console, study: Study) -> Findings:
    """What the data of a study hold, with a bar on a terminal while they are read.

    Raises:
        DataError: data that no trial can train on; names all faults.
    """
    with data_bar(console, f"{study.name}: reading the data") as advance:
        return data.look(study.data, advance)


@contextmanager
def data_bar(console: Console, text: str) -> Iterator[Callable[[int, int], None] | None]:
    """A function that shows how many of how many samples are done; None off a terminal."""
    if not console.is_terminal:
        yield None
        return
    with Progress(*_DATA_COLUMNS, console=console, transient=True) as bar:
        task = bar.add_task(text, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
