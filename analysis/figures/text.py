"""Loss against an HP as text: one row of block characters per axis value and arm."""

import math

import numpy as np

from mutransfer.analysis.figures.curves import CurveInfo, CurveSeries
from mutransfer.analysis.figures.walls import Kind
from mutransfer.analysis.labels import SHORT_ARMS
from mutransfer.analysis.table.axis import axis_value_text

BLOCKS = "▁▂▃▄▅▆▇█"
WALL_MARKS: dict[Kind, str] = {"diverged": "×", "collapsed": "▲"}
CELL_CHARS = 4  # per value
FULL_BLOCK_QUANTILE = 0.75  # of all rises in the plot: this rise fills a block


def curve_lines(info: CurveInfo) -> list[str]:
    """Return the lines of a plot for the terminal; none if there are no values.

    The height of a block is the loss above the lowest loss of its row, on one scale for all rows.
    The lowest is marked with ●, a diverged value with ×, a collapsed one with ▲; a last line names
    the marks of those that occur. There is a column for each whole log2 value, which shows the
    lowest value, or the nearest within half an octave: other half steps of a refined lattice are
    omitted.
    """
    rows = [(p.arm, s) for p in info.panels for s in p.series if len(s.log2_x)]
    log2_x = [x for _, s in rows for x in (*s.log2_x, *s.nearest) if x is not None]
    columns = sorted({_column(x) for x in log2_x})
    if not columns:
        return []
    labels = [_row_label(arm, s, info) for arm, s in rows]
    n_chars = max(map(len, labels))
    scale = _scale([s for _, s in rows])
    lines = [f"{'log2 ' + info.hp:<{n_chars}}" + "".join(f"{x:>{CELL_CHARS}}" for x in columns)]
    for label, (_, s) in zip(labels, rows, strict=True):
        cells = _cells(s, scale)
        lines.append(
            f"{label:<{n_chars}}" + "".join(f"{cells.get(c, '·'):>{CELL_CHARS}}" for c in columns)
        )
    drawn = "".join(lines)
    named = [f"{mark} {kind}" for kind, mark in WALL_MARKS.items() if mark in drawn]
    return [*lines, ", ".join(named)] if named else lines


def _column(log2_x: float) -> int:
    """The whole number nearest to a value; of two the lower."""
    return math.ceil(log2_x - 0.5)


def _row_label(arm: str, series: CurveSeries, info: CurveInfo) -> str:
    target = " (target)" if series.is_target else ""
    return f"{SHORT_ARMS[arm]} {axis_value_text(info.axis, series.axis_value)}{target} "


def _scale(series: list[CurveSeries]) -> float:
    """The rise in loss that fills a block."""
    rises = np.concatenate([s.mean - s.mean.min() for s in series])
    return float(np.quantile(rises, FULL_BLOCK_QUANTILE)) or 1.0


def _cells(series: CurveSeries, scale: float) -> dict[int, str]:
    """The cells of a row by column."""
    marks = {wall.log2_x: WALL_MARKS[wall.kind] for wall in series.walls}
    means = dict(zip(series.log2_x.tolist(), series.mean.tolist(), strict=True))
    lowest = min(means, key=lambda x: means[x])
    shown: dict[int, float] = {}
    for x in sorted({**marks, **means}, key=lambda x: (x != lowest, abs(x - _column(x)))):
        shown.setdefault(_column(x), x)
    cells = {}
    for column, x in shown.items():
        if x in marks:
            cells[column] = marks[x]
            continue
        rise = (means[x] - means[lowest]) / scale
        block = BLOCKS[int(np.clip(rise * len(BLOCKS), 0, len(BLOCKS) - 1))]
        cells[column] = ("●" if x == lowest else "") + block * 2
    return cells
