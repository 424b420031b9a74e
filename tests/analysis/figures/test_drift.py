"""The optimum along the axis: one line per arm, the target apart."""

from mutransfer.analysis.figures.drift import drift_info, drift_plot, drift_table
from mutransfer.analysis.verdict.judge import Verdict
from tests.analysis import planted


def test_each_arm_has_a_line_and_the_target_is_apart(verdict: Verdict) -> None:
    info = drift_info(verdict.of_hp("lr"))
    assert [line.arm for line in info.lines] == ["mup", "sp"]
    assert info.target.axis_value == planted.TARGET
    assert all(o.axis_value != planted.TARGET for line in info.lines for o in line.optima)
    assert len(drift_info(verdict.of_hp("init_std")).lines) == 1


def test_the_legend_gives_the_drift_of_each_arm_with_its_interval(verdict: Verdict) -> None:
    mup, sp, target = [h.get_label() for h in drift_plot(drift_info(verdict.of_hp("lr"))).legend]
    assert mup.startswith("μP: ") and sp.startswith("SP: −") and "octaves/doubling" in sp
    assert " … " in mup and "target" in target


def test_the_table_ends_with_the_target(verdict: Verdict) -> None:
    rows = drift_table(drift_info(verdict.of_hp("lr"))).rows
    assert len(rows) == 4 + 4 + 1
    assert rows[-1][:2] == ("μP", str(planted.TARGET))
