"""A finished trial as loggers receive it, and the protocol of a logger's writer."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from mutransfer.analysis.table import HP_PREFIX

SERIES = ("train_loss", "val_loss", "lr", "grad_norm")

OUTCOME = (
    "status", "diverged_step", "train_loss", "val_loss", "init_val_loss", "trivial_val_loss",
    "flops", "train_s", "wall_s",
)  # fmt: skip


class FinishedTrial(NamedTuple):
    """A finished trial as a logger receives it."""

    study: str
    row: Mapping[str, Any]
    curve: Sequence[Mapping[str, Any]]

    @property
    def name(self) -> str:
        """A unique name: arm, width, learning rate, seed and the start of the trial id."""
        row = self.row
        lr = row[f"{HP_PREFIX}lr"]
        return f"{row['arm']}-w{row['width']}-lr{lr:.3g}-s{row['seed']}-{row['trial_id'][:8]}"

    @property
    def stage(self) -> str:
        """The stage that requested the trial first."""
        return str(self.row["asked_by"] or "unknown")

    @property
    def config(self) -> dict[str, Any]:
        """The settings of the trial: every cell of its row that has a value and is no outcome."""
        return {k: v for k, v in self.row.items() if v is not None and k not in OUTCOME}

    @property
    def outcome(self) -> dict[str, Any]:
        """The outcome: status, losses, FLOPs and times, where they have a value."""
        return {name: self.row[name] for name in OUTCOME if self.row.get(name) is not None}

    @property
    def times(self) -> tuple[float, float]:
        """Start and end, seconds since 1970."""
        return _seconds(self.row["started_at"]), _seconds(self.row["finished_at"])

    def points(self) -> Iterator[tuple[int, float, dict[str, float]]]:
        """Step, time (seconds since 1970, interpolated by step) and values of each curve point."""
        start, end = self.times
        last = max((point["step"] for point in self.curve), default=1)
        for point in self.curve:
            values = {name: float(point[name]) for name in SERIES if point[name] is not None}
            yield int(point["step"]), start + (end - start) * point["step"] / last, values


class Writer(Protocol):
    """Writes finished trials to one logger."""

    def write(self, trial: FinishedTrial) -> None:
        """Write a trial, replacing what an earlier attempt may have written of it."""


def _seconds(utc: str | None) -> float:
    return datetime.fromisoformat(utc).timestamp() if utc else 0.0
