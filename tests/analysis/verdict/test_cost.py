"""The cost of a study: whole, by stage, in target runs and as a share of the production run."""

import dataclasses

import pandas as pd
import pytest

from mutransfer.analysis.verdict.cost import ReferenceRuns, cost_of_table, total
from mutransfer.analysis.verdict.judge import Verdict, judge
from tests.analysis import planted

RUNS = ReferenceRuns(target_flops=2e9, production_flops=5e10, n_searched=7)


def test_the_stages_add_up_to_the_whole_in_every_unit(study: pd.DataFrame) -> None:
    cost = cost_of_table(study, RUNS)
    stages = cost.by_stage.values()
    assert len(stages) > 3 and next(iter(cost.by_stage)) == "search"
    for field in ("n_trials", "flops", "target_runs", "share_of_production"):
        assert sum(getattr(s, field) for s in stages) == pytest.approx(getattr(cost, field))
    assert cost.n_trials == len(study) and cost.flops == pytest.approx(study["flops"].sum())
    assert cost.target_runs == pytest.approx(cost.flops / 2e9)
    assert cost.share_of_production == pytest.approx(cost.flops / 5e10)


@pytest.mark.parametrize("status", ["diverged", "pruned", "failed"])
def test_a_trial_without_a_loss_costs_what_it_used(study: pd.DataFrame, status: str) -> None:
    row = study.index[study["asked_by"] == "slices"][0]
    used = study.copy()
    used.loc[row, ["status", "val_loss", "flops"]] = [status, None, 321.0]
    with_it, without = (cost_of_table(df, RUNS) for df in (used, used.drop(row)))
    assert with_it.flops - without.flops == pytest.approx(321.0, abs=1e-3)
    assert with_it.by_stage["slices"].n_trials == without.by_stage["slices"].n_trials + 1
    assert with_it.n_trials_without_flops == 0


def test_unknown_flops_are_counted_as_none_and_said(study: pd.DataFrame) -> None:
    lost = study.copy()
    row = lost.index[-1]
    lost.loc[row, "flops"] = None
    cost = cost_of_table(lost, RUNS)
    assert cost.n_trials_without_flops == 1 and cost.n_trials == len(study)
    assert cost.flops == pytest.approx(study.drop(row)["flops"].sum())


def test_an_attempt_that_was_run_again_costs_twice_and_is_one_trial(study: pd.DataFrame) -> None:
    once = cost_of_table(study, RUNS)
    again = cost_of_table(study, RUNS, retried_flops={"target": 1e9})
    assert again.flops == pytest.approx(once.flops + 1e9) and again.n_trials == once.n_trials
    assert again.by_stage["target"].flops == pytest.approx(once.by_stage["target"].flops + 1e9)
    assert again.by_stage["search"] == once.by_stage["search"]


def test_what_is_not_known_is_null_and_never_zero() -> None:
    stages = {"search": (4, 4e8), "slices": (2, 1e9)}
    cost = total(stages, ReferenceRuns())
    assert (cost.target_runs, cost.share_of_production, cost.tuning_at_target) == (None,) * 3
    no_production = total(stages, dataclasses.replace(RUNS, production_flops=None))
    assert no_production.target_runs == pytest.approx(0.7)
    assert no_production.share_of_production is None
    assert no_production.tuning_at_target.share_of_production is None


def test_tuning_at_the_target_is_a_target_run_for_each_set_of_the_search() -> None:
    tuning = total({"search": (7, 1.0)}, RUNS).tuning_at_target
    assert (tuning.n_trials, tuning.flops, tuning.target_runs) == (7, 1.4e10, 7.0)
    assert tuning.share_of_production == pytest.approx(1.4e10 / 5e10)


@pytest.mark.parametrize("name", ["target_flops", "production_flops"])
def test_a_run_of_no_flops_is_refused(name: str) -> None:
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(ValueError, match=name):
            ReferenceRuns(**{name: wrong})


def test_a_verdict_has_the_cost_of_its_table_or_the_one_it_is_given(
    study: pd.DataFrame, verdict: Verdict
) -> None:
    assert verdict.cost.flops == pytest.approx(study["flops"].sum())
    assert verdict.cost.target_flops == 1e6 * planted.TARGET**2  # of its finished target runs
    given = cost_of_table(study, RUNS)
    assert judge(study, planted.question(), cost=given).cost == given
