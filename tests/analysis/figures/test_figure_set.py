"""All figures of a study: each can be drawn, with the same bytes every time, and has a table."""

import numpy as np
import pandas as pd
import pytest

from mutransfer.analysis.figures import canvas
from mutransfer.analysis.figures.figure_set import all_figures, all_tables, figure_data
from mutransfer.analysis.verdict.evidence import Fits, gather
from mutransfer.analysis.verdict.judge import Verdict, judge
from tests.analysis import planted

HPS = ("lr", "init_std")
NAMES = {f"{kind}_{hp}" for kind in ("loss", "drift", "regret") for hp in HPS}
NAMES |= {"search", "heatmap", "importance"}


def test_every_figure_renders(figure_files: dict[str, bytes]) -> None:
    assert {name.rpartition(".")[0] for name in figure_files} == NAMES
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}
    assert len(figure_files) == len(starts) * len(NAMES)
    for name, content in figure_files.items():
        assert content.startswith(starts[name.rpartition(".")[2]])
    assert "learning rate (base)" in figure_files["loss_lr.svg"].decode()


def test_the_same_figure_is_the_same_bytes(
    study: pd.DataFrame, verdict: Verdict, fits: dict[str, Fits], figure_files: dict[str, bytes]
) -> None:
    data = figure_data(study, planted.question(), verdict, fits)
    again = canvas.on_paper(all_figures(data)["drift_lr"])
    for kind in canvas.FILE_FORMATS:
        assert canvas.render(again, kind) == figure_files[f"drift_lr.{kind}"]


LOSS_FIGURES = {
    "nothing": set(),
    "diverged": {"loss_lr", "loss_init_std"},
    "one_value": {"loss_lr", "loss_init_std"},
}


@pytest.mark.parametrize("keep", ["nothing", "diverged", "one_value"])
def test_poor_tables_can_be_drawn(study: pd.DataFrame, keep: str) -> None:
    single = (study["hp.lr"] == study["hp.lr"].iloc[20]) & (study["asked_by"] != "search")
    df = {
        "nothing": study[:0],
        "diverged": study.assign(status="diverged", val_loss=np.nan),
        "one_value": study[single],
    }[keep]
    question = planted.question()
    plots = all_figures(figure_data(df, question, judge(df, question), gather(df, question)))
    assert {n for n in plots if n.startswith("loss")} == LOSS_FIGURES[keep]
    for name in sorted(plots)[:2]:
        assert b"</svg>" in canvas.render(canvas.on_paper(plots[name]), "svg")
        assert all("</svg>" in picture for picture in canvas.on_screen(name, plots[name]))


def test_the_table_of_each_figure_has_its_numbers(
    study: pd.DataFrame, verdict: Verdict, fits: dict[str, Fits]
) -> None:
    data = figure_data(study, planted.question(), verdict, fits)
    tables = all_tables(data)
    assert set(tables) == NAMES
    for table in tables.values():
        assert table.rows and all(len(row) == len(table.columns) for row in table.rows)
    series = data.curves[0].panels[0].series[0]
    means = [row[4] for row in tables["loss_lr"].rows if row[:2] == ("μP", str(series.axis_value))]
    assert means == [f"{m:.6g}" for m in series.mean]
