"""The figure of convergence: validation loss against steps, a panel for each SP baseline."""

from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mutransfer.analysis.figures import style as palette
from mutransfer.analysis.figures.canvas import Panel, Plot, points, tip
from mutransfer.analysis.labels import ARM_LABELS
from mutransfer.analysis.text_table import TextTable, _cell, _table
from mutransfer.analysis.transfer.speed_up import Convergence, Run, SpeedUp, runs

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


class ConvergencePanel(NamedTuple):
    """One baseline beside μP."""

    title: str
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...]


class ConvergenceInfo(NamedTuple):
    """The data of the figure; limits of the shared loss axis leave out the first descent."""

    width: int
    panels: tuple[ConvergencePanel, ...]
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


def _panel(speed_up: SpeedUp, sp: list[Run], mup: list[Run]) -> ConvergencePanel:
    lines = [
        Line(arm, run.seed, run.steps, run.losses)
        for arm, members in (("sp", sp), ("mup", mup))
        for run in members
        if len(run.steps)
    ]
    marks = tuple(Mark(p.loss, p.sp_step, p.mup_step) for p in speed_up.pairs)
    title = f"{TITLES[speed_up.baseline]} 2^{np.log2(speed_up.lr):.2f}"
    return ConvergencePanel(title, tuple(lines), marks)


def _limits(lines: list[Line], reached: list[float]) -> tuple[float, float]:
    """From below the lowest loss to the median of the losses at the second point.

    Higher where a loss that is to be reached is.
    """
    low = min(float(line.losses.min()) for line in lines)
    second = [line.losses[min(1, len(line.losses) - 1)] for line in lines]
    high = max(float(np.median(second)), *reached, low)
    room = max(high - low, 0.02 * abs(low), 1e-12)
    return low - 0.06 * room, low + 1.15 * room


def convergence_plot(info: ConvergenceInfo) -> Plot:
    """Return thin lines for seeds; where a final loss of SP is reached stands a marker."""
    panels = [
        Panel(
            partial(_draw_panel, panel=panel, info=info),
            f"{panel.title} beside μP with the transferred set at width {info.width}: "
            "validation loss against steps",
        )
        for panel in info.panels
    ]
    return Plot(panels, _legend(info))


def _draw_panel(ax: Axes, *, panel: ConvergencePanel, info: ConvergenceInfo) -> None:
    ax.set_title(panel.title)
    ax.set_xlabel("steps")
    ax.set_ylabel(f"validation loss, width {info.width}")
    ax.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    for line in panel.lines:
        look = palette.ARMS[line.arm]
        (drawn,) = ax.plot(line.steps, line.losses, color=look.colour, ls=look.dashes, lw=0.9)
        tip(drawn, f"{_ARMS[line.arm]}, seed {line.seed}: final loss {line.losses[-1]:.5g}")
    for mark in panel.marks:
        _draw_mark(ax, mark)
    if info.loss_limits is not None:
        ax.set_ylim(*info.loss_limits)


_ARMS = {"mup": "μP, transferred set", "sp": "SP"}


def _draw_mark(ax: Axes, mark: Mark) -> None:
    sp, mup = palette.ARMS["sp"], palette.ARMS["mup"]
    text = f"SP's final loss {mark.loss:.5g}, reached at step {mark.sp_step:.0f}"
    points(ax, [mark.sp_step], [mark.loss], [text], marker="s", mfc=palette.PAPER, color=sp.colour)
    if mark.mup_step is None:
        return
    ax.plot([mark.mup_step, mark.sp_step], [mark.loss] * 2, color=palette.SOFT, lw=0.7, ls=":")
    text = f"μP reaches {mark.loss:.5g} at step {mark.mup_step:.0f}"
    style = {"marker": "o", "mfc": palette.PAPER, "color": mup.colour, "zorder": 5}
    points(ax, [mark.mup_step], [mark.loss], [text], **style)


def _legend(info: ConvergenceInfo) -> list[Artist]:
    handles: list[Artist] = [
        Line2D([], [], color=look.colour, ls=look.dashes, label=f"{_ARMS[arm]} (each seed)")
        for arm, look in palette.ARMS.items()
        if arm in _ARMS
    ]
    if any(panel.marks for panel in info.panels):
        places = (("sp", "s", "SP's final loss"), ("mup", "o", "μP reaches it"))
        handles += [
            Line2D(
                [], [], ls="", marker=marker, mfc=palette.PAPER,
                color=palette.ARMS[arm].colour, label=label,
            )
            for arm, marker, label in places
        ]  # fmt: skip
    return handles


def convergence_table(info: ConvergenceInfo) -> TextTable:
    """Return the validation curves: a row for each baseline, run and validation."""
    rows = [
        (panel.title, ARM_LABELS[line.arm], f"{line.seed}", f"{step:.0f}", _cell(loss))
        for panel in info.panels
        for line in panel.lines
        for step, loss in zip(line.steps, line.losses, strict=True)
    ]
    columns = ("baseline", "arm", "seed", "step", "validation loss")
    return _table("validation loss against steps", columns, rows)
