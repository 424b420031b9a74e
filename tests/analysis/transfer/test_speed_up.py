"""The speed-up of μP over SP, from curves of a planted law."""

import dataclasses

import numpy as np
import pytest

from mutransfer.analysis.transfer.comparison import ValidationCurve
from mutransfer.analysis.transfer.speed_up import compare_convergence, speed_up
from tests.analysis import planted_curves
from tests.analysis.planted_curves import STEPS, curve


def run(seed: int, losses: np.ndarray, status: str = "done") -> ValidationCurve:
    return ValidationCurve(seed=seed, status=status, steps=STEPS, losses=losses, flops_per_step=2.0)


def compare(sp: list[ValidationCurve], mup: list[ValidationCurve]):
    return speed_up(sp, mup, baseline="default", lr=2**-10)


def draws(speed: float, noise: float, n: int, n_seeds: int = 3):
    """Results of ``n`` studies; speeds vary by seed (shared by the arms) and by run."""
    rng = np.random.default_rng(round(1e4 * speed + 1e6 * noise))
    for _ in range(n):
        shared = 0.15 * rng.standard_normal(n_seeds)
        own = 0.1 * rng.standard_normal((2, n_seeds))
        sp, mup = (
            [run(i, curve(v * 2 ** (shared[i] + own[k, i]), noise, rng)) for i in range(n_seeds)]
            for k, v in enumerate((1.0, speed))
        )
        yield compare(sp, mup)


@pytest.mark.parametrize("speed", [1.5, 2.9])
def test_a_known_ratio_is_recovered(speed):
    result = compare([run(1, curve(1))], [run(1, curve(speed))])
    assert result.kind == "measured"
    assert result.ratio == pytest.approx(speed, rel=0.01)
    assert result.low is None  # one seed has no interval


@pytest.mark.parametrize("noise", [0.0, 0.004])
@pytest.mark.parametrize("speed", [1.5, 2.9])
def test_the_interval_covers_the_known_ratio(speed, noise):
    results = list(draws(speed, noise, 300))
    measured = [r for r in results if r.kind == "measured"]
    covered = [r.low <= speed <= r.high for r in measured]
    assert len(measured) > 280 and np.mean(covered) > 0.92
    # And not because it is wide: it rarely covers a ratio twice as large.
    assert np.mean([r.low <= 2 * speed <= r.high for r in measured]) < 0.25


def test_noise_biases_the_ratio_downwards_only():
    for noise in (0.004, 0.01):
        ratios = [r.ratio for r in draws(2.0, noise, 200) if r.kind == "measured"]
        assert 1.6 < np.exp(np.mean(np.log(ratios))) < 2.02


def test_equal_arms_have_ratio_one():
    rng = np.random.default_rng(3)
    same = [run(i, curve(1, 0.01, rng)) for i in range(3)]
    result = compare(same, same)
    assert (result.kind, result.ratio) == ("measured", pytest.approx(1.0))
    assert result.difference == 0


def test_arms_of_equal_speed_are_not_distinguished():
    covered = [
        (r.low <= 1 <= r.high) if r.kind == "measured" else r.below >= 1
        for r in draws(1.0, 0.004, 300)
    ]
    assert np.mean(covered) > 0.93


def test_a_slower_arm_gives_a_bound_and_no_ratio():
    results = list(draws(0.6, 0.0, 50))
    assert {r.kind for r in results} == {"bound"}
    assert all(r.ratio is None and r.low is None and r.high is None for r in results)
    assert all(0.6 <= r.below <= 1.0 for r in results)
    assert {r.below_confidence for r in results} == {1 - 2**-3}  # three seeds of three, a sign test
    assert all(r.difference > 0 for r in results)


def test_with_one_seed_that_does_not_reach_the_loss_there_is_no_ratio():
    sp = [run(i, curve(1)) for i in range(3)]
    mup = [run(0, curve(2)), run(1, curve(2.1)), run(2, curve(0.5))]
    result = compare(sp, mup)
    assert (result.kind, result.n_unreached, result.ratio) == ("bound", 1, None)
    # An upper bound of the true mean, in which the third seed counts as if it reached the loss.
    assert result.below > (2 * 2.1 * 1.0) ** (1 / 3) and result.below_confidence == 0.95
    assert compare(sp[:2], mup[:2]).kind == "measured"


def test_a_diverged_mup_run_does_not_reach_the_loss_and_a_diverged_sp_run_has_none():
    short = dataclasses.replace(run(1, curve(3)), status="diverged")
    short = dataclasses.replace(short, steps=STEPS[:2], losses=short.losses[:2])
    sp, mup = [run(0, curve(1)), run(1, curve(1))], [run(0, curve(2)), short]
    assert compare(sp, mup).n_unreached == 1
    without_loss = compare([sp[0], dataclasses.replace(short)], mup)
    assert (without_loss.kind, without_loss.ratio, without_loss.below) == ("none", None, None)
    assert "SP diverged with 1 of 2 seeds" in without_loss.reason


def test_a_run_that_diverged_before_its_first_validation_does_not_reach_the_loss():
    empty = dataclasses.replace(run(1, STEPS[:0]), steps=STEPS[:0], status="diverged")
    result = compare([run(0, curve(1)), run(1, curve(1))], [run(0, curve(2)), empty])
    assert (result.kind, result.n_unreached, len(result.pairs)) == ("bound", 1, 2)


def test_a_failed_or_absent_run_is_left_out():
    sp = [run(i, curve(1)) for i in range(3)]
    result = compare(sp, [run(0, curve(2)), run(1, curve(2)), run(2, curve(9), status="failed")])
    assert (result.kind, len(result.pairs)) == ("measured", 2)
    assert compare(sp, []).kind == "none"


def test_the_ratio_of_flops_follows_the_cost_of_a_step():
    mup = [dataclasses.replace(run(0, curve(2)), flops_per_step=4.0)]
    assert compare([run(0, curve(1))], mup).flops_factor == 0.5
    assert compare([run(0, curve(1))], [run(0, curve(2))]).flops_factor == 1.0


def test_a_study_is_compared_with_both_baselines():
    table, curves = planted_curves.tables()
    result = compare_convergence(table, curves, planted_curves.COMPARISON)
    assert [s.kind for s in result.speed_ups] == ["measured", "measured"]
    default, tuned = result.speed_ups
    assert default.ratio == pytest.approx(2.0, rel=0.01)
    assert tuned.ratio == pytest.approx(1.25, rel=0.01)
    assert default.low <= default.ratio <= default.high and default.flops_factor == 1


def test_without_a_tuned_lr_there_is_one_baseline_and_without_rows_no_ratio():
    table, curves = planted_curves.tables()
    untuned = dataclasses.replace(planted_curves.COMPARISON, sp_tuned=None)
    assert len(compare_convergence(table, curves, untuned).speed_ups) == 1
    no_mup = table[table["arm"] == "sp"]
    without_runs = compare_convergence(no_mup, curves, planted_curves.COMPARISON)
    assert [s.kind for s in without_runs.speed_ups] == ["none", "none"]
