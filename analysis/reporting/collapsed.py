"""The collapsed runs of a study by slice: those that ended, finite, far above the curve."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from mutransfer.analysis.fit.curve import Fit
from mutransfer.analysis.labels import arm_label
from mutransfer.analysis.reporting.contents import ReportInputs
from mutransfer.analysis.table.axis import axis_value_text
from mutransfer.analysis.table.slice import Slice, lowest_loss
from mutransfer.analysis.text_table import TextTable, number
from mutransfer.analysis.verdict.evidence import Fits

MAX_SEEDS = 3  # of more seeds a sentence gives the number only; the table lists them


class CollapsedValue(NamedTuple):
    """A value of a slice whose runs collapsed.

    Attributes:
        log2_x: log2 of the value.
        seeds: Seeds of the runs; empty where seeds are not paired.
        losses: Their losses, (N,).
    """

    log2_x: float
    seeds: tuple[int, ...]
    losses: np.ndarray

    @property
    def range_text(self) -> str:
        """The lowest and the highest loss."""
        low, high = number(self.losses.min()), number(self.losses.max())
        return low if low == high else f"{low} … {high}"


class CollapsedSlice(NamedTuple):
    """A slice with collapsed values; ``best`` is its lowest mean loss."""

    slice: Slice
    is_target: bool
    best: float | None
    values: tuple[CollapsedValue, ...]

    @property
    def n_runs(self) -> int:
        """The number of collapsed runs."""
        return sum(value.losses.size for value in self.values)


def collapsed_slices(fits: Mapping[str, Fits]) -> list[CollapsedSlice]:
    """Return the slices with collapsed values: of each HP under μP, at the target, of the control.

    Slices of the same trials, as of μP and the control at the base, are listed once.
    """
    slices: list[CollapsedSlice] = []
    for entry in fits.values():
        target = [] if entry.target is None else [entry.target]
        for fit in (*entry.of_arm("mup"), *target, *_of_control(entry)):
            values = tuple(_values(fit.slice))
            if values and not any(_same_trials(fit.slice, f.slice) for f in slices):
                is_target = fit is entry.target
                slices.append(CollapsedSlice(fit.slice, is_target, lowest_loss(fit.slice), values))
    return slices


def _of_control(fits: Fits) -> list[Fit]:
    return [fits.ladder[key] for key in sorted(fits.ladder) if key[0] != "mup"]


def _same_trials(one: Slice, other: Slice) -> bool:
    if (one.hp, one.axis_value, one.log2_x.size) != (other.hp, other.axis_value, other.log2_x.size):
        return False
    return np.array_equal(one.loss, other.loss, equal_nan=True)


def _values(slice_: Slice) -> Iterator[CollapsedValue]:
    for i in np.flatnonzero(slice_.collapsed):
        ran = np.isfinite(slice_.loss[i])
        seeds = tuple(s for s, has_run in zip(slice_.seeds, ran, strict=True) if has_run)
        yield CollapsedValue(
            float(slice_.log2_x[i]), seeds if slice_.paired else (), slice_.loss[i][ran]
        )


def collapsed_sentences(inputs: ReportInputs) -> list[str]:
    """Return a sentence for each slice with collapsed runs: how many, and which."""
    return [_sentence(entry, inputs) for entry in collapsed_slices(inputs.fits)]


def _sentence(entry: CollapsedSlice, inputs: ReportInputs) -> str:
    runs = "1 run" if entry.n_runs == 1 else f"{entry.n_runs} runs"
    where = axis_value_text(inputs.axis, entry.slice.axis_value)
    arm = "" if entry.slice.arm == "mup" else f", {_arm(entry, inputs)},"
    values = "; ".join(_value_text(value) for value in entry.values)
    best = f"best loss there {number(entry.best)}"
    return f"{runs} of {entry.slice.hp} at {where}{arm} collapsed: {values}; {best}."


def _value_text(value: CollapsedValue) -> str:
    runs = f"{value.losses.size} runs" if value.losses.size > 1 else "1 run"
    if 0 < len(value.seeds) <= MAX_SEEDS:
        word = "seed" if len(value.seeds) == 1 else "seeds"
        runs = f"{word} {', '.join(map(str, value.seeds))}"
    return f"{number(2.0**value.log2_x)} ({runs}: {value.range_text})"


def _arm(entry: CollapsedSlice, inputs: ReportInputs) -> str:
    return arm_label(entry.slice.arm, inputs.question.rule if inputs.question else None)


def collapsed_table(inputs: ReportInputs) -> TextTable:
    """Return the collapsed runs: a row for each value of each slice."""
    slices = collapsed_slices(inputs.fits)
    rows = [row for entry in slices for row in _rows(entry, inputs)]
    columns = ("HP", "arm", inputs.axis_name, "value", "log2", "runs", "seeds", "loss", "best loss")
    return TextTable("Collapsed runs: ended, finite, far above the curve", columns, tuple(rows))


def _rows(entry: CollapsedSlice, inputs: ReportInputs) -> Iterable[tuple[str, ...]]:
    target = " (target)" if entry.is_target else ""
    start = (entry.slice.hp, _arm(entry, inputs), f"{entry.slice.axis_value}{target}")
    for value in entry.values:
        yield (
            *start,
            number(2.0**value.log2_x),
            f"{value.log2_x:.2f}",
            str(value.losses.size),
            ", ".join(map(str, value.seeds)) or "–",
            value.range_text,
            number(entry.best),
        )
