"""Loss against an HP: every value, minimum and divergence is in the data and in reach."""

import pandas as pd
import pytest

from mutransfer.analysis.figures.curves import CurveInfo, curve_info
from mutransfer.analysis.verdict.evidence import Fits, fits_of
from tests.analysis import planted


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


def test_a_cliff_does_not_stretch_the_loss_axis(study: pd.DataFrame) -> None:
    cliff = study.copy()
    cliff.loc[cliff["hp.lr"] > 2**-4.5, "val_loss"] += 50.0
    assert curves_of_lr(cliff).loss_limits[1] < 2.0


def test_diverged_values_are_regions_not_points() -> None:
    df = planted.table(planted.Law(diverged_from=-5.0))
    series = curves_of_lr(df).panels[0].series[0]
    assert series.log2_first_diverged == -5.0
    assert series.log2_x.max() < -5.0
