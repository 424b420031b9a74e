"""Loss against an HP as text: a row of blocks for each width, minima under one another."""

import numpy as np

from mutransfer.analysis.figures.curves import CurveInfo, CurveSeries
from mutransfer.analysis.labels import SHORT_ARMS
from mutransfer.analysis.table.axis import at

BLOCKS = "▁▂▃▄▅▆▇█"
CELL = 4  # characters a value


def curve_lines(info: CurveInfo) -> list[str]:
    """Return the lines of a plot; none where there is nothing to show.

    A block's height is the loss above that width's own lowest, on one scale; the lowest is
    marked with ●, a diverged value with ×. Half steps of a refined lattice are left out.
    """
    series = [(p.arm, s) for p in info.panels for s in p.series if len(s.log2_x)]
    places = [x for _, s in series for x in (*s.log2_x, s.log2_first_diverged) if x is not None]
    values = sorted({int(x) for x in places if float(x).is_integer()})
    if not values:
        return []
    heads = [_head(arm, s, info) for arm, s in series]
    wide = max(map(len, heads))
    scale = _scale([s for _, s in series])
    lines = [f"{'log2 ' + info.hp:<{wide}}" + "".join(f"{v:>{CELL}}" for v in values)]
    for head, (_, s) in zip(heads, series, strict=True):
        lines.append(f"{head:<{wide}}" + "".join(f"{_cell(s, v, scale):>{CELL}}" for v in values))
    return lines


def _head(arm: str, series: CurveSeries, info: CurveInfo) -> str:
    target = " (target)" if series.is_target else ""
    return f"{SHORT_ARMS[arm]} {at(info.axis, series.axis_value)}{target} "


def _scale(series: list[CurveSeries]) -> float:
    """The rise that fills a block: three quarters of all rises are under it."""
    rises = np.concatenate([s.mean - s.mean.min() for s in series])
    return float(np.quantile(rises, 0.75)) or 1.0


def _cell(series: CurveSeries, value: int, scale: float) -> str:
    near = np.flatnonzero(np.abs(series.log2_x - value) < 1e-4)
    if not near.size:
        wall = series.log2_first_diverged
        return "×" if wall is not None and abs(wall - value) < 1e-4 else "·"
    lowest = int(np.argmin(series.mean))
    rise = (series.mean[near[0]] - series.mean[lowest]) / scale
    block = BLOCKS[int(np.clip(rise * len(BLOCKS), 0, len(BLOCKS) - 1))]
    closest = min(series.log2_x, key=lambda x: (abs(x - series.log2_x[lowest]), x))
    is_lowest = abs(value - closest) <= 0.5 and not _nearer(series, value, closest)
    return ("●" if is_lowest else "") + block * 2


def _nearer(series: CurveSeries, value: int, lowest: float) -> bool:
    """Whether another whole value is nearer to the lowest, or as near and lower in loss."""
    whole = [x for x in series.log2_x if float(x).is_integer()]
    means = dict(zip(series.log2_x, series.mean, strict=True))
    return min(whole, key=lambda x: (abs(x - lowest), means[x])) != value
