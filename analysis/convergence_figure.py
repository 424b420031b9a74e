"""The figure of convergence: validation loss against steps, a panel for each SP baseline."""

from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from analysis.convergence import Convergence, Run, SpeedUp, runs
from analysis.figures import ARM_STYLE, STYLE

TITLES = {"default": "SP, default LR", "tuned": "SP, its own tuned LR"}


class Line(NamedTuple):
    """The validation curve of one run: (K,) steps and losses."""

    arm: str
    seed: int
    steps: np.ndarray
    losses: np.ndarray


class Mark(NamedTuple):
    """Where one seed's loss is reached: by SP, and by μP (None: not at all)."""

    loss: float
    sp_step: float
    mup_step: float | None


class Panel(NamedTuple):
    """One baseline beside μP."""

    title: str
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...]


class ConvergenceInfo(NamedTuple):
    """The data of the figure; limits of the shared loss axis leave out the first descent."""

    width: int
    panels: tuple[Panel, ...]
    loss_limits: tuple[float, float] | None


def convergence_info(
    df: pd.DataFrame, curves: pd.DataFrame, found: Convergence
) -> ConvergenceInfo | None:
    """Return the data of the figure, None where no run has a curve."""
    asked = found.comparison
    mup = runs(df, curves, asked, "mup", asked.mup)
    panels = []
    for speed_up in found.speed_ups:
        hps = asked.sp_default if speed_up.baseline == "default" else asked.sp_tuned
        sp = runs(df, curves, asked, "sp", hps or {})
        panels.append(_panel(speed_up, sp, mup))
    shown = [line for panel in panels for line in panel.lines]
    if not shown:
        return None
    reached = [mark.loss for panel in panels for mark in panel.marks]
    return ConvergenceInfo(asked.width, tuple(panels), _limits(shown, reached))


def _panel(speed_up: SpeedUp, sp: list[Run], mup: list[Run]) -> Panel:
    lines = [
        Line(arm, run.seed, run.steps, run.losses)
        for arm, members in (("sp", sp), ("mup", mup))
        for run in members
        if len(run.steps)
    ]
    marks = tuple(Mark(p.loss, p.sp_step, p.mup_step) for p in speed_up.pairs)
    title = f"{TITLES[speed_up.baseline]} 2^{np.log2(speed_up.lr):.2f}"
    return Panel(title, tuple(lines), marks)


def _limits(lines: list[Line], reached: list[float]) -> tuple[float, float]:
    """From below the lowest loss to the median of the losses at the second point.

    Higher where a loss that is to be reached is.
    """
    low = min(float(line.losses.min()) for line in lines)
    second = [line.losses[min(1, len(line.losses) - 1)] for line in lines]
    high = max(float(np.median(second)), *reached, low)
    room = max(high - low, 0.02 * abs(low), 1e-12)
    return low - 0.06 * room, low + 1.15 * room


def draw(info: ConvergenceInfo) -> Figure:
    """Return the figure: thin lines are seeds, a circle is where a final loss of SP is reached."""
    with mpl.rc_context(STYLE):
        n = len(info.panels)
        figure = Figure(figsize=(4.2 * n + 1.8, 3.9), layout="constrained")
        axes = figure.subplots(1, n, sharex=True, sharey=True, squeeze=False)[0]
        for ax, panel in zip(axes, info.panels, strict=True):
            _draw_panel(ax, panel)
        axes[0].set_ylabel(f"validation loss, width {info.width}")
        if info.loss_limits is not None:
            axes[0].set_ylim(*info.loss_limits)
        figure.legend(handles=_legend(info), loc="outside right upper")
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        return figure


def _draw_panel(ax: Axes, panel: Panel) -> None:
    ax.set_title(panel.title)
    ax.set_xlabel("steps")
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    for line in panel.lines:
        colour, _, dashes = ARM_STYLE[line.arm]
        ax.plot(line.steps, line.losses, color=colour, ls=dashes, lw=1.1, alpha=0.85)
    for mark in panel.marks:
        sp, mup = ARM_STYLE["sp"][0], ARM_STYLE["mup"][0]
        ax.plot(mark.sp_step, mark.loss, "s", ms=5, mfc="white", color=sp, zorder=4)
        if mark.mup_step is None:
            continue
        ends = [mark.mup_step, mark.sp_step]
        ax.plot(ends, [mark.loss] * 2, color="#555555", lw=0.8, ls=":", zorder=3)
        ax.plot(mark.mup_step, mark.loss, "o", ms=5.5, mfc="white", color=mup, zorder=5)


def _legend(info: ConvergenceInfo) -> list[Line2D]:
    handles = []
    for arm, label in (("mup", "μP, transferred set"), ("sp", "SP")):
        colour, _, dashes = ARM_STYLE[arm]
        handles.append(Line2D([], [], color=colour, ls=dashes, label=f"{label} (each seed)"))
    if any(panel.marks for panel in info.panels):
        places = (("sp", "s", "SP's final loss"), ("mup", "o", "μP reaches it"))
        handles += [
            Line2D([], [], ls="", marker=m, mfc="white", color=ARM_STYLE[a][0], label=text)
            for a, m, text in places
        ]
    return handles
