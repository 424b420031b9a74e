"""Which configurations are the same trial."""

import dataclasses

import pytest

from mutransfer.proxies import training
from mutransfer.sweep.plan.request import TrialRequest, trial
from tests.sweep.axis_studies import AXES, text_of
from tests.sweep.conftest import study_of


def test_at_base_width_both_arms_share_their_trials(tiny):
    config = {"axis_value": 16, "hps": {"lr": 0.01}, "seed": 1}

    def ids(**where):
        configs = [trial(tiny, arm=arm, **config | where) for arm in ("mup", "sp")]
        return {TrialRequest(config=c, asked_by="x").trial_id for c in configs}

    at_base, wider = ids(), ids(axis_value=32)
    assert len(at_base) == 1 and len(wider) == 2


@pytest.mark.parametrize("axis", AXES)
def test_at_the_base_rule_and_control_are_one_trial(axis):
    study = study_of(text_of(axis, rule=True))

    def ids(axis_value):
        settings = {"axis_value": axis_value, "hps": {"lr": 0.01}, "seed": 1}
        return {
            TrialRequest(config=trial(study, arm=arm, **settings), asked_by="x").trial_id
            for arm in ("mup", "unscaled")
        }

    assert len(ids(study.search_at)) == 1
    assert len(ids(study.target_at)) == 2
    # The control is the trial of a study without the rule.
    plain = study_of(text_of(axis))
    control = trial(plain, axis_value=study.target_at, arm="mup", hps={"lr": 0.01}, seed=1)
    assert training.identity(control) in ids(study.target_at)


@pytest.mark.parametrize("axis", AXES)
def test_a_trial_differs_from_the_base_in_its_axis_value_alone(axis):
    study = study_of(text_of(axis))
    base, target = (
        trial(study, axis_value=axis_value, arm="mup", hps={"lr": 0.01}, seed=1)
        for axis_value in (study.search_at, study.target_at)
    )
    assert (base.axis_value(axis), target.axis_value(axis)) == (study.search_at, study.target_at)
    part = "model" if axis == "depth" else "train"
    changed = dataclasses.replace(getattr(target, part), **{axis: study.search_at})
    assert dataclasses.replace(target, **{part: changed}) == base
