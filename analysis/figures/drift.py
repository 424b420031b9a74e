"""The figure of drift: the optimum at each axis value with its interval, and the fitted line."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mutransfer.analysis.figures import style
from mutransfer.analysis.figures.canvas import Panel, Plot, points, power_axis, tip
from mutransfer.analysis.fit.optimum import Optimum
from mutransfer.analysis.labels import (
    ARM_LABELS,
    DRIFT_UNIT,
    SHORT_ARMS,
    arm_label,
    hp_label,
    interval_text,
)
from mutransfer.analysis.table.axis import AXIS_LABELS, axis_value_text, count_text
from mutransfer.analysis.text_table import TextTable, cell, signed, text_table
from mutransfer.analysis.transfer.drift import Drift
from mutransfer.analysis.verdict.hp import HPVerdict
from mutransfer.words import Axis

OPEN_ARROW_OCTAVES = 0.8  # length of the arrow that stands for an open end of an interval
ARM_SHIFT_DOUBLINGS = 0.06  # between arms, so that their intervals do not overlap


# Data --------------------------------------------------------------------------------------------


class DriftLine(NamedTuple):
    """The optima of one arm along the axis, and the fitted drift."""

    arm: str
    label: str
    optima: tuple[Optimum, ...]
    drift: Drift | None


class DriftInfo(NamedTuple):
    """The drift of one HP; ``target`` is the optimum of the check, not part of the fit."""

    hp: str
    y_label: str
    lines: tuple[DriftLine, ...]
    target: Optimum | None
    axis: Axis = "width"


def drift_info(
    entry: HPVerdict, axis: Axis = "width", control: str = "sp", rule: str | None = None
) -> DriftInfo:
    """Return the data of the figure for one HP.

    Args:
        entry: The verdict on the HP.
        axis: The axis along which transfer is judged.
        control: Arm of the control.
        rule: Name of the rule that scales base HPs along the axis; None: they are kept.
    """
    lines = []
    for arm, drift in {"mup": entry.drift_mup, control: entry.drift_sp}.items():
        optima = tuple(o for o in entry.optima if o.arm == arm and o.log2_opt is not None)
        if optima:
            lines.append(DriftLine(arm, arm_label(arm, rule), optima, drift))
    target = entry.target if entry.target and entry.target.log2_opt is not None else None
    return DriftInfo(entry.hp, f"best {hp_label(entry.hp)}", tuple(lines), target, axis)


# Drawing -----------------------------------------------------------------------------------------


def drift_plot(info: DriftInfo) -> Plot:
    """Return the log2 optimum against the log2 axis value, with intervals and drift lines."""
    text = "; ".join(_drift_text(line) for line in info.lines)
    alt = f"{info.y_label} against {AXIS_LABELS[info.axis].singular}. {text}"
    panel = Panel(partial(_draw_drift, info=info), alt)
    return Plot([panel], _legend(info), height=2.2, legend_columns=1)


def _legend(info: DriftInfo) -> list[Artist]:
    handles: list[Artist] = []
    for line in info.lines:
        colour, marker, dashes = style.ARMS[line.arm]
        label = _drift_text(line)
        handles.append(Line2D([], [], color=colour, marker=marker, ls=dashes, label=label))
    if info.target is not None:
        star: dict[str, Any] = {"marker": "*", "ms": 8, "mfc": style.PAPER, "ls": ""}
        handles.append(Line2D([], [], color=style.INK, label="μP at the target (check)", **star))
    return handles


def _drift_text(line: DriftLine) -> str:
    drift = line.drift
    if drift is None or drift.estimate is None:
        return line.label
    interval = ""
    if drift.low is not None and drift.high is not None:
        interval = f" ({signed(drift.low)} … {signed(drift.high)})"
    return f"{SHORT_ARMS[line.arm]}: {signed(drift.estimate)}{interval} {DRIFT_UNIT}"


def _draw_drift(ax: Axes, *, info: DriftInfo) -> None:
    for k, line in enumerate(info.lines):
        _draw_line(ax, line, ARM_SHIFT_DOUBLINGS * (k - (len(info.lines) - 1) / 2), info.axis)
    axis_values = sorted({o.axis_value for line in info.lines for o in line.optima})
    if info.target is not None:
        star = style.Style(style.INK, "*", "")
        _draw_optimum(ax, info.target, 0.0, star, "μP, target", info.axis, hollow=True)
        if info.target.axis_value not in axis_values:
            axis_values.append(info.target.axis_value)
    ax.set_xticks(np.log2(axis_values), [_tick(value, info.axis) for value in axis_values])
    ax.set_xlabel(AXIS_LABELS[info.axis].singular)
    ax.set_ylabel(info.y_label)
    power_axis(ax, "y")


def _tick(axis_value: int, axis: Axis) -> str:
    return count_text(axis_value) if axis == "params" else f"{axis_value}"


def _draw_line(ax: Axes, line: DriftLine, shift: float, axis: Axis) -> None:
    arm, drift = style.ARMS[line.arm], line.drift
    for optimum in line.optima:
        hollow = not optimum.bracketed
        _draw_optimum(ax, optimum, shift, arm, line.label, axis, hollow=hollow)
    if drift is not None and drift.estimate is not None and drift.intercept is not None:
        ends = np.log2([drift.axis_values[0], drift.axis_values[-1]])
        heights = drift.intercept + drift.estimate * (ends - ends[0])
        (artist,) = ax.plot(ends + shift, heights, color=arm.colour, ls=arm.dashes)
        tip(artist, _drift_text(line))


def _draw_optimum(
    ax: Axes,
    optimum: Optimum,
    shift: float,
    arm: style.Style,
    label: str,
    axis: Axis,
    *,
    hollow: bool,
) -> None:
    if optimum.log2_opt is None:
        return
    x, y = float(np.log2(optimum.axis_value)) + shift, optimum.log2_opt
    low, high = optimum.log2_low, optimum.log2_high
    ax.plot([x, x], [y if low is None else low, y if high is None else high], color=arm.colour)
    for end, length in ((low, -OPEN_ARROW_OCTAVES), (high, OPEN_ARROW_OCTAVES)):
        if end is None:
            arrow = {"arrowstyle": "->", "color": arm.colour, "lw": 1.0}
            ax.annotate("", xy=(x, y + length), xytext=(x, y), arrowprops=arrow)
            ax.update_datalim([(x, y + length)])
    options: dict[str, Any] = {"mfc": style.PAPER if hollow else arm.colour, "color": arm.colour}
    options |= {"marker": arm.marker, "ms": 8 if arm.marker == "*" else 4.5, "zorder": 4}
    text = f"{label}, {axis_value_text(axis, optimum.axis_value)}: {interval_text(y, low, high)}"
    points(ax, [x], [y], [text + ("" if optimum.bracketed else ", not bracketed")], **options)


# Table -------------------------------------------------------------------------------------------


def drift_table(info: DriftInfo) -> TextTable:
    """Return the optimum and its interval at each axis value, the target last."""
    optima = [o for line in info.lines for o in line.optima]
    rows = [
        (ARM_LABELS[o.arm], f"{o.axis_value}", *map(cell, (o.log2_opt, o.log2_low, o.log2_high)))
        for o in (*optima, *([info.target] if info.target else []))
    ]
    axis = AXIS_LABELS[info.axis].singular
    columns = ("arm", axis, f"log2 {info.hp}", "lower end", "upper end")
    return text_table(info.y_label, columns, rows)
