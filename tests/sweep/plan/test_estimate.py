"""The cost of a study."""

import dataclasses

import pytest

from mutransfer.sweep import spec
from mutransfer.sweep.plan import estimate
from mutransfer.sweep.run import gate
from tests.sweep.axis_studies import text_of
from tests.sweep.conftest import study_of


@pytest.fixture(scope="module")
def shipped(request):
    return spec.read(request.config.rootpath / "sweeps.yaml")


@pytest.mark.parametrize(
    ("name", "low", "high"),
    # The paper's own figures: 2.7 % (from its sizes), 5.5 % with rounded sizes, 12.0 %.
    [("paper-dit", 2.6, 2.7), ("paper-pixart", 5.3, 5.5), ("paper-mmdit", 11.7, 12.3)],
)
def test_the_papers_searches_have_the_cost_of_the_paper(shipped, name, low, high):
    assert low < 100 * estimate.paper_share(shipped[name]) < high
    with_itself = dataclasses.replace(shipped[name], production=None)
    assert estimate.paper_share(with_itself) > estimate.paper_share(shipped[name])


def test_the_cost_is_given_by_axis_value_and_grows_in_proportion_to_steps():
    study = study_of(text_of("steps"))
    costs = {cost.stage: cost for cost in estimate.stages(study, {(16, 1, 16): 0.01})}
    assert costs["search"].axis_values == (6,) and costs["slices"].axis_values == (6, 12, 24)
    assert costs["target"].train_s == pytest.approx(costs["target"].n_trials * 48 * 0.01)
    per_trial = costs["target"].flops / costs["target"].n_trials
    assert per_trial == pytest.approx(8 * costs["search"].flops / costs["search"].n_trials)
    assert not gate.is_due(study)
