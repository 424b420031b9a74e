"""The figures of the search: each HP alone, maps of pairs, and importance."""

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

from mutransfer.analysis.figures import style as palette
from mutransfer.analysis.figures.canvas import Panel, Plot, points, power_axis
from mutransfer.analysis.labels import hp_label, power_of_two
from mutransfer.analysis.table.schema import HP_PREFIX
from mutransfer.analysis.text_table import TextTable, _cell, _table
from mutransfer.words import Axis

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


def varied(rows: pd.DataFrame) -> list[str]:
    """Return the HPs that the rows vary."""
    columns = [c for c in rows.columns if str(c).startswith(HP_PREFIX)]
    return [c.removeprefix(HP_PREFIX) for c in columns if rows[c].nunique() > 1]


def search_rows(df: pd.DataFrame, axis: Axis, place: int) -> pd.DataFrame:
    """Return the finished rows of the search: done and diverged."""
    asked = (df["asked_by"] == "search") & (df[axis] == place)
    return df[asked & df["status"].isin(["done", "diverged"])]


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


DOTS, BEST = palette.ARMS["mup"].colour, palette.ARMS["sp"].colour

# Dark is good: on paper without colour as well.
BLANK = "#bdbdbd"

COLOURS = mpl.colormaps["viridis"].with_extremes(bad=BLANK)

# On the map, which is no darker on a dark screen.
WHITE, BLACK = "#fefefe", "#010101"


def search_plot(info: SearchInfo) -> Plot:
    """Return the loss of the search trials against each HP, diverged ones on top."""
    handles: list[Artist] = [
        Line2D([], [], marker="o", ls="", color=DOTS, label="trial"),
        Line2D([], [], marker="*", ms=9, ls="", color=BEST, label="best"),
    ]
    if any(len(p.log2_diverged) for p in info.panels):
        handles.append(Line2D([], [], marker="x", ls="", color=palette.INK, label="diverged"))
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
    told = [
        f"{power_of_two(x)}: loss {y:.5g}" for x, y in zip(panel.log2_x, panel.loss, strict=True)
    ]
    points(ax, panel.log2_x, panel.loss, told, marker="o", color=DOTS, alpha=0.8, mew=0)
    if len(panel.loss):
        best = int(np.argmin(panel.loss))
        told = [f"best: {told[best]}"]
        style: dict[str, Any] = {"marker": "*", "ms": 10, "color": BEST, "zorder": 4}
        points(ax, panel.log2_x[[best]], panel.loss[[best]], told, **style)
    told = [f"{power_of_two(x)}: diverged" for x in panel.log2_diverged]
    style = {"marker": "x", "color": palette.INK, "transform": ax.get_xaxis_transform()}
    points(ax, panel.log2_diverged, np.full(len(told), 0.97), told, **style)
    ax.set_xlabel(panel.x_label)
    ax.set_ylabel("final validation loss")
    if info.loss_limits is not None:
        low, high = info.loss_limits
        ax.set_ylim(low, high + 0.06 * (high - low))
    power_axis(ax, most=6)


def heat_plot(info: HeatInfo) -> Plot:
    """Return a map for each pair of HPs: everywhere the colour of the nearest trial."""
    handles: list[Artist] = [
        Line2D([], [], marker="o", ls="", mfc=palette.PAPER, mec=palette.INK, label="trial"),
        Line2D([], [], marker="*", ms=9, ls="", mfc=palette.PAPER, mec=palette.INK, label="best"),
    ]
    if any(np.isnan(pair.loss).any() for pair in info.pairs):
        handles.append(Line2D([], [], marker="x", ls="", color=palette.INK, label="diverged"))
        handles.append(Patch(fc=BLANK, label="nearest one diverged"))
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
    style: dict[str, Any] = {"cmap": COLOURS, "vmin": low, "vmax": high, "aspect": "auto"}
    image = ax.imshow(
        np.ma.masked_invalid(pair.cells),
        origin="lower",
        extent=pair.extent,
        interpolation="nearest",
        **style,
    )
    bar = ax.figure.colorbar(image, ax=ax, pad=0.02, extend="max")
    bar.set_label("final validation loss")
    bar.outline.set_linewidth(0.5)
    dead = np.isnan(pair.loss)
    told = [
        f"{hp_label(pair.x)} {power_of_two(x)}, {hp_label(pair.y)} {power_of_two(y)}: "
        + ("diverged" if np.isnan(loss) else f"loss {loss:.5g}")
        for x, y, loss in zip(pair.log2_x, pair.log2_y, pair.loss, strict=True)
    ]
    look: dict[str, Any] = {"mfc": WHITE, "mec": BLACK, "mew": 0.6}
    best = int(np.nanargmin(pair.loss)) if not dead.all() else -1
    for i, text in enumerate(told):
        own: dict[str, Any] = {"marker": "o", "ms": 3.2, **look}
        if dead[i]:
            own = {"marker": "x", "ms": 4, "color": BLACK}
        elif i == best:
            own = {"marker": "*", "ms": 8, "zorder": 5, **look}
        points(ax, pair.log2_x[[i]], pair.log2_y[[i]], [text], **own)
    ax.set_xlabel(hp_label(pair.x))
    ax.set_ylabel(hp_label(pair.y))
    ax.set_xlim(pair.extent[:2])
    ax.set_ylim(pair.extent[2:])
    power_axis(ax, most=6)
    power_axis(ax, "y", most=6)


def search_table(info: SearchInfo) -> TextTable:
    """Return the search's loss against each HP."""
    rows = []
    for p in info.panels:
        done = zip(p.log2_x, p.loss, strict=True)
        rows += [(p.hp, _cell(x), _cell(loss), "done") for x, loss in done]
        rows += [(p.hp, _cell(x), "", "diverged") for x in p.log2_diverged]
    return _table("search trials", ("HP", "log2 value", "loss", "status"), rows)


def heat_table(info: HeatInfo) -> TextTable:
    """Return the trials behind each map."""
    rows = [
        (p.x, _cell(x), p.y, _cell(y), _cell(z), "diverged" if np.isnan(z) else "done")
        for p in info.pairs
        for x, y, z in zip(p.log2_x, p.log2_y, p.loss, strict=True)
    ]
    columns = ("first HP", "log2 value", "second HP", "log2 value ", "loss", "status")
    return _table("pairs of HPs", columns, rows)
