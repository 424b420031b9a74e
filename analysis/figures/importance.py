"""The figure of importance: how much of the spread of the search each HP explains."""

from functools import partial

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mutransfer.analysis.figures import style
from mutransfer.analysis.figures.canvas import Panel, Plot, points
from mutransfer.analysis.figures.search import DOTS
from mutransfer.analysis.importance import Importance
from mutransfer.analysis.text_table import TextTable, _table


def importance_plot(info: Importance) -> Plot:
    """Return the share of each HP with its interval, and what chance gives."""
    told = "; ".join(f"{s.label} {100 * s.share:.0f} %" for s in info.shares)
    handles: list[Artist] = [
        Patch(fc=DOTS, label="share, 90 %"),
        Line2D([], [], color=style.RED, ls="--", label="random numbers (95 %)"),
    ]
    panel = Panel(partial(_draw_importance, info=info), f"importance of HPs: {told}")
    return Plot([panel], handles, columns=1, height=0.75 + 0.25 * len(info.shares))


def _draw_importance(ax: Axes, *, info: Importance) -> None:
    for k, s in enumerate(info.shares):
        text = f"{s.label}: {100 * s.share:.0f} % ({100 * s.low:.0f} … {100 * s.high:.0f} %)"
        colour = DOTS if s.tells else style.SOFT
        ax.barh([-k], [100 * s.share], height=0.55, color=colour, alpha=0.55 if s.tells else 0.3)
        ax.plot([100 * s.low, 100 * s.high], [-k, -k], color=style.INK)
        points(ax, [100 * s.share], [-k], [text], marker="o", ms=3.5, color=style.INK)
    ax.axvline(100 * info.chance, color=style.RED, ls="--", lw=1.0)
    ax.set_yticks([-k for k in range(len(info.shares))], [s.label for s in info.shares])
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    ax.set_xlim(0, 100)
    ax.set_ylim(-len(info.shares) + 0.4, 0.6)
    ax.set_xlabel("share of the variation of ranks, %")


def importance_table(info: Importance) -> TextTable:
    """Return the shares of the HPs, and of random numbers."""
    rows = [
        (s.label, *(f"{100 * v:.3g}" for v in (s.share, s.low, s.high)), "yes" if s.tells else "no")
        for s in info.shares
    ]
    rows.append(("random numbers", "", "", f"{100 * info.chance:.3g}", ""))
    columns = ("HP", "share, %", "5 %", "95 %", "more than chance")
    return _table(f"importance, {info.n_trials} trials", columns, rows)
