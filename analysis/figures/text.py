"""Loss against an HP as text: one row of block characters per axis value and arm."""

import numpy as np

from mutransfer.analysis.figures.curves import CurveInfo, CurveSeries
from mutransfer.analysis.labels import SHORT_ARMS
from mutransfer.analysis.table.axis import axis_value_text

BLOCKS = "▁▂▃▄▅▆▇█"
CELL_CHARS = 4  # per value
FULL_BLOCK_QUANTILE = 0.75  # of all rises in the plot: this rise fills a block


def curve_lines(info: CurveInfo) -> list[str]:
    """Return the lines of a plot for the terminal; none if there are no values.

    The height of a block is the loss above the lowest loss of its row, on one scale for all rows.
    The lowest is marked with ●, a diverged value with ×. Only whole log2 values have a column: the
    half steps of a refined lattice are omitted.
    """
    rows = [(p.arm, s) for p in info.panels for s in p.series if len(s.log2_x)]
    log2_x = [x for _, s in rows for x in (*s.log2_x, s.log2_first_diverged) if x is not None]
    columns = sorted({int(x) for x in log2_x if float(x).is_integer()})
    if not columns:
        return []
    labels = [_row_label(arm, s, info) for arm, s in rows]
    n_chars = max(map(len, labels))
    scale = _scale([s for _, s in rows])
    lines = [f"{'log2 ' + info.hp:<{n_chars}}" + "".join(f"{x:>{CELL_CHARS}}" for x in columns)]
    for label, (_, s) in zip(labels, rows, strict=True):
        cells = [_block(s, x, scale) for x in columns]
        lines.append(f"{label:<{n_chars}}" + "".join(f"{c:>{CELL_CHARS}}" for c in cells))
    return lines


def _row_label(arm: str, series: CurveSeries, info: CurveInfo) -> str:
    target = " (target)" if series.is_target else ""
    return f"{SHORT_ARMS[arm]} {axis_value_text(info.axis, series.axis_value)}{target} "


def _scale(series: list[CurveSeries]) -> float:
    """The rise in loss that fills a block."""
    rises = np.concatenate([s.mean - s.mean.min() for s in series])
    return float(np.quantile(rises, FULL_BLOCK_QUANTILE)) or 1.0


def _block(series: CurveSeries, log2_x: int, scale: float) -> str:
    index = np.flatnonzero(np.abs(series.log2_x - log2_x) < 1e-4)
    if not index.size:
        diverged = series.log2_first_diverged
        return "×" if diverged is not None and abs(diverged - log2_x) < 1e-4 else "·"
    lowest = int(np.argmin(series.mean))
    rise = (series.mean[index[0]] - series.mean[lowest]) / scale
    block = BLOCKS[int(np.clip(rise * len(BLOCKS), 0, len(BLOCKS) - 1))]
    closest = min(series.log2_x, key=lambda x: (abs(x - series.log2_x[lowest]), x))
    is_lowest = abs(log2_x - closest) <= 0.5 and _is_nearest(series, log2_x, closest)
    return ("●" if is_lowest else "") + block * 2


def _is_nearest(series: CurveSeries, log2_x: int, log2_lowest: float) -> bool:
    """Whether no other whole value is nearer to the lowest, or as near with a lower loss."""
    integers = [x for x in series.log2_x if float(x).is_integer()]
    means = dict(zip(series.log2_x, series.mean, strict=True))
    return min(integers, key=lambda x: (abs(x - log2_lowest), means[x])) == log2_x
