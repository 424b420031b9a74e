"""The figure of loss against one HP: a curve per axis value, a panel per arm."""

from functools import partial
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mutransfer.analysis.figures import style, walls
from mutransfer.analysis.figures.canvas import Panel, Plot, points, power_axis, tip
from mutransfer.analysis.figures.walls import Wall
from mutransfer.analysis.fit.curve import Fit
from mutransfer.analysis.fit.optimum import STEP, Optimum, optimum
from mutransfer.analysis.labels import (
    ARM_LABELS,
    arm_label,
    hp_label,
    interval_text,
    power_of_two,
)
from mutransfer.analysis.table.axis import AXIS_LABELS, axis_value_text
from mutransfer.analysis.table.slice import bracket, log2_of, mean_loss
from mutransfer.analysis.text_table import TextTable, cell, text_table
from mutransfer.analysis.verdict.evidence import Fits
from mutransfer.analysis.verdict.question import TransferQuestion
from mutransfer.words import Axis

# Quantile of the rises above each curve's own minimum that the loss axis shows.
RISE_QUANTILE = 0.7
LOSS_LABELS = {"loss": "final validation loss", "score": "score × −1 (lower is better)"}


# Data --------------------------------------------------------------------------------------------


class CurveSeries(NamedTuple):
    """Loss against one HP at one axis value.

    Attributes:
        axis_value: The axis value.
        is_target: It is the check at the target, not part of the ladder.
        log2_x: log2 values with a loss, (N,).
        mean, low, high: Mean, smallest and largest loss over seeds, (N,).
        curve: (2, M) log2 values and losses of the line: the mean of the curves that fit; through
            the means themselves off the window and where nothing was fitted.
        optimum: The optimum of the fitted curve.
        walls: The diverged and collapsed values.
        nearest: log2 of the nearest of these below and above the best value, or None.
    """

    axis_value: int
    is_target: bool
    log2_x: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    curve: np.ndarray
    optimum: Optimum
    walls: tuple[Wall, ...]
    nearest: tuple[float | None, float | None]


class CurvePanel(NamedTuple):
    """The series of one arm in ascending order of axis values, the target last."""

    arm: str
    title: str
    series: tuple[CurveSeries, ...]


class CurveInfo(NamedTuple):
    """The curves of one HP: a panel per arm; limits of the shared loss axis."""

    hp: str
    x_label: str
    panels: tuple[CurvePanel, ...]
    log2_transferred: float | None
    loss_limits: tuple[float, float] | None
    axis: Axis = "width"
    y_label: str = LOSS_LABELS["loss"]

    @property
    def all_series(self) -> list[CurveSeries]:
        """The series of all panels."""
        return [series for panel in self.panels for series in panel.series]


def curve_info(fits: Fits, question: TransferQuestion) -> CurveInfo:
    """Return the data of the figure for one HP.

    Args:
        fits: The fitted slices of the HP, as `verdict.evidence.gather` returns them.
        question: The question that they answer.
    """
    arms = [arm for arm in ARM_LABELS if fits.of_arm(arm)]
    panels = tuple(_panel(fits, arm, arm_label(arm, question.rule)) for arm in arms)
    value = (question.transferred or {}).get(fits.hp)
    return CurveInfo(
        hp=fits.hp,
        x_label=hp_label(fits.hp),
        panels=panels,
        log2_transferred=log2_of(value) if value else None,
        loss_limits=_loss_limits(panels),
        axis=question.axis,
        y_label=LOSS_LABELS[question.tolerance.of],
    )


def _panel(fits: Fits, arm: str, title: str) -> CurvePanel:
    series = [_series(f, is_target=False) for f in fits.of_arm(arm) if len(f.slice.log2_x)]
    target = fits.target
    if arm == "mup" and target is not None and len(target.slice.log2_x):
        series.append(_series(target, is_target=True))
    return CurvePanel(arm=arm, title=title, series=tuple(series))


def _series(fit: Fit, *, is_target: bool) -> CurveSeries:
    usable, sides = fit.slice.usable, bracket(fit.slice)
    loss = fit.slice.loss[usable]
    return CurveSeries(
        axis_value=fit.slice.axis_value,
        is_target=is_target,
        log2_x=fit.slice.log2_x[usable],
        mean=mean_loss(fit.slice)[usable],
        low=np.nanmin(loss, axis=1) if len(loss) else np.zeros(0),
        high=np.nanmax(loss, axis=1) if len(loss) else np.zeros(0),
        curve=_curve(fit),
        optimum=optimum(fit),
        walls=walls.walls_of(fit.slice),
        nearest=(sides.wall_left, sides.wall_right),
    )


def _curve(fit: Fit) -> np.ndarray:
    """The line of a series: the fitted curve, and the means off its window."""
    off = fit.slice.usable & ~fit.window if fit.ok else fit.slice.usable
    x, means = fit.slice.log2_x[off], mean_loss(fit.slice)[off]
    if fit.ok:
        start, stop = fit.values[[0, -1]]
        inside = np.linspace(start, stop, max(round((stop - start) / STEP), 1) + 1)
        x, means = np.append(x, inside), np.append(means, fit.value(inside))
    return np.stack([x, means])[:, np.argsort(x)]


def _loss_limits(panels: tuple[CurvePanel, ...]) -> tuple[float, float] | None:
    """Limits that show all minima and most of the points; a steep rise is cut off."""
    series = [s for p in panels for s in p.series if len(s.mean)]
    if not series:
        return None
    low = min(float(s.low.min()) for s in series)
    highest_minimum = max(float(s.mean.min()) for s in series)
    rises = np.concatenate([s.mean - s.mean.min() for s in series])
    rise = float(np.quantile(rises, RISE_QUANTILE))
    high = highest_minimum + max(rise, 0.25 * (highest_minimum - low))
    span = max(high - low, 1e-6 * abs(high), 1e-12)
    return low - 0.06 * span, high + 0.14 * span


def has_points(info: CurveInfo) -> bool:
    """Return whether there is anything to draw: a loss, or a wall."""
    return any(len(s.log2_x) or s.walls for s in info.all_series)


# Drawing -----------------------------------------------------------------------------------------


def curve_plot(info: CurveInfo) -> Plot:
    """Return loss against an HP at each axis value, the arms side by side on one loss axis."""
    axis_values = sorted({s.axis_value for s in info.all_series})
    panels = [
        Panel(
            partial(_draw_panel, panel=panel, info=info, axis_values=axis_values),
            f"{panel.title}: {info.y_label} against {info.x_label}, a curve for each "
            f"{AXIS_LABELS[info.axis].singular}",
        )
        for panel in info.panels
    ]
    return Plot(panels, _legend(info, axis_values), height=2.2)


def _hp_limits(info: CurveInfo) -> tuple[float, float]:
    """Limits of the shared HP axis: all values, and the nearest walls."""
    values = [x for s in info.all_series for x in (*s.log2_x, *s.nearest)]
    log2_x = [x for x in values if x is not None]
    return (min(log2_x) - 0.4, max(log2_x) + 0.4) if log2_x else (-1.0, 1.0)


def _draw_panel(ax: Axes, *, panel: CurvePanel, info: CurveInfo, axis_values: list[int]) -> None:
    ax.set_title(panel.title)
    ax.set_xlabel(info.x_label)
    ax.set_ylabel(info.y_label)
    power_axis(ax)
    if info.log2_transferred is not None and panel.arm == "mup":
        line = ax.axvline(info.log2_transferred, color=style.INK, lw=0.9, ls=":")
        tip(line, f"transferred value {power_of_two(info.log2_transferred)}")
    for series in panel.series:
        _draw_series(ax, series, axis_values, info.axis)
    limits = _hp_limits(info)
    for row, series in enumerate(s for s in panel.series if s.walls):
        name = axis_value_text(info.axis, series.axis_value)
        colour = style.axis_value_colour(series.axis_value, axis_values)
        drawn = (ax, series.walls, series.nearest, limits)
        walls.draw_walls(*drawn, row=row, colour=colour, name=name)
    ax.set_xlim(limits)
    if info.loss_limits is not None:
        ax.set_ylim(*info.loss_limits)


def _draw_series(ax: Axes, series: CurveSeries, axis_values: list[int], axis: Axis) -> None:
    colour = style.axis_value_colour(series.axis_value, axis_values)
    dashes = "--" if series.is_target else "-"
    ax.fill_between(series.log2_x, series.low, series.high, color=colour, alpha=0.18, lw=0)
    ax.plot(*series.curve, color=colour, ls=dashes)
    name = axis_value_text(axis, series.axis_value)
    losses = zip(series.log2_x, series.mean, series.low, series.high, strict=True)
    points(
        ax,
        series.log2_x,
        series.mean,
        [
            f"{name}, {power_of_two(x)}: loss {mean:.5g} (seeds {low:.5g} … {high:.5g})"
            for x, mean, low, high in losses
        ],
        marker=style.axis_value_marker(series.axis_value, axis_values),
        mfc=style.PAPER if series.is_target else colour,
        color=colour,
    )
    _draw_minimum(ax, series.optimum, colour, name)


def _draw_minimum(ax: Axes, minimum: Optimum, colour: str, name: str) -> None:
    low, high = minimum.log2_low, minimum.log2_high
    if minimum.log2_opt is None or minimum.loss is None:
        return
    if low is not None and high is not None:
        ax.plot([low, high], [minimum.loss] * 2, color=colour, lw=2.6, alpha=0.85, zorder=3)
    interval = interval_text(minimum.log2_opt, low, high)
    options: dict[str, Any] = {"marker": "|", "ms": 12, "mew": 1.8, "color": colour, "zorder": 4}
    text = f"{name}: minimum {minimum.loss:.5g} at {interval}"
    points(ax, [minimum.log2_opt], [minimum.loss], [text], **options)


def _legend(info: CurveInfo, axis_values: list[int]) -> list[Artist]:
    members = sorted({(s.is_target, s.axis_value) for s in info.all_series})
    handles: list[Artist] = []
    for is_target, axis_value in members:
        colour = style.axis_value_colour(axis_value, axis_values)
        handles.append(
            Line2D(
                [],
                [],
                color=colour,
                marker=style.axis_value_marker(axis_value, axis_values),
                mfc=style.PAPER if is_target else colour,
                ls="--" if is_target else "-",
                label=axis_value_text(info.axis, axis_value) + (" (target)" if is_target else ""),
            )
        )
    handles.append(Patch(fc=style.SOFT, alpha=0.25, label="range of seeds"))
    handles.append(Line2D([], [], color=style.SOFT, lw=2.6, label="minimum, 95 %"))
    if info.log2_transferred is not None:
        handles.append(Line2D([], [], color=style.INK, ls=":", label="transferred"))
    return handles + walls.legend([wall for s in info.all_series for wall in s.walls])


# Table -------------------------------------------------------------------------------------------


def curve_table(info: CurveInfo) -> TextTable:
    """Return loss against an HP: a row for each arm, axis value and value, walls too."""
    rows = []
    for panel in info.panels:
        for s in panel.series:
            start = (ARM_LABELS[panel.arm], f"{s.axis_value}", "yes" if s.is_target else "no")
            for x, *losses in zip(s.log2_x, s.mean, s.low, s.high, strict=True):
                rows.append((*start, cell(x), *map(cell, losses), ""))
            for wall in s.walls:
                numbers = map(cell, wall.losses or (None, None, None))
                rows.append((*start, cell(wall.log2_x), *numbers, wall.kind))
    columns = (
        "arm",
        AXIS_LABELS[info.axis].singular,
        "target",
        f"log2 {info.hp}",
        "mean",
        "lowest seed",
        "highest seed",
        "remark",
    )
    return text_table(f"{info.y_label} against {info.x_label}", columns, rows)
