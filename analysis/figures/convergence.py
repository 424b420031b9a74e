"""The figure of convergence: validation loss against steps, a panel for each SP baseline."""

from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mutransfer.analysis.figures import style
from mutransfer.analysis.figures.canvas import Panel, Plot, points, tip
from mutransfer.analysis.labels import ARM_LABELS
from mutransfer.analysis.text_table import TextTable, cell, text_table
from mutransfer.analysis.transfer.comparison import ValidationCurve, validation_curves
from mutransfer.analysis.transfer.speed_up import ConvergenceResult, SpeedUp

BASELINE_TITLES = {"default": "SP, default LR", "tuned": "SP, LR tuned for SP"}
RUN_LABELS = {"mup": "μP, transferred set", "sp": "SP"}


# Data --------------------------------------------------------------------------------------------


class ConvergenceLine(NamedTuple):
    """The validation curve of one run: (K,) steps and losses."""

    arm: str
    seed: int
    steps: np.ndarray
    losses: np.ndarray


class Crossing(NamedTuple):
    """The final loss of SP with one seed, and the step at which each arm reaches it.

    ``mup_step`` is None where μP does not reach it.
    """

    loss: float
    sp_step: float
    mup_step: float | None


class ConvergencePanel(NamedTuple):
    """One SP baseline beside μP."""

    title: str
    lines: tuple[ConvergenceLine, ...]
    crossings: tuple[Crossing, ...]


class ConvergenceInfo(NamedTuple):
    """The data of the figure; the limits of the shared loss axis omit the first descent."""

    width: int
    panels: tuple[ConvergencePanel, ...]
    loss_limits: tuple[float, float] | None


def convergence_info(
    df: pd.DataFrame, curves: pd.DataFrame, result: ConvergenceResult
) -> ConvergenceInfo | None:
    """Return the data of the figure; None if no run has a validation curve."""
    comparison = result.comparison
    mup = validation_curves(df, curves, comparison, "mup", comparison.mup)
    panels = []
    for speed_up in result.speed_ups:
        is_default = speed_up.baseline == "default"
        hps = comparison.sp_default if is_default else comparison.sp_tuned
        sp = validation_curves(df, curves, comparison, "sp", hps or {})
        panels.append(_panel(speed_up, sp, mup))
    lines = [line for panel in panels for line in panel.lines]
    if not lines:
        return None
    final_losses = [crossing.loss for panel in panels for crossing in panel.crossings]
    return ConvergenceInfo(comparison.width, tuple(panels), _limits(lines, final_losses))


def _panel(
    speed_up: SpeedUp, sp: list[ValidationCurve], mup: list[ValidationCurve]
) -> ConvergencePanel:
    lines = [
        ConvergenceLine(arm, run.seed, run.steps, run.losses)
        for arm, runs in (("sp", sp), ("mup", mup))
        for run in runs
        if len(run.steps)
    ]
    crossings = tuple(Crossing(p.loss, p.sp_step, p.mup_step) for p in speed_up.pairs)
    title = f"{BASELINE_TITLES[speed_up.baseline]} 2^{np.log2(speed_up.lr):.2f}"
    return ConvergencePanel(title, tuple(lines), crossings)


def _limits(lines: list[ConvergenceLine], final_losses: list[float]) -> tuple[float, float]:
    """From below the lowest loss to the median of the losses at the second validation.

    The upper limit is raised where a final loss of SP lies above it.
    """
    low = min(float(line.losses.min()) for line in lines)
    second = [line.losses[min(1, len(line.losses) - 1)] for line in lines]
    high = max(float(np.median(second)), *final_losses, low)
    span = max(high - low, 0.02 * abs(low), 1e-12)
    return low - 0.06 * span, low + 1.15 * span


# Drawing -----------------------------------------------------------------------------------------


def convergence_plot(info: ConvergenceInfo) -> Plot:
    """Return a thin line for each seed, with markers where the final loss of SP is reached."""
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
        arm = style.ARMS[line.arm]
        (artist,) = ax.plot(line.steps, line.losses, color=arm.colour, ls=arm.dashes, lw=0.9)
        tip(artist, f"{RUN_LABELS[line.arm]}, seed {line.seed}: final loss {line.losses[-1]:.5g}")
    for crossing in panel.crossings:
        _draw_crossing(ax, crossing)
    if info.loss_limits is not None:
        ax.set_ylim(*info.loss_limits)


def _draw_crossing(ax: Axes, crossing: Crossing) -> None:
    loss, sp_step, mup_step = crossing
    text = f"SP's final loss {loss:.5g}, reached at step {sp_step:.0f}"
    sp_colour, mup_colour = style.ARMS["sp"].colour, style.ARMS["mup"].colour
    points(ax, [sp_step], [loss], [text], marker="s", mfc=style.PAPER, color=sp_colour)
    if mup_step is None:
        return
    ax.plot([mup_step, sp_step], [loss] * 2, color=style.SOFT, lw=0.7, ls=":")
    text = f"μP reaches {loss:.5g} at step {mup_step:.0f}"
    options = {"marker": "o", "mfc": style.PAPER, "color": mup_colour, "zorder": 5}
    points(ax, [mup_step], [loss], [text], **options)


def _legend(info: ConvergenceInfo) -> list[Artist]:
    handles: list[Artist] = [
        Line2D([], [], color=arm.colour, ls=arm.dashes, label=f"{RUN_LABELS[name]} (each seed)")
        for name, arm in style.ARMS.items()
        if name in RUN_LABELS
    ]
    if any(panel.crossings for panel in info.panels):
        for arm, marker, label in (("sp", "s", "SP's final loss"), ("mup", "o", "μP reaches it")):
            colour = style.ARMS[arm].colour
            handles.append(
                Line2D([], [], ls="", marker=marker, mfc=style.PAPER, color=colour, label=label)
            )
    return handles


# Table -------------------------------------------------------------------------------------------


def convergence_table(info: ConvergenceInfo) -> TextTable:
    """Return the validation curves: a row for each baseline, run and validation."""
    rows = [
        (panel.title, ARM_LABELS[line.arm], f"{line.seed}", f"{step:.0f}", cell(loss))
        for panel in info.panels
        for line in panel.lines
        for step, loss in zip(line.steps, line.losses, strict=True)
    ]
    columns = ("baseline", "arm", "seed", "step", "validation loss")
    return text_table("validation loss against steps", columns, rows)
