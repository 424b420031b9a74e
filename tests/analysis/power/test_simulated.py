"""Simulated studies whose target is checked by a star."""

import dataclasses

import numpy as np
import pytest

from mutransfer.analysis.power.assumption import CURVES, Assumption
from mutransfer.analysis.power.design import Design
from mutransfer.analysis.power.simulated import outcome

STAR = Design(
    n_hps=1,
    axis_values=(16, 32, 64),
    search_at=32,
    target_at=128,
    points=5,
    target_points=0,
    seeds=2,
    target_seeds=0,
    spacing_log2=1.0,
    refine=False,
    max_extend=4,
    tolerance_rel=0.005,
    check="star",
    max_looks=3,
)


def outcome_of(design: Design = STAR, *, noise_rel: float, regret: float = 0.0):
    assumption = Assumption(noise_rel=noise_rel, gain_rel=0.02, source="a test")
    return outcome(design, assumption, CURVES[0], np.random.default_rng(1), regret)


def test_a_quiet_star_decides_with_few_runs_and_a_loud_one_takes_them_all():
    quiet, far = outcome_of(noise_rel=1e-5), outcome_of(noise_rel=1e-5, regret=4.0)
    assert quiet.word == "PASS" and quiet.target_runs in (3, 5)
    assert far.word == "FAIL" and far.target_runs in (3, 5)
    loud = outcome_of(noise_rel=0.05)
    assert loud == ("INCONCLUSIVE", 10)


@pytest.mark.parametrize(
    ("max_looks", "n_hps", "runs"),
    [
        (1, 1, 5),
        pytest.param(2, 1, 8, marks=pytest.mark.slow),
        pytest.param(1, 2, 9, marks=pytest.mark.slow),
    ],
)
def test_the_looks_of_a_star_that_does_not_decide_have_their_runs(max_looks, n_hps, runs):
    design = dataclasses.replace(STAR, max_looks=max_looks, n_hps=n_hps)
    assert outcome_of(design, noise_rel=0.05) == ("INCONCLUSIVE", runs)


def test_slices_count_the_sets_own_runs_once():
    design = dataclasses.replace(STAR, check="slices", n_hps=2, target_points=5, target_seeds=2,
                                 max_extend=0)  # fmt: skip
    assert outcome_of(design, noise_rel=0.05).target_runs == (1 + 2 * 5) * 2
