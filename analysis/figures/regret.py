"""The regret of the transferred value and of others at the target, against the tolerance."""

from functools import partial
from typing import Any, NamedTuple

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mutransfer.analysis.figures import style as palette
from mutransfer.analysis.figures.canvas import Panel, Plot, points
from mutransfer.analysis.labels import hp_label
from mutransfer.analysis.table.axis import at
from mutransfer.analysis.text_table import TextTable, _cell, _table
from mutransfer.analysis.verdict.alternatives import Loss
from mutransfer.analysis.verdict.hp import HPVerdict
from mutransfer.analysis.verdict.question import TransferQuestion


class RegretLine(NamedTuple):
    """What one value loses: estimate, lower and upper bound, % of the best loss there."""

    label: str
    value: float
    percent: tuple[float, float, float] | None
    note: str


class RegretInfo(NamedTuple):
    """Regret of the transferred and other values of an HP, against the tolerance in %."""

    hp: str
    place: str
    lines: tuple[RegretLine, ...]
    tolerance_percent: float | None


def regret_info(entry: HPVerdict, question: TransferQuestion) -> RegretInfo:
    """Return figure 3 of an HP: the regret of the transferred value and of others."""
    best = entry.target.loss if entry.target else None
    tolerance = entry.tolerance_loss
    known = best and tolerance is not None
    return RegretInfo(
        hp=entry.hp,
        place=at(question.axis, question.target_at),
        lines=tuple(_regret_line(loss, question) for loss in entry.alternatives),
        tolerance_percent=100 * tolerance / abs(best) if known and best and tolerance else None,
    )


def _regret_line(loss: Loss, question: TransferQuestion) -> RegretLine:
    elsewhere = (
        f" ({at(question.axis, loss.axis_value)})" if loss.axis_value != question.target_at else ""
    )
    return RegretLine(f"{loss.name}{elsewhere}", 2.0**loss.log2_x, loss.percent, loss.note)


# The axis ends at so many tolerances, unless the transferred value's own bound needs more.
TOLERANCES_SHOWN = 6.0


def regret_plot(info: RegretInfo) -> Plot:
    """Return a line for each value: its regret with both bounds, and the tolerance across."""
    handles: list[Artist] = [
        Line2D([], [], color=palette.INK, marker="o", label="regret, 95 % bounds")
    ]
    if info.tolerance_percent is not None:
        handles.append(Line2D([], [], color=palette.RED, ls="--", label="tolerance"))
    alt = f"Regret of values of {hp_label(info.hp)} at {info.place}: " + "; ".join(
        f"{line.label} {words(line)}" for line in info.lines
    )
    height = 0.75 + 0.24 * len(info.lines)
    return Plot([Panel(partial(_draw, info=info), alt)], handles, height=height)


def words(line: RegretLine) -> str:
    """Return what a value loses, in words."""
    if line.percent is None:
        return line.note or "unknown"
    estimate, low, high = line.percent
    return f"{estimate:.2g} % ({low:.2g} … {high:.2g})"


def _draw(ax: Axes, *, info: RegretInfo) -> None:
    end = _end(info)
    for k, line in enumerate(info.lines):
        _draw_value(ax, line, -float(k), end)
    if info.tolerance_percent is not None:
        ax.axvline(info.tolerance_percent, color=palette.RED, ls="--", lw=1.0)
    ax.set_xlim(-0.03 * end, end)
    ax.set_ylim(-len(info.lines) + 0.4, 0.6)
    ax.set_yticks([-k for k in range(len(info.lines))], [_tick(line) for line in info.lines])
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    ax.set_title(f"{hp_label(info.hp)}, {info.place}")
    ax.set_xlabel("regret, % of the best loss")


def _tick(line: RegretLine) -> str:
    name, bracket, rest = line.label.partition(" (")
    name = name.replace(", transferred under SP", "")
    return f"{name}\n({rest}" if bracket else name


def _end(info: RegretInfo) -> float:
    known = [line.percent for line in info.lines if line.percent is not None]
    most = max((high for _, _, high in known), default=1.0)
    if info.tolerance_percent is None:
        return 1.1 * most or 1.0
    first = info.lines[0].percent
    needed = max(TOLERANCES_SHOWN * info.tolerance_percent, 1.2 * first[2] if first else 0.0)
    return min(1.1 * max(most, 1.2 * info.tolerance_percent), needed)


def _draw_value(ax: Axes, line: RegretLine, y: float, end: float) -> None:
    colour = palette.INK if y == 0 else palette.SOFT
    if line.percent is None:
        place: Any = {"transform": ax.get_yaxis_transform(), "ha": "right", "va": "center"}
        text = "next value diverged" if "diverged" in line.note else "off the curve"
        ax.text(0.99, y, text, fontsize=6.5, color=palette.SOFT, **place)
        return
    estimate, low, high = line.percent
    style: dict[str, Any] = {"color": colour, "marker": "o" if y == 0 else "D"}
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
    points(ax, [estimate], [y], [f"{line.label} ({line.value:.4g}): {words(line)}"], **style)


def regret_table(info: RegretInfo) -> TextTable:
    """Return the regret of each value in % of the best loss, and the tolerance."""
    rows = [
        (r.label, _cell(r.value), *map(_cell, r.percent or (None,) * 3), r.note) for r in info.lines
    ]
    rows.append(("tolerance", "", _cell(info.tolerance_percent), "", "", ""))
    columns = ("what", info.hp, "regret, %", "lower bound", "upper bound", "remark")
    return _table(f"regret, {hp_label(info.hp)}", columns, rows)
