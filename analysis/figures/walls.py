"""Walls in the figure of loss against an HP: values whose runs diverged or collapsed."""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mutransfer.analysis.figures import style
from mutransfer.analysis.figures.canvas import points, tip
from mutransfer.analysis.labels import power_of_two
from mutransfer.analysis.table.slice import Slice

Kind = Literal["diverged", "collapsed"]
KINDS: tuple[Kind, ...] = get_args(Kind)

STRIP = 0.04  # height of the strip of one series, share of the panel
HATCH = "/////"
# Neither is a marker of an axis value (`style.MARKERS`).
MARKERS: dict[Kind, dict[str, Any]] = {
    "diverged": {"marker": "x", "ms": 4, "mew": 1.2},
    "collapsed": {"marker": "2", "ms": 6, "mew": 1.2},
}


class Wall(NamedTuple):
    """A value whose runs diverged or collapsed.

    Attributes:
        log2_x: log2 of the value.
        kind: ``diverged``: a run of it diverged; ``collapsed``: they ended, finite, far above the
            curve (`table.collapse`).
        losses: Mean, smallest and largest loss; None where a run diverged.
    """

    log2_x: float
    kind: Kind
    losses: tuple[float, float, float] | None

    @property
    def text(self) -> str:
        """The value and what became of it, in words."""
        words = f"{power_of_two(self.log2_x)}: {self.kind}"
        if self.losses is None:
            return words
        mean, low, high = self.losses
        return f"{words}, loss {mean:.5g} (runs {low:.5g} … {high:.5g})"


def walls_of(slice_: Slice) -> tuple[Wall, ...]:
    """Return the walls of a slice, in ascending order of their values."""
    walls = []
    for i in np.flatnonzero(slice_.walls):
        x, loss = float(slice_.log2_x[i]), slice_.loss[i]
        if slice_.diverged[i]:
            walls.append(Wall(x, "diverged", None))
        else:
            losses = (float(f(loss)) for f in (np.nanmean, np.nanmin, np.nanmax))
            walls.append(Wall(x, "collapsed", (*losses,)))  # type: ignore[arg-type]
    return tuple(walls)


def draw_walls(
    ax: Axes,
    walls: Sequence[Wall],
    nearest: tuple[float | None, float | None],
    limits: tuple[float, float],
    *,
    row: int,
    colour: str,
    name: str,
) -> None:
    """Draw the walls of one series: a hatched strip at the top, with a marker at each wall.

    Args:
        ax: The panel.
        walls: The walls; those outside the limits are left out.
        nearest: log2 of the nearest wall below and above the best value: the strip begins there.
        limits: Ends of the HP axis, log2.
        row: Number of the strip, from the top.
        colour: Colour of the series.
        name: The series in words.
    """
    top = 1 - row * STRIP
    for start, end in zip(nearest, limits, strict=True):
        if start is None:
            continue
        box: dict[str, Any] = {"ymin": top - STRIP, "ymax": top, "fc": "none", "ec": colour}
        strip = ax.axvspan(min(start, end), max(start, end), **box, hatch=HATCH, lw=0.6, alpha=0.5)
        side = "up" if end > start else "down"
        tip(strip, f"{name}: runs fail from {power_of_two(start)} {side}")
        ax.axvline(start, ymin=0, ymax=top, color=colour, lw=0.7, ls=(0, (1, 3)))
    for wall in walls:
        if limits[0] <= wall.log2_x <= limits[1]:
            place: dict[str, Any] = {"transform": ax.get_xaxis_transform(), "color": colour}
            text = f"{name}, {wall.text}"
            points(ax, [wall.log2_x], [top - STRIP / 2], [text], **place, **MARKERS[wall.kind])


def legend(walls: Sequence[Wall]) -> list[Artist]:
    """Return a handle for each kind of wall that occurs."""
    kinds = {wall.kind for wall in walls}
    return [
        Line2D([], [], ls="", color=style.SOFT, label=kind, **MARKERS[kind])
        for kind in KINDS
        if kind in kinds
    ]
