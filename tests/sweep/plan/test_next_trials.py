"""The plan as a function of study, decisions and table."""

import dataclasses
import math

import pandas as pd
import pytest

from mutransfer.analysis import table as results
from mutransfer.sweep.plan import next_trials
from tests.sweep.planted import parabola, play


def test_a_study_goes_through_all_stages_once(played):
    decisions, table, plan = played
    assert list(decisions) == ["search-000", "search-001", "centre", "transferred"]
    assert set(table["asked_by"]) == {"search", "slices", "set", "target"}
    assert {request.trial_id for request in plan.requested} == set(table["trial_id"])
    transferred = decisions["transferred"]["transferred"]
    assert math.log2(transferred["lr"]) == pytest.approx(-6.3, abs=0.05)


def test_requests_do_not_depend_on_which_trial_finishes_first(played, tiny):
    forward = played
    backward = play(tiny, order=lambda requests: tuple(reversed(requests)))
    assert forward[0] == backward[0]
    assert results.same(forward[1], backward[1]) == []


def test_a_failed_trial_is_a_row_and_the_study_goes_on(tiny):
    def law(config):
        return "failed" if config.seed == 2 and config.width == 8 else parabola(config)

    _, table, plan = play(tiny, law)
    assert plan.finished and (table["status"] == "failed").sum() >= 3


def test_the_nominal_plan_has_the_trials_of_a_study_without_extensions(tiny):
    calm = dataclasses.replace(tiny, transfer=dataclasses.replace(tiny.transfer, max_extend=0))
    _, table, _ = play(calm)
    nominal = pd.Series([request.asked_by for request in next_trials.nominal(calm)]).value_counts()
    assert table["asked_by"].value_counts().to_dict() == nominal.to_dict()
