"""The optimum: near that of a parabola, with valid intervals under noise, at edges and walls."""

import dataclasses
import json
from collections.abc import Callable

import numpy as np
import pytest

from mutransfer.analysis.fit.curve import fit_slice
from mutransfer.analysis.fit.optimum import Optimum, optimum, slice_optimum
from tests.analysis import planted

# 35 or fewer of 40 at a coverage of 95 % have a probability of 5 %, 34 or fewer of 1.4 %.
N_DRAWS, LEAST_HITS = 40, 35


def draw(seed: int, curve: Callable = planted.parabola, **changes: object) -> tuple:
    rng = np.random.default_rng(seed)
    truth = -9.5 + rng.uniform(-1, 1)
    arguments = {"log2_opt": truth, "noise_sd": 0.003, "n_seeds": 2, "rng": rng} | changes
    return truth, planted.a_slice(curve, **arguments)


def covers(opt: Optimum, truth: float) -> bool:
    low = -np.inf if opt.log2_low is None else opt.log2_low
    high = np.inf if opt.log2_high is None else opt.log2_high
    return low <= truth <= high


def test_a_noiseless_parabola_is_recovered_to_a_part_of_the_tolerance() -> None:
    """Not exactly: the values allow other shapes of the library as well."""
    opt = slice_optimum(draw(0, log2_opt=-9.3, noise_sd=0.0)[1])
    tolerance = 0.005 * 0.5
    assert 0.01 * (opt.log2_opt + 9.3) ** 2 < 0.1 * tolerance
    assert opt.loss == pytest.approx(0.5, abs=0.3 * tolerance)
    assert opt.curvature == pytest.approx(0.01, rel=0.4)
    assert opt.opt == 2**opt.log2_opt
    assert opt.bracketed
    assert opt.flags == ()


def test_the_basin_is_where_the_regret_is_below_the_tolerance() -> None:
    fitted = fit_slice(draw(0, log2_opt=-9.3, noise_sd=0.0)[1], tolerance_loss=0.01)
    opt = optimum(fitted, tolerance_loss=0.01)
    assert opt.basin_low == pytest.approx(-10.3, abs=0.1)
    assert opt.basin_high == pytest.approx(-8.3, abs=0.1)
    assert optimum(fitted, tolerance_loss=1.0).basin_low is None


@pytest.mark.parametrize(
    ("curve", "noise_sd"), [(planted.parabola, 0.001), (planted.mild_cubic, 0.003)]
)
def test_the_interval_has_its_nominal_coverage(curve: Callable, noise_sd: float) -> None:
    hits = []
    for seed in range(N_DRAWS):
        truth, slice_ = draw(seed, curve, noise_sd=noise_sd)
        hits.append(covers(slice_optimum(slice_), truth))
    assert sum(hits) >= LEAST_HITS


def test_a_bootstrap_over_two_seeds_does_not_cover() -> None:
    hits = []
    for seed in range(250):
        truth, slice_ = draw(seed)
        b = int(slice_.loss.mean(axis=1).argmin())
        near = slice(max(b - 2, 0), b + 3)
        x = slice_.log2_x[near]
        ends = []
        for picked in ([0, 0], [0, 1], [1, 1]):
            c = np.polyfit(x, slice_.loss[near][:, picked].mean(axis=1), 2)
            ends.append(-c[1] / (2 * c[0]))
        hits.append(min(ends) <= truth <= max(ends))
    assert np.mean(hits) < 0.75


@pytest.mark.parametrize(("log2_opt", "flag"), [(-14.5, "censored_left"), (-5.0, "censored_right")])
def test_an_optimum_outside_the_grid_is_censored(log2_opt: float, flag: str) -> None:
    outside = slice_optimum(draw(1, log2_opt=log2_opt)[1])
    assert flag in outside.flags
    assert not outside.bracketed
    inside = slice_optimum(draw(1, log2_opt=-9.5)[1])
    assert flag not in inside.flags
    assert inside.bracketed


def test_divergence_brackets_on_the_right_and_ends_the_interval() -> None:
    opt = slice_optimum(draw(2, log2_opt=-9.1, noise_sd=0.0005, diverged_from=-8.0)[1])
    assert opt.bracketed
    assert "edge_of_stability" in opt.flags
    assert opt.log2_high is not None and opt.log2_high <= -8.0
    assert opt.octaves_to_divergence == pytest.approx(1.1, abs=0.3)
    free = slice_optimum(draw(2, log2_opt=-9.1, noise_sd=0.0005)[1])
    assert "edge_of_stability" not in free.flags
    assert free.log2_first_diverged is None


def test_a_curve_that_falls_up_to_a_diverged_value_has_its_optimum_there() -> None:
    opt = slice_optimum(draw(2, log2_opt=-4.0, noise_sd=0.0005, diverged_from=-8.0)[1])
    assert opt.log2_low is not None and opt.log2_low >= -10.0
    assert opt.log2_high == -8.0
    assert "edge_of_stability" in opt.flags


def test_a_collapsed_value_is_a_wall_and_does_not_move_the_optimum() -> None:
    x = np.arange(-13.0, -6.0)
    smooth = planted.a_slice(
        planted.parabola, log2_opt=-9.2, noise_sd=0.0005, n_seeds=2, rng=np.random.default_rng(0)
    )
    loss = smooth.loss.copy()
    loss[x == -7.0] += 2.0
    opt = slice_optimum(dataclasses.replace(smooth, loss=loss))
    assert "collapsed" in opt.flags and opt.n_collapsed == 2
    assert "collapsed" not in slice_optimum(smooth).flags
    assert opt.log2_opt == pytest.approx(-9.2, abs=0.1)
    assert opt.bracketed and opt.log2_first_diverged == -7.0
    # With it, the minimum of a cubic is off by more than the interval allows.
    near = np.abs(x + 9.0) <= 2
    c = np.polyfit(x[near] + 9, loss[near].mean(axis=1), 3)
    roots = np.roots(np.polyder(c))
    assert not np.any(np.abs(roots[np.isreal(roots)].real - 9 + 9.2) < 0.3)


def test_a_kink_at_the_optimum_is_covered() -> None:
    hits = [
        covers(slice_optimum(slice_), truth)
        for truth, slice_ in (draw(seed, planted.kinked, noise_sd=0.0005) for seed in range(40))
    ]
    assert sum(hits) >= LEAST_HITS


def test_one_seed_is_flagged_and_wider() -> None:
    single = slice_optimum(draw(4, n_seeds=1)[1])
    three = slice_optimum(draw(4, n_seeds=3)[1])
    assert "one_seed" in single.flags
    assert "one_seed" not in three.flags
    assert three.df > single.df


@pytest.mark.parametrize("n", [0, 1, 2])
def test_too_few_values_give_no_interval(n: int) -> None:
    opt = slice_optimum(draw(0, log2_x=np.arange(-9.0, -9.0 + n))[1])
    assert opt.log2_low is None
    assert not opt.bracketed
    assert {"too_few_values", "no_data"} & set(opt.flags)


def test_an_optimum_is_plain_data() -> None:
    plain = dataclasses.asdict(slice_optimum(draw(0)[1]))
    assert json.loads(json.dumps(plain, allow_nan=False))["hp"] == "lr"
