"""The trials of a star: which values, in which batches, and where they end."""

import dataclasses
import math
from collections import Counter

import pytest

from mutransfer.analysis.transfer.star_design import FEW_FIRST, FIVE_FIRST
from mutransfer.proxies.training.flops import training_flops
from mutransfer.sweep.plan import estimate, progress, star
from mutransfer.sweep.plan.next_trials import next_trials, nominal
from tests.sweep.conftest import STAR, study_of
from tests.sweep.planted import parabola, play

TWO_HPS = STAR.replace("init_std: {value: 1}", "init_std: {log2: [-1, 1]}").replace(
    "parameters: [lr]", "parameters: [lr, init_std]"
)
SET = {"lr": 0.01, "init_std": 1.0}


def values(study, below=1.0, above=1.0, lr=0.01) -> dict[float, float]:
    """The values of the LR by their share of the offset."""
    return dict(star.values(study, {"lr": lr}, {"lr": (below, above)})["lr"]["values"])


def stopped_at(look: int) -> dict:
    """Stored words of looks, of which this one is the last."""
    return {
        star.look_name(k): {"look": k, "word": "INCONCLUSIVE", "goes_on": k < look}
        for k in range(1, look + 1)
    }


def test_neighbours_stand_at_their_offsets_and_closer_ones_half_as_far():
    found = values(study_of(STAR), 0.8, 0.6)
    offsets = {share: math.log2(value / 0.01) for share, value in found.items()}
    expected = {-1: -0.8, -0.5: -0.4, 0.5: 0.3, 1: 0.6}
    assert offsets == pytest.approx(expected, abs=1e-3)


def test_no_value_is_beyond_a_hard_limit_and_none_is_the_sets_own():
    limited = study_of(STAR.replace("max: 2^-5}", "max: 0.03, hard_max: 0.0302}"))
    near = values(limited, lr=0.03)  # 2^-5 is 0.03125: a part of the lattice, yet beyond the limit
    assert near == {-1: 0.015, -0.5: pytest.approx(0.0212, rel=0.01)}
    inside = values(limited, lr=0.02)
    assert max(inside.values()) == pytest.approx(0.0302, rel=1e-3)
    assert max(*inside.values(), *near.values()) <= 0.0302
    assert max(values(study_of(STAR), lr=0.03).values()) > 0.0302  # the control


@pytest.mark.parametrize(
    ("looks", "sizes", "seeds"),
    [(FEW_FIRST, [5, 9, 18], [{1}, {1}, {1, 2}]), (FIVE_FIRST, [9, 14, 18], [{1}, {1, 2}, {1, 2}])],
)
def test_each_look_adds_its_values_and_seeds_and_repeats_none(looks, sizes, seeds):
    study = study_of(TWO_HPS)
    of_hps = star.values(study, SET, {"lr": (0.8, 0.6), "init_std": (1.0, 1.3)})
    after = [star.trials(study, SET, of_hps, looks[:n]) for n in (1, 2, 3)]
    assert [len(requests) for requests in after] == sizes
    assert all(len({r.trial_id for r in requests}) == len(requests) for requests in after)
    assert after[2][: sizes[1]] == after[1] and after[1][: sizes[0]] == after[0]
    assert [{r.config.seed for r in requests} for requests in after] == seeds
    assert {r.config.width for r in after[2]} == {32}
    by_seed = Counter(r.config.seed for r in after[2])
    assert by_seed[1] == by_seed[2], "every value has both seeds in the end"
    assert sum(r.asked_by == "set" for r in after[0]) == 1


@pytest.mark.parametrize("look", [1, 2, 3])
def test_what_a_star_runs_is_what_its_plan_said_it_would_cost(look):
    study = study_of(TWO_HPS)
    study = dataclasses.replace(study, transfer=dataclasses.replace(study.transfer, max_extend=0))
    decisions, table, plan = play(study, decisions=stopped_at(look), at_once=99)
    looks = star.looks(decisions)[:look]
    told = nominal(study, looks)
    assert plan.finished
    assert table["asked_by"].value_counts().to_dict() == Counter(r.asked_by for r in told)
    assert table["flops"].sum() == pytest.approx(sum(training_flops(r.config) for r in told))
    cost = estimate.nominal_cost(study, estimate.stages(study, {}, looks))
    assert cost.flops == pytest.approx(table["flops"].sum())
    at_end = progress.progress(study, decisions, table)
    assert at_end.finished and at_end.planned == len(table)
    assert len(progress.expected(study, decisions)) == len(told)
    assert len(nominal(study, FEW_FIRST[:1])) <= len(told) <= len(nominal(study))


def test_what_is_left_of_a_star_are_the_looks_that_may_come():
    study = study_of(STAR)
    decisions, table, _ = play(study, until=lambda name: name == "star", at_once=99)
    before = progress.progress(study, decisions, table)
    assert dict(before.missing) == {"set": 2, "target": 2 * 4}
    ended = progress.progress(study, decisions | stopped_at(1), table)
    assert dict(ended.missing) == {"set": 1, "target": 2}, "two neighbours, and the set"


def one_seed_at_search(law):
    """The law, with failed runs at the search: without its noise no look decides."""

    def with_failures(config):
        return "failed" if config.width == 16 and config.seed == 2 else law(config)

    return with_failures


def test_max_looks_bounds_the_batches():
    for most in (1, 2):
        study = study_of(STAR.replace("tolerance", f"max_looks: {most}, tolerance"))
        decisions, table, plan = play(study, one_seed_at_search(parabola), at_once=99)
        assert plan.finished and star.look_name(most) in decisions
        assert star.look_name(most + 1) not in decisions
        assert decisions[star.look_name(most)]["word"] == "INCONCLUSIVE"
        assert (table["width"] == 32).sum() == {1: 3, 2: 5}[most]
        assert len(star.expected_looks(study, {})) == most


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
