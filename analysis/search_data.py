"""The data of the search's figures: each HP alone, and pairs of HPs."""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd

from analysis.axis import Axis
from analysis.labels import hp_label
from analysis.table import HP_PREFIX

CELLS = 40  # a side of a heat map
MAX_HPS = 4  # in pairs: 6 maps
WORST_SHOWN = 0.75  # quantile of the losses at which the colours end


class SearchPanel(NamedTuple):
    """Search trials against one HP; diverged ones have a place but no loss."""

    hp: str
    x_label: str
    log2_x: np.ndarray
    loss: np.ndarray
    log2_diverged: np.ndarray


class SearchInfo(NamedTuple):
    """One panel for each HP that the search varied; limits of the shared loss axis."""

    panels: tuple[SearchPanel, ...]
    loss_limits: tuple[float, float] | None


class HeatPair(NamedTuple):
    """Two HPs of the search: its trials, and a map of the nearest trial's loss.

    Attributes:
        x, y: The HPs.
        log2_x, log2_y: Places of the trials, (N,).
        loss: Their losses, (N,); NaN: diverged.
        cells: (CELLS, CELLS), y by x from below: the loss of the nearest trial; NaN: it diverged.
        extent: Left, right, lower and upper end of the map, log2.
    """

    x: str
    y: str
    log2_x: np.ndarray
    log2_y: np.ndarray
    loss: np.ndarray
    cells: np.ndarray
    extent: tuple[float, float, float, float]


class HeatInfo(NamedTuple):
    """The pairs of HPs, and the losses between which the colours run."""

    pairs: tuple[HeatPair, ...]
    loss_limits: tuple[float, float] | None


def search_rows(df: pd.DataFrame, axis: Axis, place: int) -> pd.DataFrame:
    """Return the finished rows of the search: done and diverged."""
    asked = (df["asked_by"] == "search") & (df[axis] == place)
    return df[asked & df["status"].isin(["done", "diverged"])]


def varied(rows: pd.DataFrame) -> list[str]:
    """Return the HPs that the rows vary."""
    columns = [c for c in rows.columns if str(c).startswith(HP_PREFIX)]
    return [c.removeprefix(HP_PREFIX) for c in columns if rows[c].nunique() > 1]


def search_info(rows: pd.DataFrame) -> SearchInfo:
    """Return the search trials against each HP that they vary."""
    panels = []
    for hp in varied(rows):
        some = rows[rows[HP_PREFIX + hp] > 0]
        done, dead = some[some["status"] == "done"], some[some["status"] == "diverged"]
        panels.append(
            SearchPanel(
                hp=hp,
                x_label=hp_label(hp),
                log2_x=np.log2(done[HP_PREFIX + hp].to_numpy()),
                loss=done["val_loss"].to_numpy(),
                log2_diverged=np.log2(dead[HP_PREFIX + hp].to_numpy()),
            )
        )
    return SearchInfo(panels=tuple(panels), loss_limits=_limits(rows, 1.0))


def heat_info(rows: pd.DataFrame, order: Sequence[str] = ()) -> HeatInfo:
    """Return the map of each pair of HPs.

    Args:
        rows: The finished rows of a search.
        order: HPs by importance: of more than `MAX_HPS`, the first are taken.
    """
    hps = sorted(varied(rows), key=lambda hp: order.index(hp) if hp in order else len(order))
    pairs = [_pair(rows, x, y) for x, y in combinations(hps[:MAX_HPS], 2)]
    return HeatInfo(tuple(p for p in pairs if p), _limits(rows, WORST_SHOWN))


def _pair(rows: pd.DataFrame, x: str, y: str) -> HeatPair | None:
    some = rows[(rows[HP_PREFIX + x] > 0) & (rows[HP_PREFIX + y] > 0)]
    if len(some) < 2:
        return None
    places = np.log2(some[[HP_PREFIX + x, HP_PREFIX + y]].to_numpy())
    low, high = places.min(axis=0), places.max(axis=0)
    room = np.where(high > low, 0.04 * (high - low), 0.5)
    low, high = low - room, high + room
    loss = some["val_loss"].where(some["status"] == "done").to_numpy(dtype=float)
    steps = (np.arange(CELLS) + 0.5) / CELLS
    grid = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 1, 2)
    distance = (((places - low) / (high - low) - grid) ** 2).sum(axis=-1)
    cells = loss[distance.argmin(axis=1)].reshape(CELLS, CELLS)
    extent = (float(low[0]), float(high[0]), float(low[1]), float(high[1]))
    return HeatPair(x, y, places[:, 0], places[:, 1], loss, cells, extent)


def _limits(rows: pd.DataFrame, quantile: float) -> tuple[float, float] | None:
    losses = rows.loc[rows["status"] == "done", "val_loss"].dropna()
    if losses.empty:
        return None
    low, high = float(losses.min()), float(losses.quantile(quantile))
    room = max(high - low, 1e-6 * abs(low), 1e-12)
    return low - 0.05 * room, high + 0.05 * room
