"""The figure of convergence: validation loss against steps, a panel for each SP baseline."""

from functools import partial

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from analysis import palette
from analysis.convergence_data import ConvergenceInfo, Mark
from analysis.convergence_data import Panel as PanelData
from analysis.plot import Panel, Plot, points, tip


def convergence_plot(info: ConvergenceInfo) -> Plot:
    """Return thin lines for seeds; where a final loss of SP is reached stands a marker."""
    panels = [
        Panel(
            partial(_draw_panel, panel=panel, info=info),
            f"{panel.title} beside μP with the transferred set at width {info.width}: "
            "validation loss against steps",
        )
        for panel in info.panels
    ]
    return Plot(panels, _legend(info))


def _draw_panel(ax: Axes, *, panel: PanelData, info: ConvergenceInfo) -> None:
    ax.set_title(panel.title)
    ax.set_xlabel("steps")
    ax.set_ylabel(f"validation loss, width {info.width}")
    ax.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    for line in panel.lines:
        look = palette.ARMS[line.arm]
        (drawn,) = ax.plot(line.steps, line.losses, color=look.colour, ls=look.dashes, lw=0.9)
        tip(drawn, f"{_ARMS[line.arm]}, seed {line.seed}: final loss {line.losses[-1]:.5g}")
    for mark in panel.marks:
        _draw_mark(ax, mark)
    if info.loss_limits is not None:
        ax.set_ylim(*info.loss_limits)


_ARMS = {"mup": "μP, transferred set", "sp": "SP"}


def _draw_mark(ax: Axes, mark: Mark) -> None:
    sp, mup = palette.ARMS["sp"], palette.ARMS["mup"]
    text = f"SP's final loss {mark.loss:.5g}, reached at step {mark.sp_step:.0f}"
    points(ax, [mark.sp_step], [mark.loss], [text], marker="s", mfc=palette.PAPER, color=sp.colour)
    if mark.mup_step is None:
        return
    ax.plot([mark.mup_step, mark.sp_step], [mark.loss] * 2, color=palette.SOFT, lw=0.7, ls=":")
    text = f"μP reaches {mark.loss:.5g} at step {mark.mup_step:.0f}"
    style = {"marker": "o", "mfc": palette.PAPER, "color": mup.colour, "zorder": 5}
    points(ax, [mark.mup_step], [mark.loss], [text], **style)


def _legend(info: ConvergenceInfo) -> list[Artist]:
    handles: list[Artist] = [
        Line2D([], [], color=look.colour, ls=look.dashes, label=f"{_ARMS[arm]} (each seed)")
        for arm, look in palette.ARMS.items()
        if arm in _ARMS
    ]
    if any(panel.marks for panel in info.panels):
        places = (("sp", "s", "SP's final loss"), ("mup", "o", "μP reaches it"))
        handles += [
            Line2D(
                [], [], ls="", marker=marker, mfc=palette.PAPER,
                color=palette.ARMS[arm].colour, label=label,
            )
            for arm, marker, label in places
        ]  # fmt: skip
    return handles
