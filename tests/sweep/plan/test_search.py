"""Proposals of a search."""

import math

import pytest

from mutransfer.sweep.plan import search
from mutransfer.sweep.plan.search import Observation
from mutransfer.sweep.spec import space
from tests.sweep.conftest import TINY, study_of

# The GP sampler takes seconds per proposal.
LEARNERS = ["tpe", pytest.param("gp", marks=pytest.mark.slow)]


SPACE = """    parameters:
      lr: {distribution: log_uniform_values, min: 2^-12, max: 2^-3}
      output_mult: {values: [0.5, 1, 2]}
      warmup_steps: {distribution: uniform, min: 0, max: 5}
      weight_decay: {distribution: uniform, min: 0, max: 0.3}
      init_std: {value: 1}
"""


CONTINUOUS = """    parameters:
      lr: {distribution: log_uniform_values, min: 2^-12, max: 2^-3}
      weight_decay: {distribution: uniform, min: 0, max: 0.3}
"""


def study_with(method: str, trials: int = 16, generation: int = 8, parameters: str = SPACE):
    """The tiny study with another search and the HPs of ``parameters``."""
    text = TINY.replace("method: tpe", f"method: {method}")
    text = text.replace("trials: 4, generation: 2", f"trials: {trials}, generation: {generation}")
    head, tail = text.split("    parameters:\n")
    return study_of(head + parameters + "    search" + tail.split("    search", 1)[1])


def loss(hps) -> float:
    return 1 + 0.05 * (math.log2(hps["lr"]) + 7) ** 2 + 0.1 * hps["weight_decay"]


def observed(proposals, diverged_above: float = math.inf):
    return [
        Observation(hps=p, status="diverged", val_loss=None)
        if p["lr"] > diverged_above
        else Observation(hps=p, status="done", val_loss=loss(p))
        for p in proposals
    ]


@pytest.mark.parametrize("method", ["tpe", "gp", "qmc", "random", "grid"])
def test_proposals_lie_in_the_space_and_are_rounded(method):
    study = study_with(method, trials=48)
    for hps in search.propose(study, (), 0):
        assert list(hps) == list(study.parameters)
        assert 2**-12 * (1 - 1e-6) <= hps["lr"] <= 2**-3 * (1 + 1e-6)
        assert hps["output_mult"] in (0.5, 1.0, 2.0) and hps["init_std"] == 1.0
        assert hps["warmup_steps"] == round(hps["warmup_steps"])
        assert hps == {name: space.rounded(name, value) for name, value in hps.items()}


@pytest.mark.parametrize("method", LEARNERS)
def test_proposals_are_a_pure_function_of_the_observations(method):
    study = study_with(method, parameters=CONTINUOUS)
    first = search.propose(study, (), 0)
    again = [search.propose(study, observed(first), 1) for _ in range(2)]
    assert again[0] == again[1]
    other = [
        Observation(hps=t.hps, status="done", val_loss=3 - t.val_loss) for t in observed(first)
    ]
    assert search.propose(study, other, 1) != again[0]  # it does learn
    assert search.propose(study, (), 1) != first  # another generation, another seed


@pytest.mark.parametrize("method", LEARNERS)
def test_samplers_learn_where_the_loss_is_low(method):
    study = study_with(method, trials=48, parameters=CONTINUOUS)
    seen = []
    for generation in range(6):
        seen += observed(search.propose(study, seen, generation))
    spread = [abs(math.log2(t.hps["lr"]) + 7) for t in seen]
    assert sum(spread[-16:]) / 16 < 0.6 * sum(spread[:16]) / 16


@pytest.mark.parametrize("method", LEARNERS)
def test_diverged_trials_are_avoided_without_an_invented_loss(method):
    study = study_with(method, trials=48, parameters=CONTINUOUS)
    seen = []
    for generation in range(6):
        seen += observed(search.propose(study, seen, generation), diverged_above=2**-6)
    n_bad = [sum(t.status == "diverged" for t in part) for part in (seen[:16], seen[-16:])]
    assert n_bad[1] < n_bad[0]


def test_failed_trials_teach_nothing():
    study = study_with("tpe")
    failed = [
        Observation(hps=h, status="failed", val_loss=None) for h in search.propose(study, (), 0)
    ]
    assert search.propose(study, failed, 1) == search.propose(study, (), 1)


def test_samplers_that_do_not_learn_form_one_generation():
    assert search.n_generations(study_with("qmc", trials=30)) == 1
    assert len(search.propose(study_with("qmc", trials=30), (), 0)) == 30
    assert search.n_generations(study_with("tpe", trials=30)) == 4
    assert len(search.propose(study_with("tpe", trials=30), (), 3)) == 6


def test_the_grid_is_the_full_product_with_its_corners():
    points = search.propose(study_with("grid", trials=100), (), 0)
    lrs = sorted({p["lr"] for p in points})
    assert len(points) == 3**3 * 3 and len(lrs) == 3
    assert lrs == pytest.approx([2**-12, 2**-7.5, 2**-3], rel=1e-5)
    assert len({tuple(p.values()) for p in points}) == len(points)


@pytest.mark.parametrize("method", ["tpe", "gp"])
def test_where_every_trial_diverged_the_search_goes_lower(method):
    study = study_with(method, trials=24, parameters=CONTINUOUS)
    seen, lowest = [], math.inf
    for generation in range(3):
        proposals = search.propose(study, seen, generation)
        assert all(p["lr"] <= lowest for p in proposals)
        assert len({p["weight_decay"] for p in proposals}) == 8  # the others still vary
        seen += observed(proposals, diverged_above=0)
        lowest = min(t.hps["lr"] for t in seen)
    assert lowest > 2**-12 * (1 - 1e-6)


def test_a_list_of_learning_rates_is_gone_down_and_its_end_is_no_error():
    lr = "lr: {distribution: log_uniform_values, min: 2^-9, max: 2^-5}"
    ranges = f"{lr}\n      init_std: {{value: 1}}"
    assert ranges in TINY
    listed = TINY.replace(ranges, "lr: {values: [1, 0.1, 0.01]}\n      init_std: {log2: [-2, 2]}")
    study = study_of(listed.replace("parameters: [lr]", "parameters: [init_std]"))
    for lr, lower in ((0.1, {0.01}), (0.01, {0.01, 0.1, 1.0})):
        tried = [{"lr": lr, "init_std": 1.0}] * 2
        proposals = search.propose(study, observed(tried, diverged_above=0), 1)
        assert len(proposals) == 2 and {p["lr"] for p in proposals} <= lower


def test_one_finished_trial_is_something_to_learn_from():
    study = study_with("tpe", parameters=CONTINUOUS)
    first = search.propose(study, (), 0)
    lowest = min(p["lr"] for p in first)
    seen = observed(first, diverged_above=lowest)
    assert any(p["lr"] > lowest for p in search.propose(study, seen, 1))
