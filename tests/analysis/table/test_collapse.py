"""Collapsed runs: found where the loss jumps to them, and not on a steep curve."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutransfer.analysis.table.collapse import collapsed
from tests.analysis.planted_shapes import FEW, LOSS, TOLERANCE, a_slice, drawn, of_sweep, planted

X = np.arange(-4.0, 5.0)
PARABOLA = LOSS + 2 * TOLERANCE * X**2
NO_BARRIER = np.zeros(X.size, dtype=bool)


def found(means: np.ndarray, barrier: np.ndarray = NO_BARRIER) -> list[float]:
    """The values that are found collapsed, of one seed."""
    return X[collapsed(X, means, means[:, None], barrier)].tolist()


@pytest.mark.parametrize("loss", [6.0, 11.0, 300.0])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_stuck_values_at_either_end_are_found_however_high(loss: float, n: int) -> None:
    for stuck in (X[-n:], X[:n]):
        means = np.where(np.isin(X, stuck), loss, PARABOLA)
        assert found(means) == stuck.tolist()
    assert found(PARABOLA) == []


@pytest.mark.parametrize("n_seeds", [2, 3, 5])
def test_one_seed_that_collapsed_is_found_among_others_that_follow_the_curve(n_seeds: int) -> None:
    """The others are a selected sample, as where one seed diverged."""
    loss = np.repeat(PARABOLA[:, None], n_seeds, axis=1)
    assert not collapsed(X, loss.mean(axis=1), loss, NO_BARRIER).any()
    loss[X == 3.0, 0] = 6.0
    by_worst = collapsed(X, loss.mean(axis=1), loss, NO_BARRIER)
    assert X[by_worst].tolist() == [3.0]


def test_values_that_recover_beyond_a_collapsed_one_are_not_collapsed() -> None:
    means = np.where(X == 2.0, 9.0, np.where(X == 3.0, LOSS + 0.1, PARABOLA))
    assert 3.0 not in found(means) and 2.0 in found(means)
    assert 3.0 in found(np.where(X == 3.0, 8.0, means))


def test_what_lies_beyond_a_diverged_value_is_not_looked_at() -> None:
    means = np.where(X >= 2.0, 9.0, PARABOLA)
    assert found(means, barrier=X == 1.0) == []
    assert found(means, barrier=X == 3.0) == [2.0]


@pytest.mark.parametrize("k", [0.5, 1.0, 2.0])
def test_an_exponential_wall_is_no_collapse(k: float) -> None:
    wall = LOSS + TOLERANCE * 8 / k**2 * (np.exp(k * X) - 1 - k * X)
    assert found(wall) == [] and found(wall[::-1]) == []


@pytest.mark.parametrize("means", [np.full(X.size, np.nan), np.where(X > -3, np.nan, PARABOLA)])
def test_few_values_have_no_range_to_compare_a_jump_with(means: np.ndarray) -> None:
    assert found(means) == []
    two = np.where(np.isin(X, [0.0, 1.0]), PARABOLA, np.where(X == 2.0, 90.0, np.nan))
    assert found(two) == []


@given(planted(["valley", "V", "plateau"], spacing=0.5, is_lattice=True), st.integers(1, 2))
@FEW
def test_one_seed_is_enough(slice_: object, n: int) -> None:
    """Runs that end at three times the loss are found with one seed as with many."""
    loss = slice_.loss.copy()
    loss[-n:] = np.where(np.isnan(loss[-n:]), np.nan, 3 * LOSS)
    barrier = np.zeros(len(loss), dtype=bool)
    stuck = a_slice(slice_.log2_x, loss, barrier)
    one = dataclasses.replace(stuck, loss=loss[:, :1], seeds=stuck.seeds[:1])
    for each in (stuck, one):
        with_loss = np.isfinite(each.loss).any(axis=1)
        assert (each.collapsed[-n:] | ~with_loss[-n:]).all() and not each.collapsed[:-n].any()


@pytest.mark.parametrize("shape", ["valley", "V", "plateau", "flat", "falling", "rising"])
def test_noise_on_a_curve_without_collapsed_runs_is_none(shape: str) -> None:
    hits = [drawn(shape, k, spacing=0.5, n_seeds=2, noise=1.0).collapsed.any() for k in range(20)]
    assert sum(hits) == 0
    assert drawn("collapsed end", 0).collapsed.any()


@pytest.mark.parametrize("n_seeds", [2, 3])
def test_noise_as_large_as_a_tenth_of_the_loss_is_none(
    n_seeds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, barrier = np.arange(-3.0, 4.0), np.zeros(7, dtype=bool)

    def hits() -> int:
        rng = np.random.default_rng(n_seeds)
        losses = [1 + 0.1 * rng.normal(size=(7, n_seeds)) for _ in range(300)]
        return sum(bool(collapsed(x, y.mean(axis=1), y, barrier).any()) for y in losses)

    assert hits() <= 3
    monkeypatch.setattr("mutransfer.analysis.table.collapse.MIN_NOISES", 0.0)
    assert hits() > 5


def test_a_run_of_the_measured_curves_far_above_the_others_is_found_at_every_width() -> None:
    for i in range(3):
        slice_ = of_sweep("dit", i, 1, spacing=1.0)
        last = int(np.flatnonzero(slice_.usable)[-1])
        loss = slice_.loss.copy()
        loss[last] = 3 * np.nanmax(loss)
        stuck = dataclasses.replace(slice_, loss=loss)
        assert stuck.collapsed[last] and not stuck.collapsed[:last].any()
