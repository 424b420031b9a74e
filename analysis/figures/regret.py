"""The figure of regret: transferred and other values at the target, against the tolerance."""

import math
from functools import partial
from typing import Any, NamedTuple

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mutransfer.analysis.figures import style
from mutransfer.analysis.figures.canvas import Panel, Plot, points
from mutransfer.analysis.figures.walls import KINDS
from mutransfer.analysis.labels import hp_label
from mutransfer.analysis.table.axis import axis_value_text
from mutransfer.analysis.text_table import TextTable, bound_text, cell, text_table
from mutransfer.analysis.verdict.alternatives import Alternative
from mutransfer.analysis.verdict.hp import HPVerdict
from mutransfer.analysis.verdict.question import TransferQuestion

# The plot ends at this many tolerances, unless the bound of the transferred value needs more.
MAX_TOLERANCES = 6.0


# Data --------------------------------------------------------------------------------------------


class RegretLine(NamedTuple):
    """The regret of one value.

    Attributes:
        label: Which value it is; with the axis value if that is not the target.
        value: The value of the HP.
        percent: Estimate, lower and upper bound, % of the best loss; None: unknown.
        note: Why it is unknown.
    """

    label: str
    value: float
    percent: tuple[float, float, float] | None
    note: str


class RegretInfo(NamedTuple):
    """Regret of the transferred and other values of an HP, and the tolerance in %."""

    hp: str
    target_text: str
    lines: tuple[RegretLine, ...]
    tolerance_percent: float | None
    of: str = "loss"


def regret_info(entry: HPVerdict, question: TransferQuestion) -> RegretInfo:
    """Return the data of the figure for one HP: the transferred value first, then others."""
    percents = question.tolerance.percents(entry.target.loss if entry.target else None)
    tolerance = entry.tolerance_loss
    return RegretInfo(
        hp=entry.hp,
        target_text=axis_value_text(question.axis, question.target_at),
        lines=tuple(_regret_line(a, question) for a in entry.alternatives),
        tolerance_percent=percents * tolerance if percents and tolerance else None,
        of=question.tolerance.of,
    )


def _regret_line(alternative: Alternative, question: TransferQuestion) -> RegretLine:
    label, axis_value = alternative.name, alternative.axis_value
    if axis_value != question.target_at:
        label += f" ({axis_value_text(question.axis, axis_value)})"
    return RegretLine(label, 2.0**alternative.log2_x, alternative.percent, alternative.note)


# Drawing -----------------------------------------------------------------------------------------


def regret_plot(info: RegretInfo) -> Plot:
    """Return a row for each value: its regret with both bounds, and the tolerance across."""
    handles: list[Artist] = [
        Line2D([], [], color=style.INK, marker="o", label="regret, 95 % bounds")
    ]
    if info.tolerance_percent is not None:
        handles.append(Line2D([], [], color=style.RED, ls="--", label="tolerance"))
    alt = f"Regret of values of {hp_label(info.hp)} at {info.target_text}: " + "; ".join(
        f"{line.label} {_percent_text(line)}" for line in info.lines
    )
    height = 0.75 + 0.24 * len(info.lines)
    return Plot([Panel(partial(_draw, info=info), alt)], handles, height=height)


def _percent_text(line: RegretLine) -> str:
    if line.percent is None:
        return line.note or "unknown"
    estimate, low, high = line.percent
    return f"{estimate:.2g} % ({low:.2g} … {bound_text(high, 2)})"


def _draw(ax: Axes, *, info: RegretInfo) -> None:
    end = _axis_end(info)
    for k, line in enumerate(info.lines):
        _draw_value(ax, line, -float(k), end)
    if info.tolerance_percent is not None:
        ax.axvline(info.tolerance_percent, color=style.RED, ls="--", lw=1.0)
    ax.set_xlim(-0.03 * end, end)
    ax.set_ylim(-len(info.lines) + 0.4, 0.6)
    labels = [_tick_label(line) for line in info.lines]
    ax.set_yticks([-k for k in range(len(info.lines))], labels)
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    ax.set_title(f"{hp_label(info.hp)}, {info.target_text}")
    ax.set_xlabel(f"regret, % of the best {info.of}")


def _axis_end(info: RegretInfo) -> float:
    """Upper end of the regret axis, %."""
    # A bound may be infinite: runs that say nothing against any regret.
    percents = [line.percent for line in info.lines if line.percent is not None]
    finite = [value for percent in percents for value in percent if math.isfinite(value)]
    largest = max(finite, default=1.0)
    if info.tolerance_percent is None:
        return 1.1 * largest or 1.0
    transferred = info.lines[0].percent
    needed = 1.2 * transferred[2] if transferred and math.isfinite(transferred[2]) else 0.0
    limit = max(MAX_TOLERANCES * info.tolerance_percent, needed)
    return min(1.1 * max(largest, 1.2 * info.tolerance_percent), limit)


def _tick_label(line: RegretLine) -> str:
    name, bracket, axis_value = line.label.partition(" (")
    name = name.replace(", transferred under SP", "")
    return f"{name}\n({axis_value}" if bracket else name


def _draw_value(ax: Axes, line: RegretLine, y: float, end: float) -> None:
    colour = style.INK if y == 0 else style.SOFT
    if line.percent is None:
        options: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "ha": "right"}
        ax.text(0.99, y, _short(line.note), fontsize=6.5, color=style.SOFT, va="center", **options)
        return
    estimate, low, high = line.percent
    if low >= end or estimate >= end:
        ax.annotate(
            f"{estimate:.2g} %",
            xy=(end, y),
            xytext=(-24, 0),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=7,
            color=colour,
            arrowprops={"arrowstyle": "->", "color": colour, "lw": 1.0},
        )
        return
    ax.plot([low, min(high, end)], [y, y], color=colour, lw=1.4)
    text = f"{line.label} ({line.value:.4g}): {_percent_text(line)}"
    points(ax, [estimate], [y], [text], color=colour, marker="o" if y == 0 else "D")


def _short(note: str) -> str:
    """Why a value has no regret, in two or three words."""
    for kind in KINDS:
        if kind in note:
            return kind if note.startswith(kind) else f"next value {kind}"
    return "outside the curve"


# Table -------------------------------------------------------------------------------------------


def regret_table(info: RegretInfo) -> TextTable:
    """Return the regret of each value in % of the best loss, and the tolerance."""
    rows = [
        (r.label, cell(r.value), *map(cell, r.percent or (None,) * 3), r.note) for r in info.lines
    ]
    rows.append(("tolerance", "", cell(info.tolerance_percent), "", "", ""))
    columns = ("choice", info.hp, "regret, %", "lower bound", "upper bound", "remark")
    return text_table(f"regret, {hp_label(info.hp)}", columns, rows)
