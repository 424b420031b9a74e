"""Figures: their data, and that each can be drawn, the same bytes every time."""

import re

import numpy as np
import pandas as pd
import pytest

from mutransfer.analysis.figures import canvas, figure_set, style
from mutransfer.analysis.figures import search as figures_search
from mutransfer.analysis.figures.curves import curve_info
from mutransfer.analysis.figures.drift import drift_info
from mutransfer.analysis.figures.figure_set import all_tables, figure_data
from mutransfer.analysis.figures.regret import regret_info
from mutransfer.analysis.figures.search import CELLS, heat_info, search_info, search_rows
from mutransfer.analysis.verdict.judge import Verdict, judge
from tests.analysis import planted

HPS = ("lr", "init_std")
NAMES = {f"{kind}_{hp}" for kind in ("loss", "drift", "regret") for hp in HPS}
NAMES |= {"search", "heatmap", "importance"}


def test_the_curves_hold_each_width_and_the_target(study: pd.DataFrame) -> None:
    info = curve_info(study, planted.question(), "lr")
    mup, sp = info.panels
    assert [(s.axis_value, s.is_target) for s in mup.series] == [
        *((w, False) for w in planted.WIDTHS),
        (planted.TARGET, True),
    ]
    assert [s.axis_value for s in sp.series] == list(planted.WIDTHS)
    assert info.log2_transferred == pytest.approx(planted.LR_OPT, abs=1e-4)
    assert len(curve_info(study, planted.question(), "init_std").panels) == 1


def test_all_minima_are_inside_the_loss_axis(study: pd.DataFrame) -> None:
    info = curve_info(study, planted.question(), "lr")
    low, high = info.loss_limits
    for panel in info.panels:
        for series in panel.series:
            assert low < series.place.loss < high
    cliff = study.copy()
    cliff.loc[cliff["hp.lr"] > 2**-4.5, "val_loss"] += 50.0
    assert curve_info(cliff, planted.question(), "lr").loss_limits[1] < 2.0


def test_diverged_values_are_walls_not_points() -> None:
    df = planted.table(planted.Law(diverged_from=-5.0))
    series = curve_info(df, planted.question(), "lr").panels[0].series[0]
    assert series.log2_first_diverged == -5.0
    assert series.log2_x.max() < -5.0


def test_drift_and_search_data(study: pd.DataFrame, verdict: Verdict) -> None:
    info = drift_info(verdict.of_hp("lr"))
    assert [line.arm for line in info.lines] == ["mup", "sp"]
    assert info.target.axis_value == planted.TARGET
    assert len(drift_info(verdict.of_hp("init_std")).lines) == 1
    search = search_info(search_rows(study, "width", 64))
    assert [p.hp for p in search.panels] == ["lr", "init_std"]
    assert all(len(p.loss) == 12 for p in search.panels)
    assert all(np.isfinite(p.loss).all() for p in search.panels)


def test_every_figure_renders(drawn: dict[str, bytes]) -> None:
    assert {name.rpartition(".")[0] for name in drawn} == NAMES
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    assert len(drawn) == len(starts) * len(NAMES)
    for name, content in drawn.items():
        assert content.startswith(starts[name.rpartition(".")[2]])
    assert "learning rate (base)" in drawn["loss_lr.svg"].decode()


def test_the_same_figure_is_the_same_bytes(
    study: pd.DataFrame, verdict: Verdict, drawn: dict[str, bytes]
) -> None:
    data = figure_data(study, planted.question(), verdict)
    again = canvas.on_paper(figure_set.all_figures(data)["drift_lr"])
    for kind in canvas.KINDS:
        assert canvas.render(again, kind) == drawn[f"drift_lr.{kind}"]


LOSSES = {
    "nothing": set(),
    "diverged": {"loss_lr", "loss_init_std"},
    "one_value": {"loss_lr", "loss_init_std"},
}


@pytest.mark.parametrize("keep", ["nothing", "diverged", "one_value"])
def test_poor_tables_can_be_drawn(study: pd.DataFrame, keep: str) -> None:
    lone = (study["hp.lr"] == study["hp.lr"].iloc[20]) & (study["asked_by"] != "search")
    df = {
        "nothing": study[:0],
        "diverged": study.assign(status="diverged", val_loss=np.nan),
        "one_value": study[lone],
    }[keep]
    asked = planted.question()
    found = figure_set.all_figures(figure_data(df, asked, judge(df, asked)))
    assert {n for n in found if n.startswith("loss")} == LOSSES[keep]
    for name in sorted(found)[:2]:
        assert b"</svg>" in canvas.render(canvas.on_paper(found[name]), "svg")
        assert all("</svg>" in picture for picture in canvas.on_screen(name, found[name]))


def test_a_figure_on_paper_is_as_wide_as_a_column_or_a_page(drawn: dict[str, bytes]) -> None:
    for name in NAMES:
        svg = drawn[f"{name}.svg"].decode()
        width_pt = float(re.search(r'<svg[^>]* width="([0-9.]+)pt"', svg)[1])
        assert width_pt / 72 in (pytest.approx(3.25), pytest.approx(6.75))
        assert b"/FontFile2" in drawn[f"{name}.pdf"]  # TrueType, embedded: text stays text
        assert b"/Type3" not in drawn[f"{name}.pdf"]


def test_series_differ_by_more_than_colour_and_widths_stay_in_order_in_grey() -> None:
    widths = [16, 32, 64, 128, 256]
    greys = [_grey(style.of_width(w, widths)) for w in widths]
    assert greys == sorted(greys) and min(np.diff(greys)) > 0.08
    assert len({style.marker_of(w, widths) for w in widths}) == len(widths)
    mup, sp = style.ARMS["mup"], style.ARMS["sp"]
    assert mup.marker != sp.marker and mup.dashes != sp.dashes


def _grey(colour: str) -> float:
    """Relative luminance, as of WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722])) ** 0.5


def test_ink_and_lines_can_be_told_from_the_page_in_light_and_dark() -> None:
    """Contrast of 4.5 for text, and of 1.5 for every width of a ladder, which has a marker too."""

    def contrast(colour: str, page: str) -> float:
        low, high = sorted((_grey(colour) ** 2, _grey(page) ** 2))
        return (high + 0.05) / (low + 0.05)

    pages = (lambda c: c, style.PAPER), (style.DARK.__getitem__, style.DARK[style.PAPER])
    for shown, page in pages:
        for text in (style.INK, style.SOFT, style.RED):
            assert contrast(shown(text), page) > 4.5
        assert min(contrast(shown(style.ordered(p / 4)), page) for p in range(5)) > 1.5
        assert contrast(shown(style.GRID), page) < 2


def test_a_heat_map_shows_losses_that_were_measured_and_no_others(study: pd.DataFrame) -> None:
    (pair,) = heat_info(search_rows(study, "width", 64)).pairs
    assert pair.cells.shape == (CELLS, CELLS)
    assert set(pair.cells.ravel()) <= set(pair.loss)
    dead = study.copy()
    dead.loc[(dead["asked_by"] == "search") & (dead["hp.lr"] > 2**-8), "status"] = "diverged"
    (pair,) = heat_info(search_rows(dead, "width", 64)).pairs
    left, right, _, _ = pair.extent
    places = left + (np.arange(CELLS) + 0.5) / CELLS * (right - left)
    assert np.isnan(pair.cells[:, places > -6.8]).all() and not np.isnan(pair.cells).all()


def test_the_regret_figure_holds_the_tolerance_and_the_values(verdict: Verdict) -> None:
    info = regret_info(verdict.of_hp("lr"), planted.question())
    assert info.tolerance_percent == pytest.approx(1.0)
    first, *others = info.lines
    assert first.label == "transferred" and first.percent[2] < 1.0
    assert {"one octave lower", "one octave higher"} <= {line.label for line in others}
    assert all(line.percent is None or line.percent[0] > first.percent[0] for line in others)


def test_the_table_of_each_figure_has_its_numbers(study: pd.DataFrame, verdict: Verdict) -> None:
    data = figure_data(study, planted.question(), verdict)
    tables = all_tables(data)
    assert set(tables) == NAMES
    for table in tables.values():
        assert table.rows and all(len(row) == len(table.columns) for row in table.rows)
    series = data.curves[0].panels[0].series[0]
    means = [row[4] for row in tables["loss_lr"].rows if row[:2] == ("μP", str(series.axis_value))]
    assert means == [f"{m:.6g}" for m in series.mean]


def test_names_of_hps_are_neither_paths_nor_formulas(study: pd.DataFrame) -> None:
    assert canvas.file_name("loss", "../../etc/x y") == "loss_.._.._etc_x_y"
    name = "a_$b$ <i>&\"'</i>"
    df = study.rename(columns={"hp.lr": f"hp.{name}"})
    svg = canvas.render(
        canvas.on_paper(figures_search.search_plot(search_info(search_rows(df, "width", 64)))),
        "svg",
    ).decode()
    assert "<i>" not in svg and "a_$b$ &lt;i&gt;" in svg
