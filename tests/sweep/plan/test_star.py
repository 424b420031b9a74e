"""The trials of a star: which values, in which batches, and where they end."""

import dataclasses
import math
from collections import Counter

import pytest

from mutransfer.proxies.training.flops import training_flops
from mutransfer.sweep.plan import estimate, progress, star
from mutransfer.sweep.plan.next_trials import next_trials, nominal
from tests.sweep.conftest import STAR, study_of
from tests.sweep.planted import play

TWO_HPS = STAR.replace("init_std: {value: 1}", "init_std: {log2: [-1, 1]}").replace(
    "parameters: [lr]", "parameters: [lr, init_std]"
)
SET = {"lr": 0.01, "init_std": 1.0}


def values(study, below=1.0, above=1.0, lr=0.01):
    return star.values(study, {"lr": lr}, {"lr": (below, above)})["lr"]


def stopped_at(look: int) -> dict:
    """Stored words of looks, of which this one is the last."""
    return {
        star.look_name(k): {"look": k, "word": "INCONCLUSIVE", "goes_on": k < look}
        for k in range(1, look + 1)
    }


def log2_of(found) -> list[float]:
    return [math.log2(value / 0.01) for value in found]


def test_neighbours_stand_at_their_offsets_and_closer_ones_half_as_far():
    found = values(study_of(STAR), 0.8, 0.6)
    assert log2_of(found["neighbours"]) == pytest.approx([-0.8, 0.6], abs=1e-3)
    assert log2_of(found["between"]) == pytest.approx([-0.4, 0.3], abs=1e-3)
    assert found["offsets_log2"] == [0.8, 0.6]


def test_no_value_is_beyond_a_hard_limit_and_none_is_the_sets_own():
    limited = study_of(STAR.replace("max: 2^-5}", "max: 0.03, hard_max: 0.0302}"))
    near = values(limited, lr=0.03)  # 2^-5 is 0.03125: a part of the lattice, yet beyond the limit
    assert near["neighbours"] == [0.015] and near["between"][0] == pytest.approx(0.0212, rel=0.01)
    inside = values(limited, lr=0.02)
    assert max(inside["neighbours"]) == pytest.approx(0.0302, rel=1e-3)
    assert max(inside["neighbours"] + near["neighbours"]) <= 0.0302
    assert max(values(study_of(STAR), lr=0.03)["neighbours"]) > 0.0302  # the control


def test_each_look_adds_its_values_and_seeds_and_repeats_none():
    study = study_of(TWO_HPS)
    of_hps = star.values(study, SET, {"lr": (0.8, 0.6), "init_std": (1.0, 1.3)})
    after = [star.trials(study, SET, of_hps, looks) for looks in (1, 2, 3)]
    assert [len(requests) for requests in after] == [5, 9, 18]
    assert all(len({r.trial_id for r in requests}) == len(requests) for requests in after)
    assert [r.trial_id for r in after[2][:9]] == [r.trial_id for r in after[1]]
    assert [{r.config.seed for r in requests} for requests in after] == [{1}, {1}, {1, 2}]
    assert {r.config.width for r in after[2]} == {32}
    by_seed = Counter(r.config.seed for r in after[2])
    assert by_seed[1] == by_seed[2], "every value has both seeds in the end"
    assert sum(r.asked_by == "set" for r in after[0]) == 1


@pytest.mark.parametrize("look", [1, 2, 3])
def test_what_a_star_runs_is_what_its_plan_said_it_would_cost(look):
    study = study_of(TWO_HPS)
    study = dataclasses.replace(study, transfer=dataclasses.replace(study.transfer, max_extend=0))
    decisions, table, plan = play(study, decisions=stopped_at(look), at_once=99)
    told = nominal(study, look)
    assert plan.finished
    assert table["asked_by"].value_counts().to_dict() == Counter(r.asked_by for r in told)
    assert table["flops"].sum() == pytest.approx(sum(training_flops(r.config) for r in told))
    cost = estimate.nominal_cost(study, estimate.stages(study, {}, look))
    assert cost.flops == pytest.approx(table["flops"].sum())
    at_end = progress.progress(study, decisions, table)
    assert at_end.finished and at_end.planned == len(table)
    assert len(progress.expected(study, decisions)) == len(told)
    assert len(nominal(study)) >= len(told) and len(nominal(study)) == len(nominal(study, 3))


def test_what_is_left_of_a_star_are_the_looks_that_may_come():
    study = study_of(STAR)
    until = play(study, until=lambda name: name == "star")
    before = progress.progress(study, *until[:2])
    assert dict(before.missing)["target"] == 2 * 4
    ended = progress.progress(study, until[0] | stopped_at(1), until[1])
    assert dict(ended.missing) == {"set": 1, "target": 2}, "two neighbours, and the set"


def test_max_looks_bounds_the_batches():
    for most in (1, 2):
        study = study_of(STAR.replace("tolerance", f"max_looks: {most}, tolerance"))
        decisions, table, plan = play(study, at_once=99)
        assert plan.finished and star.look_name(most) in decisions
        assert star.look_name(most + 1) not in decisions
        assert (table["width"] == 32).sum() == {1: 3, 2: 5}[most]
        assert star.n_looks(study, {}) == most


def test_a_stranger_cannot_make_a_star_go_on_for_ever():
    study = study_of(STAR)
    decisions = play(study, until=lambda name: name == "star")[0] | {
        star.look_name(k): {"goes_on": True} for k in range(1, 9)
    }
    assert star.n_interim(decisions) == 3
    assert len(star.requested_trials(study, decisions)) == 10


def test_slices_ask_for_no_star(tiny, played):
    decisions, table, plan = played
    assert star.STAR not in decisions and plan.finished
    assert next_trials(tiny, decisions, table).finished
