"""The figures of a coordinate check: size against width at each step, SP beside μP."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mutransfer.analysis.figures import style
from mutransfer.analysis.figures.canvas import Panel, Plot, tip
from mutransfer.analysis.labels import ARM_LABELS, truncated
from mutransfer.analysis.text_table import TextTable, cell, text_table
from mutransfer.analysis.verdict.coordcheck import Check, Trend

KIND_LABELS = {
    "change": "RMS change of each module's output since initialization",
    "update": "Scaled spectral norm of each weight's update",
}
ARMS = ("sp", "mup")


# Drawing -----------------------------------------------------------------------------------------


def coordcheck_plots(check: Check) -> dict[str, Plot]:
    """Return one plot per kind of size that was measured, by file name without suffix."""
    kinds = {t.kind for t in check.trends}
    return {
        f"coordcheck_{kind}": coordcheck_plot(check, kind) for kind in KIND_LABELS if kind in kinds
    }


def coordcheck_plot(check: Check, kind: str) -> Plot:
    """Return a row for SP and one for μP with a column per step; failing series are red, named.

    On the screen only the last step is shown.
    """
    trends = [t for t in check.trends if t.kind == kind]
    steps = sorted({t.step for t in trends})
    failing = {f.trend.name for f in check.findings if f.trend.kind == kind}
    sizes = np.log2([size for t in trends for size in t.sizes.values() if size > 0] or [1.0])
    limits = (float(sizes.min()) - 0.5, float(sizes.max()) + 0.5)
    panels = {
        (arm, step): Panel(
            partial(
                _draw_panel,
                trends=[t for t in trends if t.arm == arm and t.step == step],
                failing=failing if arm == "mup" else set(),
                limits=limits,
                title=f"{ARM_LABELS[arm]}, step {step}",
            ),
            f"{ARM_LABELS[arm]}, step {step}: {KIND_LABELS[kind]} against width",
        )
        for arm in ARMS
        for step in steps
    }
    legend = [
        Line2D([], [], color=style.ordered_colour(0.0), lw=0.8, label="first in the model"),
        Line2D([], [], color=style.ordered_colour(1.0), lw=0.8, label="last in the model"),
    ]
    if failing:
        legend.append(Line2D([], [], color=style.RED, lw=2, label="fails"))
    return Plot(
        list(panels.values()),
        legend,
        columns=max(len(steps), 1),
        height=1.7,
        on_screen=[panels[arm, steps[-1]] for arm in ARMS] if steps else [],
    )


def _draw_panel(
    ax: Axes,
    *,
    trends: Sequence[Trend],
    failing: set[str],
    limits: tuple[float, float],
    title: str,
) -> None:
    depths = {t.name: i / max(len(trends) - 1, 1) for i, t in enumerate(trends)}
    for trend in trends:
        if not trend.sizes:
            continue
        # Linear axes of logarithms: axes in powers of two take ten times as long to draw.
        x, y = np.log2(list(trend.sizes)), np.log2(list(trend.sizes.values()))
        fails = trend.name in failing
        colour = style.RED if fails else style.ordered_colour(depths[trend.name])
        (line,) = ax.plot(x, y, color=colour, lw=1.8 if fails else 0.8, zorder=3 if fails else 2)
        tip(line, f"{trend.name}: slope {trend.slope:+.2f} ({trend.low:+.2f} … {trend.high:+.2f})")
        if fails:
            label = ax.annotate(truncated(trend.name), (x[-1], y[-1]), fontsize=6, ha="right")
            label.set_in_layout(False)
        ax.set_xticks(x, [str(width) for width in trend.sizes])
    ax.set_ylim(*limits)
    ax.set_title(title)
    ax.set_xlabel("width")
    ax.set_ylabel("log2 size")


# Table -------------------------------------------------------------------------------------------


def coordcheck_table(check: Check, kind: str) -> TextTable:
    """Return the slopes of one kind of size at the last step."""
    trends = [t for t in check.trends if t.kind == kind]
    last_step = max((t.step for t in trends), default=0)
    rows = [
        (ARM_LABELS[t.arm], t.name, f"{t.step}", *map(cell, (t.slope, t.low, t.high)), t.word)
        for t in trends
        if t.step == last_step
    ]
    columns = ("arm", "series", "step", "slope", "lower end", "upper end", "trend")
    return text_table("slopes against width", columns, rows)
