"""Figures: their data, and that each can be drawn, the same bytes every time."""

import numpy as np
import pandas as pd
import pytest

from analysis import figures
from analysis.figure_data import curve_info, drift_info, figure_data, search_info
from analysis.verdict import Verdict, judge
from tests.analysis import planted

NAMES = {"loss_lr", "loss_init_std", "drift_lr", "drift_init_std", "search"}


def test_the_curves_hold_each_width_and_the_target(study: pd.DataFrame) -> None:
    info = curve_info(study, planted.question(), "lr")
    mup, sp = info.panels
    assert [(s.width, s.is_target) for s in mup.series] == [
        *((w, False) for w in planted.WIDTHS),
        (planted.TARGET, True),
    ]
    assert [s.width for s in sp.series] == list(planted.WIDTHS)
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
    assert info.target.width == planted.TARGET
    assert len(drift_info(verdict.of_hp("init_std")).lines) == 1
    search = search_info(study, planted.question())
    assert [p.hp for p in search.panels] == ["lr", "init_std"]
    assert all(len(p.loss) == 12 for p in search.panels)
    assert all(np.isfinite(p.loss).all() for p in search.panels)


def test_every_figure_renders(drawn: dict[str, bytes]) -> None:
    assert {name.rpartition(".")[0] for name in drawn} == NAMES
    assert len(drawn) == 2 * len(NAMES)
    for name, content in drawn.items():
        assert content.startswith(b"\x89PNG" if name.endswith(".png") else b"<?xml")
    assert "learning rate (base)" in drawn["loss_lr.svg"].decode()


def test_the_same_figure_is_the_same_bytes(
    study: pd.DataFrame, verdict: Verdict, drawn: dict[str, bytes]
) -> None:
    data = figure_data(study, planted.question(), verdict)
    again = figures.all_figures(data)["drift_lr"]
    assert figures.render(again, "svg") == drawn["drift_lr.svg"]
    assert figures.render(again, "png") == drawn["drift_lr.png"]


@pytest.mark.parametrize("keep", ["nothing", "diverged", "one_value"])
def test_poor_tables_can_be_drawn(study: pd.DataFrame, keep: str) -> None:
    lone = (study["hp.lr"] == study["hp.lr"].iloc[20]) & (study["asked_by"] != "search")
    df = {
        "nothing": study[:0],
        "diverged": study.assign(status="diverged", val_loss=np.nan),
        "one_value": study[lone],
    }[keep]
    asked = planted.question()
    found = figures.all_figures(figure_data(df, asked, judge(df, asked)))
    for name in ("loss_lr", "loss_init_std"):
        assert b"</svg>" in figures.render(found[name], "svg")
