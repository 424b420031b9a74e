"""The regret of the transferred value and of others at the target, against the tolerance."""

from functools import partial
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis import palette
from analysis.figure_data import RegretInfo, RegretLine
from analysis.labels import hp_label
from analysis.plot import Panel, Plot, points

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
