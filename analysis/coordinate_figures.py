"""The figures of a coordinate check: size against width at each step, SP beside μP."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.coordinates import Check, Trend
from analysis.figures import STYLE

KINDS = {
    "change": "RMS of its change since initialization",
    "update": "spectral size of a weight's update",
}
ARMS = {"sp": "SP (control)", "mup": "μP"}


def all_figures(check: Check) -> dict[str, Figure]:
    """Return one figure a kind of size, by file name without suffix."""
    return {f"coordcheck_{kind}": draw(check, kind) for kind in KINDS}


def draw(check: Check, kind: str) -> Figure:
    """Return a grid: a row for SP and one for μP, a column a step; what fails is red and named."""
    trends = [t for t in check.trends if t.kind == kind]
    steps = sorted({t.step for t in trends})
    failed = {(f.trend.kind, f.trend.name) for f in check.findings}
    with mpl.rc_context(STYLE):
        n = max(len(steps), 1)
        figure = Figure(figsize=(2.6 * n + 1.0, 5.6), layout="constrained")
        axes = figure.subplots(2, n, sharex=True, sharey=True, squeeze=False)
        for line, (arm, label) in zip(axes, ARMS.items(), strict=True):
            for ax, step in zip(line, steps, strict=False):
                shown = [t for t in trends if t.arm == arm and t.step == step]
                _draw_panel(ax, shown, failed if arm == "mup" else set())
                ax.set_title(f"{label}, step {step}", fontsize=10)
            line[0].set_ylabel("log2 size")
        figure.supxlabel("width")
        figure.suptitle(KINDS[kind], fontsize=11)
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        return figure


def _draw_panel(ax: Axes, trends: Sequence[Trend], failed: set[tuple[str, str]]) -> None:
    places = {t.name: i / max(len(trends) - 1, 1) for i, t in enumerate(trends)}
    for trend in trends:
        if not trend.sizes:
            continue
        # Linear axes of logarithms: axes in powers of two take ten times as long to draw.
        x, y = np.log2(list(trend.sizes)), np.log2(list(trend.sizes.values()))
        is_failed = (trend.kind, trend.name) in failed
        colour = "#c1121f" if is_failed else mpl.colormaps["viridis"](0.88 * places[trend.name])
        ax.plot(x, y, color=colour, lw=2.0 if is_failed else 0.8)
        if is_failed:
            ax.annotate(trend.name, (x[-1], y[-1]), fontsize=6, ha="right")
        ax.set_xticks(x, [str(width) for width in trend.sizes])
