"""The figures of a study, drawn from `analysis.figure_data`; nothing is computed here."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mutransfer.analysis.figures import style as palette
from mutransfer.analysis.figures.canvas import (
    Panel,
    Plot,
    _interval,
    points,
    power_axis,
    tip,
)
from mutransfer.analysis.fit.curve import Fit
from mutransfer.analysis.fit.optimum import Optimum, optimum
from mutransfer.analysis.labels import (
    ARM_LABELS,
    arm_label,
    hp_label,
    power_of_two,
)
from mutransfer.analysis.table.axis import WORDS, at
from mutransfer.analysis.table.slice import log2_of, mean_loss
from mutransfer.analysis.text_table import TextTable, _cell, _table
from mutransfer.analysis.verdict.evidence import Fits, evidence_of
from mutransfer.analysis.verdict.question import TransferQuestion
from mutransfer.words import Axis

# The loss axis holds this share of the rises above the widths' own minima.
USUAL_RISES = 0.7


class CurveSeries(NamedTuple):
    """Loss against one HP at one width: log2 values, mean and range over seeds, the fit."""

    axis_value: int
    is_target: bool
    log2_x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    fit_log2_x: np.ndarray
    fit_loss: np.ndarray
    place: Optimum
    log2_first_diverged: float | None


class CurvePanel(NamedTuple):
    """The series of one arm, narrowest first, the target last."""

    arm: str
    title: str
    series: tuple[CurveSeries, ...]


class CurveInfo(NamedTuple):
    """Figure 1 for one HP: a panel per arm; limits of the shared loss axis."""

    hp: str
    x_label: str
    panels: tuple[CurvePanel, ...]
    log2_transferred: float | None
    loss_limits: tuple[float, float] | None
    axis: Axis = "width"


def curve_info(df: pd.DataFrame, question: TransferQuestion, hp: str) -> CurveInfo:
    """Return figure 1 of an HP: loss against its log2 value at each width and arm."""
    evidence = evidence_of(df, question, hp)
    arms = [arm for arm in ARM_LABELS if evidence.of_arm(arm)]
    panels = tuple(_panel(evidence, arm, arm_label(arm, question.rule)) for arm in arms)
    value = (question.transferred or {}).get(hp)
    return CurveInfo(
        hp=hp,
        x_label=hp_label(hp),
        panels=panels,
        log2_transferred=log2_of(value) if value else None,
        loss_limits=_loss_limits(panels),
        axis=question.axis,
    )


def _panel(evidence: Fits, arm: str, title: str) -> CurvePanel:
    series = [_series(f, is_target=False) for f in evidence.of_arm(arm) if len(f.slice.log2_x)]
    target = evidence.target
    if arm == "mup" and target is not None and len(target.slice.log2_x):
        series.append(_series(target, is_target=True))
    return CurvePanel(arm=arm, title=title, series=tuple(series))


def _series(fitted: Fit, *, is_target: bool) -> CurveSeries:
    found = fitted.slice
    usable = found.usable
    loss = found.loss[usable]
    grid = np.linspace(fitted.values[0], fitted.values[-1], 97) if fitted.ok else np.zeros(0)
    place = optimum(fitted)
    return CurveSeries(
        axis_value=found.axis_value,
        is_target=is_target,
        log2_x=found.log2_x[usable],
        mean=mean_loss(found)[usable],
        low=np.nanmin(loss, axis=1) if len(loss) else np.zeros(0),
        high=np.nanmax(loss, axis=1) if len(loss) else np.zeros(0),
        fit_log2_x=grid,
        fit_loss=fitted.value(grid) if fitted.ok else grid,
        place=place,
        log2_first_diverged=place.log2_first_diverged,
    )


def _loss_limits(panels: tuple[CurvePanel, ...]) -> tuple[float, float] | None:
    """Limits that show all minima and most of the points; what a cliff adds is cut off."""
    series = [s for p in panels for s in p.series if len(s.mean)]
    if not series:
        return None
    low = min(float(s.low.min()) for s in series)
    minima = max(float(s.mean.min()) for s in series)
    rises = np.concatenate([s.mean - s.mean.min() for s in series])
    usual = float(np.quantile(rises, USUAL_RISES))
    high = minima + max(usual, 0.25 * (minima - low))
    room = max(high - low, 1e-6 * abs(high), 1e-12)
    return low - 0.06 * room, high + 0.14 * room


WALL_STRIP = 0.035

HATCH = "/////"


def has_points(info: CurveInfo) -> bool:
    """Return whether there is anything to draw: a loss, or a divergence."""
    series = [s for panel in info.panels for s in panel.series]
    return any(len(s.log2_x) or s.log2_first_diverged is not None for s in series)


def curve_plot(info: CurveInfo) -> Plot:
    """Return loss against an HP for each width, μP beside SP on one loss axis."""
    axis_values = sorted({s.axis_value for p in info.panels for s in p.series})
    reach = _reach(info)
    panels = [
        Panel(
            partial(_draw_panel, panel=panel, info=info, axis_values=axis_values, reach=reach),
            f"{panel.title}: final validation loss against {info.x_label}, a curve for each "
            f"{WORDS[info.axis].one}",
        )
        for panel in info.panels
    ]
    return Plot(panels, _curve_legend(info, axis_values), height=2.2)


def _reach(info: CurveInfo) -> tuple[float, float]:
    """Limits of the shared HP axis: all values, and some of the walls."""
    series = [s for p in info.panels for s in p.series]
    places = [x for s in series for x in s.log2_x]
    places += [s.log2_first_diverged for s in series if s.log2_first_diverged is not None]
    return (min(places) - 0.4, max(places) + 0.4) if places else (-1.0, 1.0)


def _draw_panel(
    ax: Axes,
    *,
    panel: CurvePanel,
    info: CurveInfo,
    axis_values: list[int],
    reach: tuple[float, float],
) -> None:
    ax.set_title(panel.title)
    ax.set_xlabel(info.x_label)
    ax.set_ylabel("final validation loss")
    power_axis(ax)
    if info.log2_transferred is not None and panel.arm == "mup":
        line = ax.axvline(info.log2_transferred, color=palette.INK, lw=0.9, ls=":")
        tip(line, f"transferred value {power_of_two(info.log2_transferred)}")
    for series in panel.series:
        _draw_series(ax, series, axis_values, info.axis)
    walls = [s for s in panel.series if s.log2_first_diverged is not None]
    for k, series in enumerate(walls):
        _draw_wall(ax, series, reach[1], k, axis_values, info.axis)
    ax.set_xlim(*reach)
    if info.loss_limits is not None:
        ax.set_ylim(*info.loss_limits)


def _draw_series(ax: Axes, series: CurveSeries, axis_values: list[int], axis: Axis) -> None:
    colour = palette.of_width(series.axis_value, axis_values)
    dashes = "--" if series.is_target else "-"
    ax.fill_between(series.log2_x, series.low, series.high, color=colour, alpha=0.18, lw=0)
    ax.plot(series.log2_x, series.mean, color=colour, ls=dashes)
    points(
        ax,
        series.log2_x,
        series.mean,
        [
            f"{at(axis, series.axis_value)}, {power_of_two(x)}: loss {mean:.5g} "
            f"(seeds {low:.5g} … {high:.5g})"
            for x, mean, low, high in zip(
                series.log2_x, series.mean, series.low, series.high, strict=True
            )
        ],
        marker=palette.marker_of(series.axis_value, axis_values),
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
    text = f"{at(axis, series.axis_value)}: minimum {place.loss:.5g} at {_interval(place)}"
    style: dict[str, Any] = {"marker": "|", "ms": 12, "mew": 1.8, "color": colour, "zorder": 4}
    points(ax, [place.log2_opt], [place.loss], [text], **style)


def _draw_wall(
    ax: Axes, series: CurveSeries, stop: float, k: int, axis_values: list[int], axis: Axis
) -> None:
    """A hatched strip from the first diverged value on, one row for each width."""
    start, colour = (
        series.log2_first_diverged or 0.0,
        palette.of_width(series.axis_value, axis_values),
    )
    top = 1 - k * WALL_STRIP
    strip = ax.axvspan(
        start, stop, ymin=top - WALL_STRIP, ymax=top, fc="none", ec=colour, hatch=HATCH, lw=0.6
    )
    tip(strip, f"{at(axis, series.axis_value)}: diverges from {power_of_two(start)} on")
    ax.axvline(start, ymin=0, ymax=top, color=colour, lw=0.7, ls=(0, (1, 3)))


def _curve_legend(info: CurveInfo, axis_values: list[int]) -> list[Artist]:
    targets = {s.axis_value for p in info.panels for s in p.series if s.is_target}
    ladder = {s.axis_value for p in info.panels for s in p.series if not s.is_target}
    handles: list[Artist] = []
    for is_target, members in ((False, ladder), (True, targets)):
        for axis_value in sorted(members):
            colour = palette.of_width(axis_value, axis_values)
            handles.append(
                Line2D(
                    [],
                    [],
                    color=colour,
                    marker=palette.marker_of(axis_value, axis_values),
                    mfc=palette.PAPER if is_target else colour,
                    ls="--" if is_target else "-",
                    label=at(info.axis, axis_value) + (" (target)" if is_target else ""),
                )
            )
    handles.append(Patch(fc=palette.SOFT, alpha=0.25, label="range of seeds"))
    handles.append(Line2D([], [], color=palette.SOFT, lw=2.6, label="minimum, 95 %"))
    if info.log2_transferred is not None:
        handles.append(Line2D([], [], color=palette.INK, ls=":", label="transferred"))
    if any(s.log2_first_diverged is not None for p in info.panels for s in p.series):
        handles.append(Patch(fc="none", ec=palette.SOFT, hatch=HATCH, label="diverged"))
    return handles


def curve_table(info: CurveInfo) -> TextTable:
    """Return loss against an HP: a row for each arm, width and value, diverged ones too."""
    rows = []
    for panel in info.panels:
        for s in panel.series:
            start = (ARM_LABELS[panel.arm], f"{s.axis_value}", "yes" if s.is_target else "no")
            for x, *losses in zip(s.log2_x, s.mean, s.low, s.high, strict=True):
                rows.append((*start, _cell(x), *map(_cell, losses), ""))
            if s.log2_first_diverged is not None:
                rows.append((*start, _cell(s.log2_first_diverged), "", "", "", "diverged"))
    columns = ("arm", WORDS[info.axis].one, "target", f"log2 {info.hp}", "mean loss", "lowest seed")
    return _table(f"loss against {info.x_label}", (*columns, "highest seed", "remark"), rows)
