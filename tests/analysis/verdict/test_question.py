"""The tolerance, and the confidence level after interim analyses."""

import pandas as pd
import pytest

from mutransfer.analysis.verdict.judge import judge
from mutransfer.analysis.verdict.question import Tolerance
from tests.analysis import planted


def test_tolerances_in_loss() -> None:
    best = {"target_best": 0.5, "search_best": 0.7}
    assert Tolerance(kind="abs_loss", value=0.1).in_loss(**best) == 0.1
    assert Tolerance(kind="rel_loss", value=0.1).in_loss(**best) == pytest.approx(0.05)
    share = Tolerance(kind="share_of_width_gain", value=0.1)
    assert share.in_loss(**best) == pytest.approx(0.02)
    assert share.in_loss(target_best=0.7, search_best=0.5) == 0.0
    assert share.in_loss(target_best=None, search_best=0.5) is None


def test_without_a_gain_from_width_no_share_of_it_is_ever_passed(study: pd.DataFrame) -> None:
    share = Tolerance(kind="share_of_width_gain", value=0.05)
    assert judge(study, planted.question(tolerance=share)).verdict == "PASS"
    worse = study.copy()
    worse.loc[worse["width"] == planted.TARGET, "val_loss"] += 0.3
    assert judge(worse, planted.question(tolerance=share)).verdict == "INCONCLUSIVE"


@pytest.mark.parametrize(("kind", "value"), [("rel", 0.1), ("rel_loss", 0.0), ("abs_loss", -1)])
def test_a_tolerance_of_unknown_kind_or_not_above_zero_is_refused(kind: str, value: float) -> None:
    with pytest.raises(ValueError, match="tolerance"):
        Tolerance(kind=kind, value=value)


def test_all_interim_analyses_together_err_in_at_most_five_percent() -> None:
    questions = [planted.question(n_interim=k) for k in range(6)]
    assert questions[0].confidence == 0.95
    # A one-sided bound errs in half of the cases that its confidence level leaves.
    assert sum((1 - q.confidence) / 2 for q in questions) < 0.05
    df = planted.table(planted.Law())
    first, third = judge(df, questions[0]), judge(df, questions[2])
    assert third.of_hp("lr").regret.upper > first.of_hp("lr").regret.upper
    assert third.set.confidence > first.set.confidence
    assert any("Analysis 3" in note for note in third.set.notes)
