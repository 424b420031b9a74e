"""From plots to files and pictures: sizes, fonts, names, tooltips."""

import re

import pytest
from matplotlib.axes import Axes

from mutransfer.analysis.figures import canvas
from mutransfer.analysis.figures.canvas import Panel, Plot


def _draw(ax: Axes) -> None:
    canvas.points(ax, [1.0, 2.0], [3.0, 4.0], ["first <point>", "second"], marker="o")


def test_a_figure_on_paper_is_as_wide_as_a_column_or_a_page(figure_files: dict[str, bytes]) -> None:
    for name, content in figure_files.items():
        if name.endswith(".svg"):
            width_pt = float(re.search(r'<svg[^>]* width="([0-9.]+)pt"', content.decode())[1])
            assert width_pt / 72 in (pytest.approx(3.25), pytest.approx(6.75))


def test_the_text_of_a_pdf_stays_text(figure_files: dict[str, bytes]) -> None:
    """TrueType, embedded: no Type 3 fonts, which some journals refuse."""
    for name, content in figure_files.items():
        if name.endswith(".pdf"):
            assert b"/FontFile2" in content and b"/Type3" not in content


def test_tooltips_are_titles_and_escaped() -> None:
    plot = Plot([Panel(_draw, 'an "alt"')])
    svg = canvas.render(canvas.on_paper(plot), "svg").decode()
    assert "<title>first &lt;point&gt;</title>" in svg
    (picture,) = canvas.on_screen("x", plot)
    assert 'aria-label="second"' in picture and 'aria-label="an &#34;alt&#34;"' in picture


def test_the_names_of_hps_are_no_paths() -> None:
    assert canvas.file_name("loss", "../../etc/x y") == "loss_.._.._etc_x_y"
