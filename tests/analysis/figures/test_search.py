"""The figures of the search: trials against each HP, and maps of pairs."""

import numpy as np
import pandas as pd

from mutransfer.analysis.figures import canvas
from mutransfer.analysis.figures.search import (
    MAP_SIDE,
    heat_info,
    search_info,
    search_plot,
    search_rows,
)


def test_every_varied_hp_has_a_panel_with_all_trials(study: pd.DataFrame) -> None:
    info = search_info(search_rows(study, "width", 64))
    assert [p.hp for p in info.panels] == ["lr", "init_std"]
    assert all(len(p.loss) == 12 for p in info.panels)
    assert all(np.isfinite(p.loss).all() for p in info.panels)


def test_a_map_shows_measured_losses_only(study: pd.DataFrame) -> None:
    (pair,) = heat_info(search_rows(study, "width", 64)).pairs
    assert pair.cells.shape == (MAP_SIDE, MAP_SIDE)
    assert set(pair.cells.ravel()) <= set(pair.loss)
    diverged = study.copy()
    diverged.loc[(diverged["asked_by"] == "search") & (diverged["hp.lr"] > 2**-8), "status"] = (
        "diverged"
    )
    (pair,) = heat_info(search_rows(diverged, "width", 64)).pairs
    left, right, _, _ = pair.extent
    centers = left + (np.arange(MAP_SIDE) + 0.5) / MAP_SIDE * (right - left)
    assert np.isnan(pair.cells[:, centers > -6.8]).all() and not np.isnan(pair.cells).all()


def test_names_of_hps_are_neither_markup_nor_formulas(study: pd.DataFrame) -> None:
    name = "a_$b$ <i>&\"'</i>"
    df = study.rename(columns={"hp.lr": f"hp.{name}"})
    plot = search_plot(search_info(search_rows(df, "width", 64)))
    svg = canvas.render(canvas.on_paper(plot), "svg").decode()
    assert "<i>" not in svg and "a_$b$ &lt;i&gt;" in svg
