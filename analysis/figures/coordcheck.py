"""The figures of a coordinate check: size against width at each step, SP beside μP."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from mutransfer.analysis.figures import style
from mutransfer.analysis.figures.canvas import Panel, Plot, tip
from mutransfer.analysis.labels import ARM_LABELS, short
from mutransfer.analysis.text_table import TextTable, _cell, _table
from mutransfer.analysis.verdict.coordcheck import Check, Trend

KINDS = {
    "change": "RMS of its change since initialization",
    "update": "Spectral size of a weight's update",
}

ARMS = ("sp", "mup")


def all_figures(check: Check) -> dict[str, Plot]:
    """Return one plot a kind of size that was measured, by file name without suffix."""
    measured = {t.kind for t in check.trends}
    return {f"coordcheck_{kind}": plot(check, kind) for kind in KINDS if kind in measured}


def plot(check: Check, kind: str) -> Plot:
    """Return a row for SP and one for μP, a column a step; what fails is red and named.

    On the screen the last step stands for all.
    """
    trends = [t for t in check.trends if t.kind == kind]
    steps = sorted({t.step for t in trends})
    failed = {f.trend.name for f in check.findings if f.trend.kind == kind}
    sizes = np.log2([size for t in trends for size in t.sizes.values() if size > 0] or [1.0])
    limits = (float(sizes.min()) - 0.5, float(sizes.max()) + 0.5)
    panels = {
        (arm, step): Panel(
            partial(
                _draw,
                trends=[t for t in trends if t.arm == arm and t.step == step],
                failed=failed if arm == "mup" else set(),
                limits=limits,
                title=f"{ARM_LABELS[arm]}, step {step}",
            ),
            f"{ARM_LABELS[arm]}, step {step}: {KINDS[kind]} against width",
        )
        for arm in ARMS
        for step in steps
    }
    legend = [
        Line2D([], [], color=style.ordered(0.0), lw=0.8, label="first in the model"),
        Line2D([], [], color=style.ordered(1.0), lw=0.8, label="last in the model"),
    ]
    if failed:
        legend.append(Line2D([], [], color=style.RED, lw=2, label="fails"))
    return Plot(
        list(panels.values()),
        legend,
        columns=max(len(steps), 1),
        height=1.7,
        on_screen=[panels[arm, steps[-1]] for arm in ARMS] if steps else [],
    )


def _draw(
    ax: Axes,
    *,
    trends: Sequence[Trend],
    failed: set[str],
    limits: tuple[float, float],
    title: str,
) -> None:
    places = {t.name: i / max(len(trends) - 1, 1) for i, t in enumerate(trends)}
    for trend in trends:
        if not trend.sizes:
            continue
        # Linear axes of logarithms: axes in powers of two take ten times as long to draw.
        x, y = np.log2(list(trend.sizes)), np.log2(list(trend.sizes.values()))
        fails = trend.name in failed
        colour = style.RED if fails else style.ordered(places[trend.name])
        (line,) = ax.plot(x, y, color=colour, lw=1.8 if fails else 0.8, zorder=3 if fails else 2)
        tip(line, f"{trend.name}: slope {trend.slope:+.2f} ({trend.low:+.2f} … {trend.high:+.2f})")
        if fails:
            told = ax.annotate(short(trend.name), (x[-1], y[-1]), fontsize=6, ha="right")
            told.set_in_layout(False)
        ax.set_xticks(x, [str(width) for width in trend.sizes])
    ax.set_ylim(*limits)
    ax.set_title(title)
    ax.set_xlabel("width")
    ax.set_ylabel("log2 size")


def coordinate_table(check: Check, kind: str) -> TextTable:
    """Return the slopes of one kind of size at the last step."""
    trends = [t for t in check.trends if t.kind == kind]
    last = max((t.step for t in trends), default=0)
    rows = [
        (ARM_LABELS[t.arm], t.name, f"{t.step}", *map(_cell, (t.slope, t.low, t.high)), t.word)
        for t in trends
        if t.step == last
    ]
    columns = ("arm", "series", "step", "slope", "lower end", "upper end", "word")
    return _table("slopes against width", columns, rows)
