"""The figures of the search: each HP alone, maps of pairs, and importance."""

from functools import partial
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis import palette
from analysis.importance import Importance
from analysis.labels import hp_label, power_of_two
from analysis.plot import Panel, Plot, points, power_axis
from analysis.search_data import HeatInfo, HeatPair, SearchInfo, SearchPanel

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


def importance_plot(info: Importance) -> Plot:
    """Return the share of each HP with its interval, and what chance gives."""
    told = "; ".join(f"{s.label} {100 * s.share:.0f} %" for s in info.shares)
    handles: list[Artist] = [
        Patch(fc=DOTS, label="share, 90 %"),
        Line2D([], [], color=palette.RED, ls="--", label="random numbers (95 %)"),
    ]
    panel = Panel(partial(_draw_importance, info=info), f"importance of HPs: {told}")
    return Plot([panel], handles, columns=1, height=0.75 + 0.25 * len(info.shares))


def _draw_importance(ax: Axes, *, info: Importance) -> None:
    for k, s in enumerate(info.shares):
        text = f"{s.label}: {100 * s.share:.0f} % ({100 * s.low:.0f} … {100 * s.high:.0f} %)"
        colour = DOTS if s.tells else palette.SOFT
        ax.barh([-k], [100 * s.share], height=0.55, color=colour, alpha=0.55 if s.tells else 0.3)
        ax.plot([100 * s.low, 100 * s.high], [-k, -k], color=palette.INK)
        points(ax, [100 * s.share], [-k], [text], marker="o", ms=3.5, color=palette.INK)
    ax.axvline(100 * info.chance, color=palette.RED, ls="--", lw=1.0)
    ax.set_yticks([-k for k in range(len(info.shares))], [s.label for s in info.shares])
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    ax.set_xlim(0, 100)
    ax.set_ylim(-len(info.shares) + 0.4, 0.6)
    ax.set_xlabel("share of the variation of ranks, %")
