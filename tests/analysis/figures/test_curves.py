"""Loss against an HP: every value, minimum and divergence is in the data and in reach."""

from dataclasses import replace

import pandas as pd
import pytest

from mutransfer.analysis.figures.curves import CurveInfo, curve_info, curve_table
from mutransfer.analysis.verdict.evidence import Fits, fits_of
from tests.analysis import planted
from tests.analysis.collapsed_tables import stuck


def curves_of_lr(df: pd.DataFrame) -> CurveInfo:
    return curve_info(fits_of(df, planted.question(), "lr"), planted.question())


def test_the_curves_hold_each_width_and_the_target(fits: dict[str, Fits]) -> None:
    info = curve_info(fits["lr"], planted.question())
    mup, sp = info.panels
    assert [(s.axis_value, s.is_target) for s in mup.series] == [
        *((w, False) for w in planted.WIDTHS),
        (planted.TARGET, True),
    ]
    assert [s.axis_value for s in sp.series] == list(planted.WIDTHS)
    assert info.log2_transferred == pytest.approx(planted.LR_OPT, abs=1e-4)
    assert len(curve_info(fits["init_std"], planted.question()).panels) == 1


def test_all_minima_are_inside_the_loss_axis(fits: dict[str, Fits]) -> None:
    info = curve_info(fits["lr"], planted.question())
    low, high = info.loss_limits
    assert all(low < series.optimum.loss < high for series in info.all_series)


def test_a_steep_rise_does_not_stretch_the_loss_axis(study: pd.DataFrame) -> None:
    steep = study.copy()
    steep.loc[steep["hp.lr"] > 2**-4.5, "val_loss"] += 50.0
    assert curves_of_lr(steep).loss_limits[1] < 2.0


def test_walls_are_regions_not_points_and_rows_of_the_table() -> None:
    df = planted.table(planted.Law(diverged_from=-5.0))
    info = curves_of_lr(stuck(df, width=64, log2_lr_from=-6.0))
    free, series = info.panels[0].series[:2]
    assert free.nearest == (None, -5.0) and free.log2_x.max() == -6.0
    assert series.nearest == (None, -6.0) and series.log2_x.max() == -7.0
    rows = [row for row in curve_table(info).rows if row[:2] == ("μP", "64")]
    assert [(row[3], row[4], row[-1]) for row in rows[-3:]] == [
        ("-6", "1.315", "collapsed"),
        ("-5", "", "diverged"),
        ("-4", "", "diverged"),
    ]


def test_a_line_is_the_fitted_curve_on_its_window_and_the_means_off_it(
    fits: dict[str, Fits],
) -> None:
    fit = fits["lr"].ladder["mup", 64]
    x, losses = curve_info(fits["lr"], planted.question()).panels[0].series[1].curve
    inside = (x >= fit.values[0]) & (x <= fit.values[-1])
    assert losses[inside] == pytest.approx(fit.value(x[inside]))
    assert inside.sum() > 3 * len(fit.values)
    few = replace(fit, df=0.0)
    (series,) = curve_info(
        replace(fits["lr"], ladder={("mup", 64): few}, target=None), planted.question()
    ).all_series
    assert (series.curve == [series.log2_x, series.mean]).all()
