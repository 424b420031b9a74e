"""Walls: diverged and collapsed values are told apart, in data, drawing and legend."""

import pandas as pd
import pytest
from matplotlib.figure import Figure

from mutransfer.analysis.figures.curves import curve_info
from mutransfer.analysis.figures.walls import MARKERS, Wall, draw_walls, legend, walls_of
from mutransfer.analysis.table.slice import Slice
from mutransfer.analysis.verdict.evidence import fits_of
from tests.analysis import planted
from tests.analysis.collapsed_tables import stuck

DIVERGED = Wall(-5.0, "diverged", None)
COLLAPSED = Wall(-6.0, "collapsed", (1.3, 1.2, 1.4))


def slice_of_lr(df: pd.DataFrame, width: int) -> Slice:
    return fits_of(df, planted.question(), "lr").ladder["mup", width].slice


def test_the_walls_of_a_slice_have_their_kind_and_collapsed_ones_their_losses() -> None:
    df = planted.table(planted.Law(diverged_from={128: -5.0}))
    df = stuck(df, width=128, log2_lr_from=-6.0)
    collapsed, *diverged = walls_of(slice_of_lr(df, 128))
    assert (collapsed.log2_x, collapsed.kind) == (-6.0, "collapsed")
    assert collapsed.losses == pytest.approx((1.315, 1.31, 1.32))
    assert [(w.log2_x, w.kind, w.losses) for w in diverged] == [
        (x, "diverged", None) for x in (-5.0, -4.0)
    ]
    assert walls_of(slice_of_lr(df, 64)) == ()


def test_each_kind_has_a_marker_and_a_name_in_the_legend() -> None:
    handles = legend([COLLAPSED, DIVERGED, COLLAPSED])
    assert [h.get_label() for h in handles] == ["diverged", "collapsed"]
    assert len({h.get_marker() for h in handles}) == 2
    assert [h.get_label() for h in legend([COLLAPSED])] == ["collapsed"] and legend([]) == []


def test_a_strip_begins_at_the_nearest_wall_and_holds_the_markers_within_the_limits() -> None:
    ax = Figure().subplots()
    beyond = Wall(-2.0, "diverged", None)
    walls = (COLLAPSED, DIVERGED, beyond)
    draw_walls(ax, walls, (None, -6.0), (-12.0, -4.6), row=1, colour="#000000", name="width 64")
    (strip,) = ax.patches
    assert (strip.get_x(), strip.get_x() + strip.get_width()) == pytest.approx((-6.0, -4.6))
    marked = [line for line in ax.lines if line.get_marker() != "None"]
    marks = {line.get_xdata()[0]: line.get_marker() for line in marked}
    assert marks == {-6.0: MARKERS["collapsed"]["marker"], -5.0: MARKERS["diverged"]["marker"]}


def test_walls_on_both_sides_are_two_strips_that_leave_the_middle_free() -> None:
    ax = Figure().subplots()
    draw_walls(ax, (), (-10.0, -6.0), (-12.0, -4.0), row=0, colour="#000000", name="width 64")
    ends = sorted((p.get_x(), p.get_x() + p.get_width()) for p in ax.patches)
    assert ends == [(-12.0, -10.0), (-6.0, -4.0)]


def test_the_text_of_a_wall_says_what_became_of_it() -> None:
    assert COLLAPSED.text == "2⁻⁶: collapsed, loss 1.3 (runs 1.2 … 1.4)"
    assert DIVERGED.text == "2⁻⁵: diverged"


def test_collapsed_values_change_neither_the_loss_axis_nor_the_curve_of_the_others() -> None:
    plain = planted.table(planted.Law(diverged_from=-5.0))
    info, same = (
        curve_info(fits_of(df, planted.question(), "lr"), planted.question())
        for df in (stuck(plain, width=128, log2_lr_from=-6.0, loss=x) for x in (1.3, 50.0))
    )
    assert info.loss_limits == same.loss_limits and info.loss_limits[1] < 0.8
    for one, other in zip(info.all_series, same.all_series, strict=True):
        assert (one.curve == other.curve).all()
