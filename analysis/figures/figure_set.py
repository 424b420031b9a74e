"""All figures of a study: their data, their plots and their tables."""

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from mutransfer.analysis.figures.canvas import Plot, file_name
from mutransfer.analysis.figures.curves import (
    CurveInfo,
    curve_info,
    curve_plot,
    curve_table,
    has_points,
)
from mutransfer.analysis.figures.drift import (
    DriftInfo,
    drift_info,
    drift_plot,
    drift_table,
)
from mutransfer.analysis.figures.importance import (
    Importance,
    importance,
    importance_plot,
    importance_table,
)
from mutransfer.analysis.figures.regret import RegretInfo, regret_info, regret_plot, regret_table
from mutransfer.analysis.figures.search import (
    HeatInfo,
    SearchInfo,
    heat_info,
    heat_plot,
    heat_table,
    search_info,
    search_plot,
    search_rows,
    search_table,
)
from mutransfer.analysis.text_table import TextTable
from mutransfer.analysis.verdict.evidence import Fits
from mutransfer.analysis.verdict.judge import Verdict
from mutransfer.analysis.verdict.question import TransferQuestion
from mutransfer.words import Axis


class FigureData(NamedTuple):
    """The data of all figures of a study; empty where there are no results yet."""

    curves: tuple[CurveInfo, ...]
    drifts: tuple[DriftInfo, ...]
    regrets: tuple[RegretInfo, ...]
    search: SearchInfo
    heat: HeatInfo
    importance: Importance


def figure_data(
    df: pd.DataFrame,
    question: TransferQuestion | None,
    verdict: Verdict | None,
    fits: Mapping[str, Fits],
    search_at: int | None = None,
    axis: Axis = "width",
) -> FigureData:
    """Return the data of all figures.

    Args:
        df: A validated table.
        question: The question that was judged; None until the search has finished.
        verdict: The verdict; None without a question.
        fits: The fitted slices that the verdict rests on, by HP (`verdict.evidence.gather`); empty
            without a question.
        search_at: Axis value of the search; needed without a question only.
        axis: The study's axis.

    Raises:
        KeyError: ``fits`` lacks an HP of the question.
    """
    axis_value = question.search_at if question else search_at or 0
    rows = search_rows(df, axis, axis_value)
    ranked = importance(rows)
    entries = verdict.hps if verdict else ()
    return FigureData(
        curves=tuple(curve_info(fits[hp], question) for hp in question.parameters)
        if question
        else (),
        drifts=tuple(
            drift_info(
                entry,
                axis,
                (question.control if question else None) or "sp",
                question.rule if question else None,
            )
            for entry in entries
        ),
        regrets=tuple(regret_info(entry, question) for entry in entries) if question else (),
        search=search_info(rows),
        heat=heat_info(rows, ranked.order),
        importance=ranked,
    )


def all_figures(data: FigureData) -> dict[str, Plot]:
    """Return the plots that have data, by file name without suffix."""
    plots = {file_name("loss", i.hp): curve_plot(i) for i in data.curves if has_points(i)}
    plots |= {file_name("drift", info.hp): drift_plot(info) for info in data.drifts if info.lines}
    plots |= {
        file_name("regret", info.hp): regret_plot(info)
        for info in data.regrets
        if any(line.percent for line in info.lines)
    }
    if data.search.panels:
        plots["search"] = search_plot(data.search)
    if data.heat.pairs:
        plots["heatmap"] = heat_plot(data.heat)
    if data.importance.shares:
        plots["importance"] = importance_plot(data.importance)
    return plots


def all_tables(data: FigureData) -> dict[str, TextTable]:
    """Return the table of each figure by the figure's name."""
    tables = {file_name("loss", info.hp): curve_table(info) for info in data.curves}
    tables |= {file_name("drift", info.hp): drift_table(info) for info in data.drifts}
    tables |= {file_name("regret", info.hp): regret_table(info) for info in data.regrets}
    return tables | {
        "search": search_table(data.search),
        "heatmap": heat_table(data.heat),
        "importance": importance_table(data.importance),
    }
