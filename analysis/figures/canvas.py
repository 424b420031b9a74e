"""From drawn panels to files for paper and to pictures for the screen.

A plot is a row of panels and a legend. On paper they form one figure that is as wide as a column
or a page of a paper. In the report each panel is a separate picture, so that panels stand side by
side on a wide screen and below one another on a phone; colours become CSS variables and points
have tooltips.
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

from mutransfer.analysis.figures import style
from mutransfer.analysis.labels import power_of_two

FileFormat = Literal["svg", "png", "pdf"]

FILE_FORMATS: tuple[FileFormat, ...] = ("svg", "png", "pdf")
COLUMN_IN, PAGE_IN = 3.25, 6.75  # one column and the full width of a two-column page
SCREEN_IN = 3.1
PNG_DPI = 300
RC_PARAMS: Any = {
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "font.family": "DejaVu Sans",
    "text.color": style.INK,
    "axes.edgecolor": style.SOFT,
    "axes.labelcolor": style.INK,
    "xtick.color": style.SOFT,
    "ytick.color": style.SOFT,
    "xtick.labelcolor": style.INK,
    "ytick.labelcolor": style.INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": style.GRID,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.1,
    "lines.markersize": 4.0,
    "legend.frameon": False,
    "hatch.linewidth": 0.5,
    "text.parse_math": False,  # names of HPs are not formulas
    "svg.hashsalt": "mutransfer",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
}
# Marks groups whose id carries a tooltip, hex-encoded: matplotlib writes no <title>.
TIP_ID_PREFIX = "tip-"


class Panel(NamedTuple):
    """One pair of axes: the function that draws on it, and its text alternative."""

    draw: Callable[[Axes], None]
    alt: str


class Plot(NamedTuple):
    """A figure before layout.

    Attributes:
        panels: Panels in reading order.
        legend: Legend handles; empty: no legend.
        columns: Panels side by side on paper.
        height: Height of a panel on paper, inches.
        on_screen: Panels of the report; None: all.
        legend_columns: Columns of the legend in one column of a paper.
    """

    panels: Sequence[Panel]
    legend: Sequence[Artist] = ()
    columns: int = 2
    height: float = 2.1
    on_screen: Sequence[Panel] | None = None
    legend_columns: int = 2


# For the functions that draw ---------------------------------------------------------------------


def tip(artist: Artist, text: str) -> Artist:
    """Give an artist a tooltip, shown in SVG, and return the artist."""
    artist.set_gid(TIP_ID_PREFIX + " ".join(text.split()).encode().hex())
    return artist


def points(
    ax: Axes, x: Iterable[float], y: Iterable[float], tips: Sequence[str], **options: Any
) -> None:
    """Draw markers, each with its tooltip; ``options`` as of ``Axes.plot``."""
    for px, py, text in zip(x, y, tips, strict=True):
        (line,) = ax.plot([px], [py], ls="", **options)
        tip(line, text)


def power_axis(ax: Axes, which: Literal["x", "y"] = "x", max_ticks: int = 7) -> None:
    """Label an axis of log2 values with powers of two."""
    axis = ax.xaxis if which == "x" else ax.yaxis
    axis.set_major_locator(MaxNLocator(nbins=max_ticks, integer=True))
    axis.set_major_formatter(FuncFormatter(lambda value, _: power_of_two(value)))


# Files -------------------------------------------------------------------------------------------


def file_name(*words: str) -> str:
    """Return a file name without suffix that is safe whatever an HP is called."""
    return re.sub(r"[^\w.+-]", "_", "_".join(words)).lstrip(".")


def files(plots: Mapping[str, Plot]) -> dict[str, bytes]:
    """Return each plot as SVG, PNG and PDF for paper, by file name."""
    contents: dict[str, bytes] = {}
    for name, plot in plots.items():
        figure = on_paper(plot)
        contents |= {f"{name}.{kind}": render(figure, kind) for kind in FILE_FORMATS}
    return contents


def on_paper(plot: Plot) -> Figure:
    """Return the complete plot as one figure, a column or a page wide."""
    with mpl.rc_context(RC_PARAMS):
        columns = min(plot.columns, max(len(plot.panels), 1))
        rows = -(-len(plot.panels) // columns) or 1
        width = COLUMN_IN if columns == 1 else PAGE_IN
        legend_columns = plot.legend_columns * (1 if columns == 1 else 2)
        legend_rows = -(-len(plot.legend) // legend_columns)
        size = (width, plot.height * rows + 0.16 * legend_rows + 0.1)
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
                ncols=legend_columns,
                handlelength=2.4,
                columnspacing=1.2,
            )
        return _with_fixed_layout(figure)


def _with_fixed_layout(figure: Figure) -> Figure:
    """Solve the layout once: solved at each rendering it would depend on the previous one."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


def render(figure: Figure, kind: FileFormat, transparent: bool = False) -> bytes:
    """Return the file content of a figure; equal figures give equal bytes."""
    buffer = io.BytesIO()
    metadata: dict[str, Any] = {
        "svg": {"Date": None},
        "png": {"Software": None},
        "pdf": {"CreationDate": None},
    }
    with mpl.rc_context(RC_PARAMS):
        figure.savefig(
            buffer, format=kind, dpi=PNG_DPI, metadata=metadata[kind], transparent=transparent
        )
    content = buffer.getvalue()
    return _with_titles(content.decode()).encode() if kind == "svg" else content


def _with_titles(svg: str) -> str:
    """The SVG with tooltips as the titles of their groups, which every viewer shows."""
    return re.sub(rf'<g id="{TIP_ID_PREFIX}([0-9a-f]*)">', _titled, svg)


def _titled(match: re.Match[str]) -> str:
    text = Markup.escape(bytes.fromhex(match[1]).decode())
    return f'<g class="tip" role="img" aria-label="{text}"><title>{text}</title>'


# Pictures of the report --------------------------------------------------------------------------


def on_screen(name: str, plot: Plot) -> list[Markup]:
    """Return the panels, and the legend last, as SVG elements for a page."""
    panels = plot.panels if plot.on_screen is None else plot.on_screen
    pictures = []
    with mpl.rc_context(RC_PARAMS):
        for i, panel in enumerate(panels):
            figure = Figure(figsize=(SCREEN_IN, 2.3), layout="constrained")
            panel.draw(figure.subplots())
            svg = render(_with_fixed_layout(figure), "svg", True)
            pictures.append(_inline(f"{name}-{i}", svg, panel.alt))
        if plot.legend:
            legend_rows = -(-len(plot.legend) // plot.legend_columns)
            figure = Figure(figsize=(SCREEN_IN, 0.17 * legend_rows + 0.1))
            figure.legend(handles=list(plot.legend), loc="center", ncols=plot.legend_columns)
            pictures.append(_inline(f"{name}-legend", render(figure, "svg", True), "legend"))
    return pictures


def _inline(name: str, svg: bytes, alt: str) -> Markup:
    """The SVG element with unique ids, colours as variables, and a text alternative."""
    text = svg.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    prefix = re.sub(r"\W", "-", name)
    text = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", text)
    text = re.sub(r"#[0-9a-f]{6}\b", lambda match: style.css_colour(match[0]), text)
    text = text.replace("font-family: 'DejaVu Sans'", "font-family: inherit")
    view_box = re.search(r'viewBox="[^"]*"', text)
    head = f'<svg {view_box[0] if view_box else ""} role="group" aria-label="{Markup.escape(alt)}"'
    head += ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns="http://www.w3.org/2000/svg">'
    return Markup(head + text[text.index(">") + 1 :])
