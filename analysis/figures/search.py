"""The figures of the search: loss against each HP, and maps of pairs of HPs."""

from collections.abc import Sequence
from functools import partial
from itertools import combinations
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mutransfer.analysis.figures import style
from mutransfer.analysis.figures.canvas import Panel, Plot, points, power_axis
from mutransfer.analysis.labels import hp_label, power_of_two
from mutransfer.analysis.table.schema import HP_PREFIX
from mutransfer.analysis.text_table import TextTable, cell, text_table
from mutransfer.words import Axis

MAP_SIDE = 40  # cells along each side of a map
MAX_MAP_HPS = 4  # HPs shown in pairs: 6 maps
MAP_QUANTILE = 0.75  # quantile of the losses at which the colour scale ends

TRIAL_COLOUR, BEST_COLOUR = style.ARMS["mup"].colour, style.ARMS["sp"].colour
DIVERGED_CELL = "#bdbdbd"
# Low losses are dark, so that the order survives printing in grey.
COLOUR_MAP = mpl.colormaps["viridis"].with_extremes(bad=DIVERGED_CELL)
# On the map, whose colours are the same on a dark screen: no entries of `style.DARK`.
WHITE, BLACK = "#fefefe", "#010101"


# Data --------------------------------------------------------------------------------------------


def search_rows(df: pd.DataFrame, axis: Axis, axis_value: int) -> pd.DataFrame:
    """Return the finished rows of the search: done and diverged."""
    is_search = (df["asked_by"] == "search") & (df[axis] == axis_value)
    return df[is_search & df["status"].isin(["done", "diverged"])]


def varied_hps(rows: pd.DataFrame) -> list[str]:
    """Return the HPs with more than one value in the rows."""
    columns = [c for c in rows.columns if str(c).startswith(HP_PREFIX)]
    return [c.removeprefix(HP_PREFIX) for c in columns if rows[c].nunique() > 1]


class SearchPanel(NamedTuple):
    """Search trials against one HP: log2 values and losses, and log2 values that diverged."""

    hp: str
    x_label: str
    log2_x: np.ndarray
    loss: np.ndarray
    log2_diverged: np.ndarray


class SearchInfo(NamedTuple):
    """One panel per HP that the search varied; limits of the shared loss axis."""

    panels: tuple[SearchPanel, ...]
    loss_limits: tuple[float, float] | None


def search_info(rows: pd.DataFrame) -> SearchInfo:
    """Return the search trials against each HP that they vary."""
    panels = []
    for hp in varied_hps(rows):
        positive = rows[rows[HP_PREFIX + hp] > 0]
        done = positive[positive["status"] == "done"]
        diverged = positive[positive["status"] == "diverged"]
        panels.append(
            SearchPanel(
                hp=hp,
                x_label=hp_label(hp),
                log2_x=np.log2(done[HP_PREFIX + hp].to_numpy()),
                loss=done["val_loss"].to_numpy(),
                log2_diverged=np.log2(diverged[HP_PREFIX + hp].to_numpy()),
            )
        )
    return SearchInfo(panels=tuple(panels), loss_limits=_limits(rows, 1.0))


class HeatPair(NamedTuple):
    """Two HPs of the search: its trials, and a map of the loss of the nearest trial.

    Attributes:
        x, y: The HPs.
        log2_x, log2_y: Values of the trials, (N,).
        loss: Losses of the trials, (N,); NaN: diverged.
        cells: Loss of the nearest trial, (MAP_SIDE, MAP_SIDE), rows along y from below; NaN: the
            nearest trial diverged.
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
    """The pairs of HPs, and the limits of the colour scale."""

    pairs: tuple[HeatPair, ...]
    loss_limits: tuple[float, float] | None


def heat_info(rows: pd.DataFrame, order: Sequence[str] = ()) -> HeatInfo:
    """Return the map of each pair of HPs.

    Args:
        rows: The finished rows of a search.
        order: HPs by importance: of more than `MAX_MAP_HPS`, the first are taken.
    """
    hps = sorted(varied_hps(rows), key=lambda hp: order.index(hp) if hp in order else len(order))
    pairs = [_pair(rows, x, y) for x, y in combinations(hps[:MAX_MAP_HPS], 2)]
    return HeatInfo(tuple(p for p in pairs if p), _limits(rows, MAP_QUANTILE))


def _pair(rows: pd.DataFrame, x: str, y: str) -> HeatPair | None:
    positive = rows[(rows[HP_PREFIX + x] > 0) & (rows[HP_PREFIX + y] > 0)]
    if len(positive) < 2:
        return None
    log2_values = np.log2(positive[[HP_PREFIX + x, HP_PREFIX + y]].to_numpy())
    low, high = log2_values.min(axis=0), log2_values.max(axis=0)
    margin = np.where(high > low, 0.04 * (high - low), 0.5)
    low, high = low - margin, high + margin
    loss = positive["val_loss"].where(positive["status"] == "done").to_numpy(dtype=float)
    centers = (np.arange(MAP_SIDE) + 0.5) / MAP_SIDE
    grid = np.stack(np.meshgrid(centers, centers), axis=-1).reshape(-1, 1, 2)
    distance = (((log2_values - low) / (high - low) - grid) ** 2).sum(axis=-1)
    cells = loss[distance.argmin(axis=1)].reshape(MAP_SIDE, MAP_SIDE)
    extent = (float(low[0]), float(high[0]), float(low[1]), float(high[1]))
    return HeatPair(x, y, log2_values[:, 0], log2_values[:, 1], loss, cells, extent)


def _limits(rows: pd.DataFrame, quantile: float) -> tuple[float, float] | None:
    """From the lowest loss to a quantile of the losses, with a margin."""
    losses = rows.loc[rows["status"] == "done", "val_loss"].dropna()
    if losses.empty:
        return None
    low, high = float(losses.min()), float(losses.quantile(quantile))
    span = max(high - low, 1e-6 * abs(low), 1e-12)
    return low - 0.05 * span, high + 0.05 * span


# Drawing -----------------------------------------------------------------------------------------


def search_plot(info: SearchInfo) -> Plot:
    """Return the loss of the search trials against each HP, diverged ones at the top."""
    handles: list[Artist] = [
        Line2D([], [], marker="o", ls="", color=TRIAL_COLOUR, label="trial"),
        Line2D([], [], marker="*", ms=9, ls="", color=BEST_COLOUR, label="best"),
    ]
    if any(len(p.log2_diverged) for p in info.panels):
        handles.append(Line2D([], [], marker="x", ls="", color=style.INK, label="diverged"))
    panels = [
        Panel(
            partial(_draw_search, panel=panel, info=info),
            f"final validation loss of {len(panel.loss)} search trials against {panel.x_label}; "
            f"{len(panel.log2_diverged)} diverged",
        )
        for panel in info.panels
    ]
    return Plot(panels, handles, columns=min(3, len(panels)), height=1.9)


def _draw_search(ax: Axes, *, panel: SearchPanel, info: SearchInfo) -> None:
    tips = [
        f"{power_of_two(x)}: loss {y:.5g}" for x, y in zip(panel.log2_x, panel.loss, strict=True)
    ]
    points(ax, panel.log2_x, panel.loss, tips, marker="o", color=TRIAL_COLOUR, alpha=0.8, mew=0)
    if len(panel.loss):
        best = int(np.argmin(panel.loss))
        star: dict[str, Any] = {"marker": "*", "ms": 10, "color": BEST_COLOUR, "zorder": 4}
        points(ax, panel.log2_x[[best]], panel.loss[[best]], [f"best: {tips[best]}"], **star)
    tips = [f"{power_of_two(x)}: diverged" for x in panel.log2_diverged]
    cross: dict[str, Any] = {"marker": "x", "color": style.INK}
    cross["transform"] = ax.get_xaxis_transform()
    points(ax, panel.log2_diverged, np.full(len(tips), 0.97), tips, **cross)
    ax.set_xlabel(panel.x_label)
    ax.set_ylabel("final validation loss")
    if info.loss_limits is not None:
        low, high = info.loss_limits
        ax.set_ylim(low, high + 0.06 * (high - low))
    power_axis(ax, max_ticks=6)


def heat_plot(info: HeatInfo) -> Plot:
    """Return a map for each pair of HPs: every cell has the colour of the nearest trial."""
    handles: list[Artist] = [
        Line2D([], [], marker="o", ls="", mfc=style.PAPER, mec=style.INK, label="trial"),
        Line2D([], [], marker="*", ms=9, ls="", mfc=style.PAPER, mec=style.INK, label="best"),
    ]
    if any(np.isnan(pair.loss).any() for pair in info.pairs):
        handles.append(Line2D([], [], marker="x", ls="", color=style.INK, label="diverged"))
        handles.append(Patch(fc=DIVERGED_CELL, label="nearest trial diverged"))
    panels = [
        Panel(
            partial(_draw_pair, pair=pair, info=info),
            f"loss of the search over {hp_label(pair.x)} and {hp_label(pair.y)}",
        )
        for pair in info.pairs
    ]
    return Plot(panels, handles, columns=min(2, len(panels)), height=2.3)


def _draw_pair(ax: Axes, *, pair: HeatPair, info: HeatInfo) -> None:
    low, high = info.loss_limits or (0.0, 1.0)
    ax.grid(visible=False)
    image = ax.imshow(
        np.ma.masked_invalid(pair.cells),
        origin="lower",
        extent=pair.extent,
        interpolation="nearest",
        cmap=COLOUR_MAP,
        vmin=low,
        vmax=high,
        aspect="auto",
    )
    bar = ax.figure.colorbar(image, ax=ax, pad=0.02, extend="max")
    bar.set_label("final validation loss")
    bar.outline.set_linewidth(0.5)
    _draw_pair_trials(ax, pair)
    ax.set_xlabel(hp_label(pair.x))
    ax.set_ylabel(hp_label(pair.y))
    ax.set_xlim(pair.extent[:2])
    ax.set_ylim(pair.extent[2:])
    power_axis(ax, max_ticks=6)
    power_axis(ax, "y", max_ticks=6)


def _draw_pair_trials(ax: Axes, pair: HeatPair) -> None:
    has_diverged = np.isnan(pair.loss)
    best = int(np.nanargmin(pair.loss)) if not has_diverged.all() else -1
    white: dict[str, Any] = {"mfc": WHITE, "mec": BLACK, "mew": 0.6}
    for i, (x, y, loss) in enumerate(zip(pair.log2_x, pair.log2_y, pair.loss, strict=True)):
        outcome = "diverged" if has_diverged[i] else f"loss {loss:.5g}"
        text = f"{hp_label(pair.x)} {power_of_two(x)}, {hp_label(pair.y)} {power_of_two(y)}: "
        options: dict[str, Any] = {"marker": "o", "ms": 3.2, **white}
        if has_diverged[i]:
            options = {"marker": "x", "ms": 4, "color": BLACK}
        elif i == best:
            options = {"marker": "*", "ms": 8, "zorder": 5, **white}
        points(ax, pair.log2_x[[i]], pair.log2_y[[i]], [text + outcome], **options)


# Tables ------------------------------------------------------------------------------------------


def search_table(info: SearchInfo) -> TextTable:
    """Return the trials of each panel of `search_plot`."""
    rows = []
    for p in info.panels:
        done = zip(p.log2_x, p.loss, strict=True)
        rows += [(p.hp, cell(x), cell(loss), "done") for x, loss in done]
        rows += [(p.hp, cell(x), "", "diverged") for x in p.log2_diverged]
    return text_table("search trials", ("HP", "log2 value", "loss", "status"), rows)


def heat_table(info: HeatInfo) -> TextTable:
    """Return the trials of each map of `heat_plot`."""
    rows = [
        (p.x, cell(x), p.y, cell(y), cell(loss), "diverged" if np.isnan(loss) else "done")
        for p in info.pairs
        for x, y, loss in zip(p.log2_x, p.log2_y, p.loss, strict=True)
    ]
    columns = ("first HP", "log2 value", "second HP", "log2 value ", "loss", "status")
    return text_table("pairs of HPs", columns, rows)
