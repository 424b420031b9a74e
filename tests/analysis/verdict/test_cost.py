"""The cost of a search."""

import pandas as pd
import pytest

from mutransfer.analysis.verdict.judge import Verdict, judge
from tests.analysis import planted


def test_costs_count_all_trials_of_all_statuses(study: pd.DataFrame, verdict: Verdict) -> None:
    assert verdict.cost.total_flops == pytest.approx(study["flops"].sum())
    assert sum(verdict.cost.trials_by_stage.values()) == len(study)
    assert verdict.cost.target_flops == 1e6 * planted.TARGET**2
    assert verdict.cost.search_share < verdict.cost.share
    cheap = judge(study, planted.question(), target_flops=1e20)
    assert cheap.cost.share == pytest.approx(study["flops"].sum() / 1e20)
    with pytest.raises(ValueError, match="target_flops"):
        judge(study, planted.question(), target_flops=0.0)
