"""The cost of a study."""

import dataclasses

import pytest

from mutransfer.proxies.training.flops import n_params, training_flops
from mutransfer.sweep import spec
from mutransfer.sweep.plan import estimate, next_trials
from mutransfer.sweep.plan.request import trial
from mutransfer.sweep.run import gate
from mutransfer.sweep.spec.sections import Production
from tests.sweep.axis_studies import text_of
from tests.sweep.conftest import TINY, study_of


@pytest.fixture(scope="module")
def shipped(request):
    return spec.read(request.config.rootpath / "sweeps.yaml")


@pytest.mark.parametrize(
    ("name", "width", "steps", "low", "high"),
    [  # The paper's own figures: 2.7 % (from its sizes), 5.5 % with rounded sizes, 12.0 %.
        ("paper-dit", 288, 200_000, 2.6, 2.7),
        ("paper-pixart", 288, 39_000, 5.3, 5.5),
        ("paper-mmdit", 512, 30_000, 11.7, 12.3),
    ],
)
def test_the_papers_searches_have_the_cost_of_the_paper(shipped, name, width, steps, low, high):
    study = shipped[name]
    theirs = dataclasses.replace(
        study,
        search=dataclasses.replace(study.search, width=width),
        train=dataclasses.replace(study.train, steps=steps),
    )
    assert low < 100 * estimate.paper_share(theirs) < high
    with_itself = dataclasses.replace(theirs, production=None)
    assert estimate.paper_share(with_itself) > estimate.paper_share(theirs)
    assert estimate.paper_share(study) < estimate.paper_share(theirs)


@pytest.mark.parametrize(
    ("name", "share"),  # of the production run, at most
    [("paper-dit", 0.10), ("paper-pixart", 0.15), ("paper-mmdit", 0.20)],
)
def test_all_trials_of_the_papers_studies_cost_little_of_production(shipped, name, share):
    study = shipped[name]
    cost = estimate.nominal_cost(study, estimate.stages(study, {}))
    each = [training_flops(request.config) for request in next_trials.nominal(study)]
    assert cost.flops == pytest.approx(sum(each)) and cost.n_trials == len(each)
    assert cost.by_stage["search"].share_of_production < cost.share_of_production <= share
    assert cost.tuning_at_target.target_runs == study.search.trials
    alike = dataclasses.replace(
        study, transfer=dataclasses.replace(study.transfer, at=None, points=9, seeds=3)
    )
    dearer = estimate.nominal_cost(alike, estimate.stages(alike, {}))  # the control
    assert dearer.share_of_production > share


def test_a_production_run_has_its_own_width_steps_and_batch_size():
    study = study_of(TINY)
    assert estimate.production_flops(study) is None
    target = training_flops(trial(study, axis_value=32, arm="mup", hps={"lr": 0.01}, seed=0))
    like_target = Production(width=32, steps=study.train.steps, batch_size=study.train.batch_size)
    same, larger = (
        estimate.production_flops(dataclasses.replace(study, production=production))
        for production in (like_target, Production(width=64, steps=12, batch_size=48))
    )
    assert same == target == estimate.target_flops(study)
    at_64 = training_flops(trial(study, axis_value=64, arm="mup", hps={"lr": 0.01}, seed=0))
    assert larger == pytest.approx(at_64 * (12 / 6) * (48 / 16))


def test_the_flops_of_a_users_own_production_model_grow_with_its_parameters(user):
    study = user()
    target = trial(study, axis_value=64, arm="mup", hps={"lr": 0.01}, seed=0)
    steps, batch_size = study.train.steps, study.train.batch_size
    at = {
        width: estimate.production_flops(
            dataclasses.replace(
                study, production=Production(width=width, steps=steps, batch_size=batch_size)
            )
        )
        for width in (64, 1024)
    }
    assert at[64] == pytest.approx(training_flops(target))
    wide = dataclasses.replace(target, width=1024)
    assert at[1024] / at[64] == pytest.approx(n_params(wide) / n_params(target))
    # The control: so do those that are counted, nearly.
    assert at[1024] == pytest.approx(training_flops(wide), rel=0.2)


def test_the_cost_is_given_by_axis_value_and_grows_in_proportion_to_steps():
    study = study_of(text_of("steps"))
    costs = {cost.stage: cost for cost in estimate.stages(study, {(16, 1, 16): 0.01})}
    assert costs["search"].axis_values == (6,) and costs["slices"].axis_values == (6, 12, 24)
    assert costs["target"].train_s == pytest.approx(costs["target"].n_trials * 48 * 0.01)
    per_trial = costs["target"].flops / costs["target"].n_trials
    assert per_trial == pytest.approx(8 * costs["search"].flops / costs["search"].n_trials)
    assert not gate.is_due(study)


def test_tuning_at_the_production_width_is_told_where_the_target_is_narrower(tiny):
    production = Production(width=64, steps=60, batch_size=16)
    study = dataclasses.replace(tiny, production=production)
    # 4 sets of 6 steps against one run of 60, at one batch size.
    assert estimate.tuning_share_at_production(study) == pytest.approx(0.4)
    at_target = dataclasses.replace(production, width=32)
    for other in (at_target, None):
        same = dataclasses.replace(tiny, production=other)
        assert estimate.tuning_share_at_production(same) is None
