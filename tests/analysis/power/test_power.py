"""Simulated studies have the regret that they say; their power follows noise, lattice and HPs."""

import dataclasses

import numpy as np
import pytest

from mutransfer.analysis.power.assumption import CURVES, Assumption
from mutransfer.analysis.power.design import Design
from mutransfer.analysis.power.power import Power, power
from mutransfer.analysis.power.simulated import simulated
from mutransfer.analysis.table.slice import mean_loss

DESIGN = Design(
    n_hps=1,
    axis_values=(16, 32, 64),
    search_at=32,
    target_at=128,
    points=5,
    target_points=5,
    seeds=2,
    target_seeds=2,
    spacing_log2=0.5,
    refine=False,
    max_extend=4,
    tolerance_rel=0.005,
)


def power_of(design: Design = DESIGN, *, noise_rel: float, n_draws: int = 9) -> Power:
    assumption = Assumption(noise_rel=noise_rel, gain_rel=0.02, source="a test")
    return power(design, assumption, n_draws=n_draws)


def test_without_noise_half_octaves_decide_and_with_much_nothing_does():
    quiet, loud = power_of(noise_rel=1e-5), power_of(noise_rel=0.1)
    assert quiet.pass_at_0 > 0.8 and quiet.fail_at_2 > 0.6
    assert loud.pass_at_0 == loud.pass_at_half == 0 and loud.fail_at_2 < 0.2
    assert (quiet.noise_rel, quiet.gain_rel, quiet.source) == (1e-5, 0.02, "a test")


def test_one_seed_never_decides():
    one_seed = dataclasses.replace(DESIGN, seeds=1, target_seeds=1)
    chances = power_of(one_seed, noise_rel=1e-4, n_draws=3)
    assert chances.pass_at_0 == chances.pass_at_half == chances.fail_at_2 == 0


def test_two_hps_are_harder_than_one_and_four_seeds_easier_than_two():
    two = dataclasses.replace(DESIGN, n_hps=2)
    four = dataclasses.replace(DESIGN, seeds=4, target_seeds=4)
    here = power_of(noise_rel=0.004).pass_at_0
    assert (
        power_of(two, noise_rel=0.004).pass_at_0 < here < power_of(four, noise_rel=0.004).pass_at_0
    )


def test_the_same_seed_gives_the_same_power():
    assert power_of(noise_rel=0.004, n_draws=3) == power_of(noise_rel=0.004, n_draws=3)


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("regret", [0.0, 0.5, 2.0])
def test_the_set_loses_the_regret_that_is_asked_for(curve, regret):
    """Without noise: its own runs at the target lose that much against the sum of the optima."""
    design = dataclasses.replace(DESIGN, n_hps=2)
    assumption = Assumption(noise_rel=0.0, gain_rel=0.02, source="")
    fits, question = simulated(design, assumption, curve, np.random.default_rng(0), regret)
    for hp, of_hp in fits.items():
        at = of_hp.target.slice.index(np.log2(question.transferred[hp]))
        own = mean_loss(of_hp.target.slice)[at]
        assert own - 1 == pytest.approx(regret * design.tolerance_rel, abs=2e-5)


@pytest.mark.parametrize("curve", CURVES)
def test_a_curve_is_0_at_its_optimum_and_costs_1_an_octave_off(curve):
    assert curve(np.zeros(1))[0] == 0
    assert curve(np.array([-1.0, 1.0])).mean() == pytest.approx(1)
    assert (curve(np.linspace(-4, 4, 81)) >= 0).all()
