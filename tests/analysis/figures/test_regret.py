"""The regret of the transferred and other values against the tolerance."""

import math

import pandas as pd
import pytest
from matplotlib.figure import Figure

from mutransfer.analysis.figures.regret import regret_info, regret_plot, regret_table
from mutransfer.analysis.verdict.evidence import fits_of
from mutransfer.analysis.verdict.hp import judge_hp
from mutransfer.analysis.verdict.judge import Verdict
from tests.analysis import planted
from tests.analysis.collapsed_tables import stuck


def test_the_transferred_value_comes_first_with_the_smallest_regret(verdict: Verdict) -> None:
    info = regret_info(verdict.of_hp("lr"), planted.question())
    assert info.tolerance_percent == pytest.approx(1.0)
    first, *others = info.lines
    assert first.label == "transferred" and first.percent[2] < 1.0
    assert {"one octave lower", "one octave higher"} <= {line.label for line in others}
    assert all(line.percent is None or line.percent[0] > first.percent[0] for line in others)


def test_the_table_ends_with_the_tolerance(verdict: Verdict) -> None:
    table = regret_table(regret_info(verdict.of_hp("lr"), planted.question()))
    assert table.rows[0][0] == "transferred"
    assert table.rows[-1][:3] == ("tolerance", "", "1")


def test_a_value_that_failed_is_named_by_how_it_failed(study: pd.DataFrame) -> None:
    question = planted.question()
    by_divergence = planted.table(planted.Law(diverged_from={planted.TARGET: -7.0}))
    collapsed = stuck(study, width=planted.TARGET, log2_lr_from=-7.0)
    for df, kind in ((by_divergence, "diverged"), (collapsed, "collapsed")):
        info = regret_info(judge_hp(fits_of(df, question, "lr"), question), question)
        higher = next(line for line in info.lines if line.label == "one octave higher")
        assert higher.percent is None and f"the value above it {kind}" in higher.note
        ax = Figure().subplots()
        regret_plot(info).panels[0].draw(ax)
        assert f"next value {kind}" in [text.get_text() for text in ax.texts]


@pytest.mark.parametrize("upper", [0.8, math.inf])
def test_a_value_is_drawn_whatever_bounds_it(verdict: Verdict, upper: float) -> None:
    """Runs that say nothing against any regret bound it by nothing: the axis ends all the same."""
    info = regret_info(verdict.of_hp("lr"), planted.question())
    first = info.lines[0]._replace(percent=(0.3, 0.0, upper))
    info = info._replace(lines=(first, *info.lines[1:]))
    ax = Figure().subplots()
    regret_plot(info).panels[0].draw(ax)
    assert 0.3 < ax.get_xlim()[1] < 100
    assert regret_table(info).rows[0][4] == ("open" if upper > 1 else "0.8")
