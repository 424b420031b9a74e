"""The regret of the transferred and other values against the tolerance."""

import pytest

from mutransfer.analysis.figures.regret import regret_info, regret_table
from mutransfer.analysis.verdict.judge import Verdict
from tests.analysis import planted


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
