"""From drawn panels to files for paper and to pictures for the screen.

A plot is a row of panels and a legend. On paper they make one figure, as wide as a column or a
page of a paper. In the report each panel is a picture of its own, so that they stand side by
side on a desk and below one another on a phone; colours become CSS variables, points get words.
"""

import io
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from mutransfer.analysis.figures import style as palette
from mutransfer.analysis.fit.optimum import Optimum
from mutransfer.analysis.labels import power_of_two

COLUMN_IN, PAGE_IN = 3.25, 6.75  # one column and the whole width of a two-column page

SCREEN_IN = 3.1

KINDS: tuple[Literal["svg", "png", "pdf"], ...] = ("svg", "png", "pdf")

PNG_DPI = 300

_TIP = "tip-"

STYLE: Any = {
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "font.family": "DejaVu Sans",
    "text.color": palette.INK,
    "axes.edgecolor": palette.SOFT,
    "axes.labelcolor": palette.INK,
    "xtick.color": palette.SOFT,
    "ytick.color": palette.SOFT,
    "xtick.labelcolor": palette.INK,
    "ytick.labelcolor": palette.INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": palette.GRID,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.1,
    "lines.markersize": 4.0,
    "legend.frameon": False,
    "hatch.linewidth": 0.5,
    "text.parse_math": False,  # names of HPs are no formulas
    "svg.hashsalt": "mutransfer",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
}


class Panel(NamedTuple):
    """One pair of axes: what draws on it, and what it shows, for those who don't see it."""

    draw: Callable[[Axes], None]
    alt: str


class Plot(NamedTuple):
    """A figure before it is laid out.

    Attributes:
        panels: Panels in reading order.
        legend: Legend handles; empty: no legend.
        columns: Panels beside one another on paper.
        height: Height of a panel on paper, inches.
        on_screen: Panels of the report; None: all.
        legend_columns: Columns of the legend in the width of one column of a paper.
    """

    panels: Sequence[Panel]
    legend: Sequence[Artist] = ()
    columns: int = 2
    height: float = 2.1
    on_screen: Sequence[Panel] | None = None
    legend_columns: int = 2


def file_name(*words: str) -> str:
    """Return a file name without suffix, whatever HPs are called."""
    return re.sub(r"[^\w.+-]", "_", "_".join(words)).lstrip(".")


def files(plots: Mapping[str, Plot]) -> dict[str, bytes]:
    """Return each plot's files for paper by file name: SVG, PNG and PDF."""
    made: dict[str, bytes] = {}
    for name, plot in plots.items():
        figure = on_paper(plot)
        made |= {f"{name}.{kind}": render(figure, kind) for kind in KINDS}
    return made


def on_paper(plot: Plot) -> Figure:
    """Return the whole plot as one figure, a column or a page wide."""
    with mpl.rc_context(STYLE):
        columns = min(plot.columns, max(len(plot.panels), 1))
        rows = -(-len(plot.panels) // columns) or 1
        width = COLUMN_IN if columns == 1 else PAGE_IN
        n_legend = plot.legend_columns * (1 if columns == 1 else 2)
        lines = -(-len(plot.legend) // n_legend)
        size = (width, plot.height * rows + 0.16 * lines + 0.1)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for ax, panel in zip(axes, plot.panels, strict=False):
            panel.draw(ax)
        for ax in axes[len(plot.panels) :]:
            ax.set_visible(False)
        if plot.legend:
            figure.legend(
                handles=list(plot.legend),
                loc="outside lower center",
                ncols=n_legend,
                handlelength=2.4,
                columnspacing=1.2,
            )
        return _laid_out(figure)


def on_screen(name: str, plot: Plot) -> list[Markup]:
    """Return the panels, and the legend last, as SVG elements to stand in a page."""
    panels = plot.panels if plot.on_screen is None else plot.on_screen
    made = []
    with mpl.rc_context(STYLE):
        for i, panel in enumerate(panels):
            figure = Figure(figsize=(SCREEN_IN, 2.3), layout="constrained")
            panel.draw(figure.subplots())
            made.append(_inline(f"{name}-{i}", render(_laid_out(figure), "svg", True), panel.alt))
        if plot.legend:
            n_legend = plot.legend_columns
            rows = -(-len(plot.legend) // n_legend)
            figure = Figure(figsize=(SCREEN_IN, 0.17 * rows + 0.1))
            figure.legend(handles=list(plot.legend), loc="center", ncols=n_legend)
            svg = render(figure, "svg", True)
            made.append(_inline(f"{name}-legend", svg, "legend"))
    return made


def _laid_out(figure: Figure) -> Figure:
    """Fix the layout: solved anew at each rendering it would depend on the last one."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def render(figure: Figure, kind: Literal["svg", "png", "pdf"], transparent: bool = False) -> bytes:
    """Return the file content of a figure; equal figures give equal bytes."""
    out = io.BytesIO()
    dates: dict[str, Any] = {
        "svg": {"Date": None},
        "png": {"Software": None},
        "pdf": {"CreationDate": None},
    }
    with mpl.rc_context(STYLE):
        figure.savefig(out, format=kind, dpi=PNG_DPI, metadata=dates[kind], transparent=transparent)
    made = out.getvalue()
    return _with_titles(made.decode()).encode() if kind == "svg" else made


def tip(artist: Artist, text: str) -> Artist:
    """Let an artist say ``text`` to who points at it, in SVG."""
    artist.set_gid(_TIP + " ".join(text.split()).encode().hex())
    return artist


def points(
    ax: Axes, x: Iterable[float], y: Iterable[float], tips: Sequence[str], **style: Any
) -> None:
    """Draw markers, each with its tip; ``style`` as of ``Axes.plot``."""
    for px, py, text in zip(x, y, tips, strict=True):
        (line,) = ax.plot([px], [py], ls="", **style)
        tip(line, text)


def power_axis(ax: Axes, which: Literal["x", "y"] = "x", most: int = 7) -> None:
    """Label an axis of log2 values with powers of two."""
    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_major_locator(MaxNLocator(nbins=most, integer=True))
    axis.set_major_formatter(FuncFormatter(lambda value, _: power_of_two(value)))


def _with_titles(svg: str) -> str:
    """Tips as the titles of their groups, which every viewer of SVG shows."""
    return re.sub(rf'<g id="{_TIP}([0-9a-f]*)">', _titled, svg)


def _titled(found: re.Match[str]) -> str:
    text = Markup.escape(bytes.fromhex(found[1]).decode())
    return f'<g class="tip" role="img" aria-label="{text}"><title>{text}</title>'


def _inline(name: str, svg: bytes, alt: str) -> Markup:
    """The SVG element with ids of its own, colours as variables, and its words."""
    text = svg.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    mark = re.sub(r"\W", "-", name)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{mark}-", text)
    text = re.sub(r"#[0-9a-f]{6}\b", lambda found: palette.variable(found[0]), text)
    text = text.replace("font-family: 'DejaVu Sans'", "font-family: inherit")
    box = re.search(r'viewBox="[^"]*"', text)
    head = f'<svg {box[0] if box else ""} role="group" aria-label="{Markup.escape(alt)}"'
    head += ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns="http://www.w3.org/2000/svg">'
    return Markup(head + text[text.index(">") + 1 :])


def _interval(place: Optimum) -> str:
    """The optimum and its interval in words."""
    ends = ["open" if e is None else power_of_two(e) for e in (place.log2_low, place.log2_high)]
    return f"{power_of_two(place.log2_opt or 0.0)} (95 %: {ends[0]} … {ends[1]})"
