"""The data of the figure of convergence: loss against steps, a panel for each baseline."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from analysis.convergence import Convergence, Run, SpeedUp, runs

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
