"""The figure of drift: the optimum of each width, its interval, and the line through them."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mutransfer.analysis.figures import style as palette
from mutransfer.analysis.figures.canvas import (
    Panel,
    Plot,
    _interval,
    points,
    power_axis,
    tip,
)
from mutransfer.analysis.fit.optimum import Optimum
from mutransfer.analysis.labels import (
    ARM_LABELS,
    PER_STEP,
    SHORT_ARMS,
    arm_label,
    hp_label,
)
from mutransfer.analysis.table.axis import WORDS, at
from mutransfer.analysis.text_table import TextTable, _cell, _table
from mutransfer.analysis.transfer.drift import Drift
from mutransfer.analysis.verdict.hp import HPVerdict
from mutransfer.words import Axis


class DriftLine(NamedTuple):
    """The optima of one arm against width, and the fitted drift."""

    arm: str
    label: str
    places: tuple[Optimum, ...]
    drift: Drift | None


class DriftInfo(NamedTuple):
    """Figure 2 for one HP; ``target`` is the check, not part of the line."""

    hp: str
    y_label: str
    lines: tuple[DriftLine, ...]
    target: Optimum | None
    axis: Axis = "width"


def drift_info(
    entry: HPVerdict, axis: Axis = "width", control: str = "sp", rule: str | None = None
) -> DriftInfo:
    """Return figure 2 of an HP: log2 optimum against log2 width, or another axis."""
    drifts = {"mup": entry.drift_mup, control: entry.drift_sp}
    lines = []
    for arm, found in drifts.items():
        places = tuple(o for o in entry.optima if o.arm == arm and o.log2_opt is not None)
        if places:
            lines.append(DriftLine(arm, arm_label(arm, rule), places, found))
    target = entry.target if entry.target and entry.target.log2_opt is not None else None
    return DriftInfo(entry.hp, f"best {hp_label(entry.hp)}", tuple(lines), target, axis)


# Octaves of the arrow that stands for an open end of an interval.
OPEN_ARROW = 0.8


def drift_plot(info: DriftInfo) -> Plot:
    """Return the log2 optimum against log2 width with intervals and drift lines."""
    told = "; ".join(_drift_words(line) for line in info.lines)
    alt = f"{info.y_label} against {WORDS[info.axis].one}. {told}"
    panel = Panel(partial(_draw_drift, info=info), alt)
    handles: list[Artist] = [
        Line2D(
            [],
            [],
            color=palette.ARMS[line.arm].colour,
            marker=palette.ARMS[line.arm].marker,
            ls=palette.ARMS[line.arm].dashes,
            label=_drift_words(line),
        )
        for line in info.lines
    ]
    if info.target is not None:
        handles.append(_star_handle())
    return Plot([panel], handles, height=2.2, legend_columns=1)


def _star_handle() -> Line2D:
    style: dict[str, Any] = {"marker": "*", "ms": 8, "mfc": palette.PAPER, "ls": ""}
    return Line2D([], [], color=palette.INK, label="μP at the target (check)", **style)


def _drift_words(line: DriftLine) -> str:
    drift = line.drift
    if drift is None or drift.estimate is None:
        return line.label
    ends = (
        ""
        if drift.low is None or drift.high is None
        else (f" ({_signed(drift.low)} … {_signed(drift.high)})")
    )
    return f"{SHORT_ARMS[line.arm]}: {_signed(drift.estimate)}{ends} {PER_STEP}"


def _signed(value: float) -> str:
    """Two digits with a sign; no minus zero."""
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", "−")


def _draw_drift(ax: Axes, *, info: DriftInfo) -> None:
    for k, line in enumerate(info.lines):
        _draw_line(ax, line, 0.06 * (k - (len(info.lines) - 1) / 2), info.axis)
    if info.target is not None:
        _draw_place(ax, info.target, 0.0, palette.INK, "*", "μP, target", info.axis, hollow=True)
    axis_values = sorted({o.axis_value for line in info.lines for o in line.places})
    axis_values += (
        [info.target.axis_value]
        if info.target and info.target.axis_value not in axis_values
        else []
    )
    ax.set_xticks(np.log2(axis_values), [f"{w}" for w in axis_values])
    ax.set_xlabel(WORDS[info.axis].one)
    ax.set_ylabel(info.y_label)
    power_axis(ax, "y")


def _draw_line(ax: Axes, line: DriftLine, shift: float, axis: Axis) -> None:
    look, drift = palette.ARMS[line.arm], line.drift
    for place in line.places:
        hollow = not place.bracketed
        _draw_place(ax, place, shift, look.colour, look.marker, line.label, axis, hollow=hollow)
    if drift is not None and drift.estimate is not None and drift.intercept is not None:
        ends = np.log2([drift.axis_values[0], drift.axis_values[-1]])
        heights = drift.intercept + drift.estimate * (ends - ends[0])
        (drawn,) = ax.plot(ends + shift, heights, color=look.colour, ls=look.dashes)
        tip(drawn, _drift_words(line))


def _draw_place(
    ax: Axes,
    place: Optimum,
    shift: float,
    colour: str,
    marker: str,
    label: str,
    axis: Axis,
    *,
    hollow: bool,
) -> None:
    if place.log2_opt is None:
        return
    x, y = float(np.log2(place.axis_value)) + shift, place.log2_opt
    low, high = place.log2_low, place.log2_high
    ax.plot([x, x], [y if low is None else low, y if high is None else high], color=colour)
    for end, away in ((low, -OPEN_ARROW), (high, OPEN_ARROW)):
        if end is None:
            arrow = {"arrowstyle": "->", "color": colour, "lw": 1.0}
            ax.annotate("", xy=(x, y + away), xytext=(x, y), arrowprops=arrow)
            ax.update_datalim([(x, y + away)])
    style: dict[str, Any] = {"mfc": palette.PAPER if hollow else colour, "color": colour}
    style |= {"marker": marker, "ms": 8 if marker == "*" else 4.5, "zorder": 4}
    open_ = "" if place.bracketed else ", not bracketed"
    text = f"{label}, {at(axis, place.axis_value)}: {_interval(place)}{open_}"
    points(ax, [x], [y], [text], **style)


def drift_table(info: DriftInfo) -> TextTable:
    """Return the optimum and its interval at each width, the target last."""
    places = [o for line in info.lines for o in line.places]
    rows = [
        (ARM_LABELS[o.arm], f"{o.axis_value}", *map(_cell, (o.log2_opt, o.log2_low, o.log2_high)))
        for o in (*places, *([info.target] if info.target else []))
    ]
    columns = ("arm", WORDS[info.axis].one, f"log2 {info.hp}", "lower end", "upper end")
    return _table(info.y_label, columns, rows)
