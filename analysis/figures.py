"""The figures, drawn from `analysis.figure_data`; nothing is computed here."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from analysis.axis import WORDS, at
from analysis.figure_data import (
    CurveInfo,
    CurvePanel,
    CurveSeries,
    DriftInfo,
    DriftLine,
    FigureData,
    SearchInfo,
    SearchPanel,
)
from analysis.optimum import Optimum

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
ARM_STYLE: Any = {"mup": ("#1b4f9c", "o", "-"), "sp": ("#b35806", "s", "--")}
ARM_STYLE["unscaled"] = ARM_STYLE["sp"]
WALL_STRIP = 0.035
# Octaves of the arrow that stands for an open end of an interval.
OPEN_ARROW = 0.8
STYLE: Any = {
    "font.size": 10.0,
    "font.family": "DejaVu Sans",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "hatch.linewidth": 0.7,
    "svg.hashsalt": "mutransfer",
    "svg.fonttype": "none",
}


@contextmanager
def _style() -> Iterator[None]:
    with mpl.rc_context(STYLE):
        yield


def _laid_out(figure: Figure) -> Figure:
    """Fix the layout: solved anew at each rendering it would depend on the last one."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def all_figures(data: FigureData) -> dict[str, Figure]:
    """Return the figures of a study by file name without suffix; empty ones are left out."""
    figures = {f"loss_{info.hp}": draw_curves(info) for info in data.curves}
    figures |= {f"drift_{info.hp}": draw_drift(info) for info in data.drifts if info.lines}
    if data.search.panels:
        figures["search"] = draw_search(data.search)
    return figures


def render(figure: Figure, kind: Literal["png", "svg"]) -> bytes:
    """Return the file content of a figure; equal figures give equal bytes."""
    out = io.BytesIO()
    metadata = {"Date": None} if kind == "svg" else {"Software": None}
    with _style():
        figure.savefig(out, format=kind, dpi=160, metadata=metadata, bbox_inches="tight")
    return out.getvalue()


def files(figures: dict[str, Figure]) -> dict[str, bytes]:
    """Return the PNG and the SVG of each figure by file name."""
    return {
        f"{name}.{kind}": render(figure, kind)
        for name, figure in figures.items()
        for kind in ("png", "svg")
    }


def draw_curves(info: CurveInfo) -> Figure:
    """Return figure 1: loss against an HP for each width, μP beside SP on one loss axis."""
    with _style():
        n = max(len(info.panels), 1)
        figure = Figure(figsize=(4.2 * n + 1.6, 3.9), layout="constrained")
        axes = figure.subplots(1, n, sharex=True, sharey=True, squeeze=False)[0]
        widths = sorted({s.width for p in info.panels for s in p.series})
        reach = _reach(info)
        for ax, panel in zip(axes, info.panels, strict=False):
            _draw_panel(ax, panel, info, widths, reach)
        axes[0].set_ylabel("final validation loss")
        if info.loss_limits is not None:
            axes[0].set_ylim(*info.loss_limits)
        figure.legend(handles=_curve_legend(info, widths), loc="outside right upper")
        return _laid_out(figure)


def _colour(width: int, widths: list[int]) -> tuple[float, float, float, float]:
    # The last tenth of viridis is too light on white paper.
    place = widths.index(width) / max(len(widths) - 1, 1)
    return mpl.colormaps["viridis"](0.88 * place)


def _reach(info: CurveInfo) -> tuple[float, float]:
    """Limits of the shared HP axis: all values, and some of the walls."""
    series = [s for p in info.panels for s in p.series]
    places = [x for s in series for x in s.log2_x]
    places += [s.log2_first_diverged for s in series if s.log2_first_diverged is not None]
    return (min(places) - 0.4, max(places) + 0.4) if places else (-1.0, 1.0)


def _draw_panel(
    ax: Axes,
    panel: CurvePanel,
    info: CurveInfo,
    widths: list[int],
    reach: tuple[float, float],
) -> None:
    ax.set_title(panel.title)
    ax.set_xlabel(info.x_label)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    for series in panel.series:
        _draw_series(ax, series, widths)
    if info.log2_transferred is not None and panel.arm == "mup":
        ax.axvline(info.log2_transferred, color="black", lw=1.1, ls=":")
    walls = [s for s in panel.series if s.log2_first_diverged is not None]
    for k, series in enumerate(walls):
        assert series.log2_first_diverged is not None
        _draw_wall(ax, series.log2_first_diverged, reach[1], k, _colour(series.width, widths))
    ax.set_xlim(*reach)


def _draw_series(ax: Axes, series: CurveSeries, widths: list[int]) -> None:
    colour = _colour(series.width, widths)
    marker = MARKERS[widths.index(series.width) % len(MARKERS)]
    face = "white" if series.is_target else colour
    ax.fill_between(series.log2_x, series.low, series.high, color=colour, alpha=0.18, lw=0)
    style: dict[str, Any] = {"marker": marker, "ms": 5.0, "mfc": face, "color": colour}
    ax.plot(series.log2_x, series.mean, lw=1.2, ls="--" if series.is_target else "-", **style)
    place = series.place
    if place.log2_opt is None or place.loss is None:
        return
    ax.plot(place.log2_opt, place.loss, marker="|", ms=15, mew=2.2, color=colour, zorder=4)
    if place.log2_low is not None and place.log2_high is not None:
        ends = [place.log2_low, place.log2_high]
        ax.plot(ends, [place.loss] * 2, color=colour, lw=3.2, alpha=0.85, zorder=3)


def _draw_wall(
    ax: Axes, start: float, stop: float, k: int, colour: tuple[float, float, float, float]
) -> None:
    """A hatched strip from the first diverged value on, one row for each width."""
    top = 1 - k * WALL_STRIP
    ax.axvspan(
        start, stop, ymin=top - WALL_STRIP, ymax=top, fc="none", ec=colour, hatch="/////", lw=0.8
    )
    ax.axvline(start, ymin=0, ymax=top, color=colour, lw=0.8, ls=(0, (1, 3)))


def _curve_legend(info: CurveInfo, widths: list[int]) -> list[Line2D | Patch]:
    targets = {s.width for p in info.panels for s in p.series if s.is_target}
    ladder = {s.width for p in info.panels for s in p.series if not s.is_target}
    handles: list[Line2D | Patch] = []
    for is_target, members in ((False, ladder), (True, targets)):
        for width in sorted(members):
            colour = _colour(width, widths)
            handles.append(
                Line2D(
                    [],
                    [],
                    color=colour,
                    marker=MARKERS[widths.index(width) % len(MARKERS)],
                    mfc="white" if is_target else colour,
                    ls="--" if is_target else "-",
                    label=at(info.axis, width) + (" (target)" if is_target else ""),
                )
            )
    handles.append(Patch(fc="#888888", alpha=0.25, label="range of seeds"))
    handles.append(Line2D([], [], color="#555555", lw=3.2, label="optimum, 95 %"))
    if info.log2_transferred is not None:
        handles.append(Line2D([], [], color="black", ls=":", label="transferred"))
    if any(s.log2_first_diverged is not None for p in info.panels for s in p.series):
        handles.append(Patch(fc="none", ec="#555555", hatch="/////", label="diverged"))
    return handles


def draw_drift(info: DriftInfo) -> Figure:
    """Return figure 2: log2 optimum against log2 width with intervals and drift lines."""
    with _style():
        figure = Figure(figsize=(6.2, 3.7), layout="constrained")
        ax = figure.subplots()
        for k, line in enumerate(info.lines):
            _draw_line(ax, line, shift=0.06 * (k - (len(info.lines) - 1) / 2))
        if info.target is not None:
            _draw_place(ax, info.target, 0.0, "#222222", "*", hollow=True)
            ax.plot([], [], marker="*", ms=11, mfc="white", color="#222222", ls="", label="check")
        widths = sorted({o.width for line in info.lines for o in line.places})
        widths += [info.target.width] if info.target and info.target.width not in widths else []
        ax.set_xticks(np.log2(widths), [f"{w}" for w in widths])
        ax.set_xlabel(f"{WORDS[info.axis].one} (log2 axis)")
        ax.set_ylabel(info.y_label)
        figure.legend(loc="outside right upper")
        return _laid_out(figure)


def _signed(value: float) -> str:
    """Two digits with a sign; no minus zero."""
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", "−")


def _draw_line(ax: Axes, line: DriftLine, shift: float) -> None:
    colour, marker, dashes = ARM_STYLE[line.arm]
    for place in line.places:
        _draw_place(ax, place, shift, colour, marker, hollow=not place.bracketed)
    label = line.label
    drift = line.drift
    if drift is not None and drift.estimate is not None and drift.intercept is not None:
        ends = np.log2([drift.widths[0], drift.widths[-1]])
        heights = drift.intercept + drift.estimate * (ends - ends[0])
        ax.plot(ends + shift, heights, color=colour, ls=dashes, lw=1.4)
        label += f"\n{_signed(drift.estimate)} octaves\nper doubling"
        if drift.low is not None and drift.high is not None:
            label += f"\n95 %: {_signed(drift.low)} … {_signed(drift.high)}"
    ax.plot([], [], color=colour, marker=marker, ls=dashes, label=label)


def _draw_place(
    ax: Axes, place: Optimum, shift: float, colour: str, marker: str, *, hollow: bool
) -> None:
    if place.log2_opt is None:
        return
    x, y = float(np.log2(place.width)) + shift, place.log2_opt
    low, high = place.log2_low, place.log2_high
    ax.plot([x, x], [y if low is None else low, y if high is None else high], color=colour, lw=1.6)
    for end, away in ((low, -OPEN_ARROW), (high, OPEN_ARROW)):
        if end is None:
            arrow = {"arrowstyle": "->", "color": colour, "lw": 1.4}
            ax.annotate("", xy=(x, y + away), xytext=(x, y), arrowprops=arrow)
            ax.update_datalim([(x, y + away)])
    face = "white" if hollow else colour
    size = 12 if marker == "*" else 6
    ax.plot(x, y, marker=marker, ms=size, mfc=face, color=colour, ls="", zorder=4)


def draw_search(info: SearchInfo) -> Figure:
    """Return figure 3: loss of the search trials against each HP, diverged ones on top."""
    with _style():
        n = len(info.panels)
        columns = min(n, 3)
        rows = -(-n // columns)
        figure = Figure(figsize=(3.3 * columns + 1.4, 2.9 * rows + 0.4), layout="constrained")
        axes = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
        for ax, panel in zip(axes, info.panels, strict=False):
            _draw_search_panel(ax, panel)
        for ax in axes[n:]:
            ax.set_visible(False)
        for ax in axes[::columns]:
            ax.set_ylabel("final validation loss")
        figure.suptitle(f"Search at {at(info.axis, info.width)}", fontsize=10)
        handles = [
            Line2D([], [], marker="o", ls="", color="#31688e", label="trial"),
            Line2D([], [], marker="*", ls="", ms=11, color="#b35806", label="best"),
        ]
        if any(len(p.log2_diverged) for p in info.panels):
            handles.append(Line2D([], [], marker="x", ls="", color="black", label="diverged"))
        figure.legend(handles=handles, loc="outside right upper")
        return _laid_out(figure)


def _draw_search_panel(ax: Axes, panel: SearchPanel) -> None:
    ax.plot(panel.log2_x, panel.loss, "o", ms=4.5, alpha=0.75, color="#31688e", mew=0)
    if len(panel.loss):
        best = int(np.argmin(panel.loss))
        ax.plot(panel.log2_x[best], panel.loss[best], "*", ms=13, color="#b35806", zorder=4)
    if len(panel.log2_diverged):
        top = ax.get_xaxis_transform()
        heights = np.full(len(panel.log2_diverged), 0.97)
        ax.plot(panel.log2_diverged, heights, "x", color="black", ms=6, transform=top)
    ax.set_xlabel(panel.x_label)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
