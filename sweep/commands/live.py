"""Live progress in the terminal: stage, trials done of planned, diverged, best so far, ETA."""

import math
import time
from collections import Counter

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mutransfer.sweep.plan import estimate
from mutransfer.sweep.plan.next_trials import nominal
from mutransfer.sweep.run.driver import State
from mutransfer.sweep.run.worker import Heartbeat
from mutransfer.sweep.spec.study import Study
from mutransfer.words import STAGES

LINE_EVERY_S = 15.0  # where the output is no terminal


class Terminal:
    """Shows a study's progress; a context manager, for the terminal must be given back."""

    def __init__(self, console: Console, study: Study) -> None:
        self._console = console
        self._study = study
        self._nominal = nominal(study)
        self._state: State | None = None
        self._printed = -math.inf
        self._live = Live(
            console=console, refresh_per_second=2, get_renderable=self._view, transient=False
        )

    def __enter__(self) -> "Terminal":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._console.is_terminal:
            self._live.stop()
        elif self._state is not None:
            self._console.print(self._line(), highlight=False, soft_wrap=True)

    def planned(self, state: State) -> None:
        """Take in the new state."""
        self._state = state

    def beat(self, beat: Heartbeat) -> None:
        """Print a line now and then where there is no terminal.

        Here and not in `planned`, which comes when a trial has ended and its slot is empty.
        """
        is_due = time.monotonic() - self._printed > LINE_EVERY_S
        if is_due and self._state is not None and not self._console.is_terminal:
            self._printed = time.monotonic()
            self._console.print(self._line(), highlight=False, soft_wrap=True)

    def _stages(self) -> list[tuple[str, int, int]]:
        """(stage, done, planned) of each stage that the study has."""
        assert self._state is not None
        planned = Counter(ask.asked_by for ask in self._nominal)
        asked = Counter(ask.asked_by for ask in self._state.next.asked)
        done = Counter(
            ask.asked_by for ask in self._state.next.asked if ask.trial_id in self._state.rows
        )
        over = self._state.next.finished
        return [
            (stage, done[stage], asked[stage] if over else max(planned[stage], asked[stage]))
            for stage in STAGES
            if planned[stage] or asked[stage]
        ]

    def _eta_s(self) -> float | None:
        state = self._state
        assert state is not None
        step_s = estimate.measured_step_s(list(state.rows.values()))
        left = {ask.trial_id: ask for ask in state.next.trials if ask.trial_id not in state.rows}
        axis = self._study.axis
        asked = Counter((ask.asked_by, ask.config.axis_value(axis)) for ask in state.next.asked)
        for ask in self._nominal:  # stages that are not asked for yet
            axis_value = (ask.asked_by, ask.config.axis_value(axis))
            asked[axis_value] -= 1
            if asked[axis_value] < 0:
                left.setdefault(ask.trial_id, ask)
        serial = estimate.seconds(left.values(), step_s)
        return None if serial is None else serial / max(1, state.slots)

    def _facts(self) -> str:
        state = self._state
        assert state is not None
        counts = state.counts()
        parts = [f"running {len(state.running)}"]
        parts += [f"{s} {counts[s]}" for s in ("diverged", "failed") if counts[s]]
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
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def _best(state: State) -> str:
    """The best of the search so far, with its learning rate."""
    rows = [
        state.rows[ask.trial_id]
        for ask in state.next.asked
        if ask.asked_by == "search" and ask.trial_id in state.rows
    ]
    done = [row for row in rows if row["status"] == "done"]
    if not done:
        return ""
    best = min(done, key=lambda row: row["val_loss"])
    log2_lr = math.log2(best["hp.lr"])
    return f"best {best['val_loss']:.4g} at lr 2^{log2_lr:.1f} (width {best['width']})"
