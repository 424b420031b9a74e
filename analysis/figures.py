"""The figures of a study, drawn from `analysis.figure_data`; nothing is computed here."""

from functools import partial
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis import palette
from analysis.axis import WORDS, Axis, at
from analysis.convergence_figure import convergence_plot
from analysis.figure_data import (
    CurveInfo,
    CurvePanel,
    CurveSeries,
    DriftInfo,
    DriftLine,
    FigureData,
)
from analysis.labels import PER_STEP, SHORT_ARMS, power_of_two
from analysis.material import Material
from analysis.optimum import Optimum
from analysis.plot import Panel, Plot, file_name, points, power_axis, tip
from analysis.regret_figure import regret_plot
from analysis.search_figures import heat_plot, importance_plot, search_plot

WALL_STRIP = 0.035
# Octaves of the arrow that stands for an open end of an interval.
OPEN_ARROW = 0.8
HATCH = "/////"


def of_material(material: Material) -> dict[str, Plot]:
    """Return the plots of a study, that of convergence among them, by file name without suffix."""
    info = material.convergence_info
    return all_figures(material.data) | (
        {} if info is None else {"convergence": convergence_plot(info)}
    )


def all_figures(data: FigureData) -> dict[str, Plot]:
    """Return the plots of the table by file name without suffix; empty ones are left out."""
    plots = {file_name("loss", i.hp): curve_plot(i) for i in data.curves if has_points(i)}
    plots |= {file_name("drift", info.hp): drift_plot(info) for info in data.drifts if info.lines}
    plots |= {
        file_name("regret", info.hp): regret_plot(info)
        for info in data.regrets
        if any(line.percent for line in info.lines)
    }
    if data.search.panels:
        plots["search"] = search_plot(data.search)
    if data.heat.pairs:
        plots["heatmap"] = heat_plot(data.heat)
    if data.importance.shares:
        plots["importance"] = importance_plot(data.importance)
    return plots


def has_points(info: CurveInfo) -> bool:
    """Return whether there is anything to draw: a loss, or a divergence."""
    series = [s for panel in info.panels for s in panel.series]
    return any(len(s.log2_x) or s.log2_first_diverged is not None for s in series)


def curve_plot(info: CurveInfo) -> Plot:
    """Return loss against an HP for each width, μP beside SP on one loss axis."""
    widths = sorted({s.width for p in info.panels for s in p.series})
    reach = _reach(info)
    panels = [
        Panel(
            partial(_draw_panel, panel=panel, info=info, widths=widths, reach=reach),
            f"{panel.title}: final validation loss against {info.x_label}, a curve for each "
            f"{WORDS[info.axis].one}",
        )
        for panel in info.panels
    ]
    return Plot(panels, _curve_legend(info, widths), height=2.2)


def _reach(info: CurveInfo) -> tuple[float, float]:
    """Limits of the shared HP axis: all values, and some of the walls."""
    series = [s for p in info.panels for s in p.series]
    places = [x for s in series for x in s.log2_x]
    places += [s.log2_first_diverged for s in series if s.log2_first_diverged is not None]
    return (min(places) - 0.4, max(places) + 0.4) if places else (-1.0, 1.0)


def _draw_panel(
    ax: Axes, *, panel: CurvePanel, info: CurveInfo, widths: list[int], reach: tuple[float, float]
) -> None:
    ax.set_title(panel.title)
    ax.set_xlabel(info.x_label)
    ax.set_ylabel("final validation loss")
    power_axis(ax)
    if info.log2_transferred is not None and panel.arm == "mup":
        line = ax.axvline(info.log2_transferred, color=palette.INK, lw=0.9, ls=":")
        tip(line, f"transferred value {power_of_two(info.log2_transferred)}")
    for series in panel.series:
        _draw_series(ax, series, widths, info.axis)
    walls = [s for s in panel.series if s.log2_first_diverged is not None]
    for k, series in enumerate(walls):
        _draw_wall(ax, series, reach[1], k, widths, info.axis)
    ax.set_xlim(*reach)
    if info.loss_limits is not None:
        ax.set_ylim(*info.loss_limits)


def _draw_series(ax: Axes, series: CurveSeries, widths: list[int], axis: Axis) -> None:
    colour = palette.of_width(series.width, widths)
    dashes = "--" if series.is_target else "-"
    ax.fill_between(series.log2_x, series.low, series.high, color=colour, alpha=0.18, lw=0)
    ax.plot(series.log2_x, series.mean, color=colour, ls=dashes)
    points(
        ax,
        series.log2_x,
        series.mean,
        [
            f"{at(axis, series.width)}, {power_of_two(x)}: loss {mean:.5g} "
            f"(seeds {low:.5g} … {high:.5g})"
            for x, mean, low, high in zip(
                series.log2_x, series.mean, series.low, series.high, strict=True
            )
        ],
        marker=palette.marker_of(series.width, widths),
        mfc=palette.PAPER if series.is_target else colour,
        color=colour,
    )
    _draw_minimum(ax, series, colour, axis)


def _draw_minimum(ax: Axes, series: CurveSeries, colour: str, axis: Axis) -> None:
    place = series.place
    if place.log2_opt is None or place.loss is None:
        return
    if place.log2_low is not None and place.log2_high is not None:
        ends = [place.log2_low, place.log2_high]
        ax.plot(ends, [place.loss] * 2, color=colour, lw=2.6, alpha=0.85, zorder=3)
    text = f"{at(axis, series.width)}: minimum {place.loss:.5g} at {_interval(place)}"
    style: dict[str, Any] = {"marker": "|", "ms": 12, "mew": 1.8, "color": colour, "zorder": 4}
    points(ax, [place.log2_opt], [place.loss], [text], **style)


def _interval(place: Optimum) -> str:
    """The optimum and its interval in words."""
    ends = ["open" if e is None else power_of_two(e) for e in (place.log2_low, place.log2_high)]
    return f"{power_of_two(place.log2_opt or 0.0)} (95 %: {ends[0]} … {ends[1]})"


def _draw_wall(
    ax: Axes, series: CurveSeries, stop: float, k: int, widths: list[int], axis: Axis
) -> None:
    """A hatched strip from the first diverged value on, one row for each width."""
    start, colour = series.log2_first_diverged or 0.0, palette.of_width(series.width, widths)
    top = 1 - k * WALL_STRIP
    strip = ax.axvspan(
        start, stop, ymin=top - WALL_STRIP, ymax=top, fc="none", ec=colour, hatch=HATCH, lw=0.6
    )
    tip(strip, f"{at(axis, series.width)}: diverges from {power_of_two(start)} on")
    ax.axvline(start, ymin=0, ymax=top, color=colour, lw=0.7, ls=(0, (1, 3)))


def _curve_legend(info: CurveInfo, widths: list[int]) -> list[Artist]:
    targets = {s.width for p in info.panels for s in p.series if s.is_target}
    ladder = {s.width for p in info.panels for s in p.series if not s.is_target}
    handles: list[Artist] = []
    for is_target, members in ((False, ladder), (True, targets)):
        for width in sorted(members):
            colour = palette.of_width(width, widths)
            handles.append(
                Line2D(
                    [],
                    [],
                    color=colour,
                    marker=palette.marker_of(width, widths),
                    mfc=palette.PAPER if is_target else colour,
                    ls="--" if is_target else "-",
                    label=at(info.axis, width) + (" (target)" if is_target else ""),
                )
            )
    handles.append(Patch(fc=palette.SOFT, alpha=0.25, label="range of seeds"))
    handles.append(Line2D([], [], color=palette.SOFT, lw=2.6, label="minimum, 95 %"))
    if info.log2_transferred is not None:
        handles.append(Line2D([], [], color=palette.INK, ls=":", label="transferred"))
    if any(s.log2_first_diverged is not None for p in info.panels for s in p.series):
        handles.append(Patch(fc="none", ec=palette.SOFT, hatch=HATCH, label="diverged"))
    return handles


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
    widths = sorted({o.width for line in info.lines for o in line.places})
    widths += [info.target.width] if info.target and info.target.width not in widths else []
    ax.set_xticks(np.log2(widths), [f"{w}" for w in widths])
    ax.set_xlabel(WORDS[info.axis].one)
    ax.set_ylabel(info.y_label)
    power_axis(ax, "y")


def _draw_line(ax: Axes, line: DriftLine, shift: float, axis: Axis) -> None:
    look, drift = palette.ARMS[line.arm], line.drift
    for place in line.places:
        hollow = not place.bracketed
        _draw_place(ax, place, shift, look.colour, look.marker, line.label, axis, hollow=hollow)
    if drift is not None and drift.estimate is not None and drift.intercept is not None:
        ends = np.log2([drift.widths[0], drift.widths[-1]])
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
    x, y = float(np.log2(place.width)) + shift, place.log2_opt
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
    text = f"{label}, {at(axis, place.width)}: {_interval(place)}{open_}"
    points(ax, [x], [y], [text], **style)
