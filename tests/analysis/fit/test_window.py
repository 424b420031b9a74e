"""The window: the values near the best one, up to the nearest wall or value that is too high."""

import dataclasses

import numpy as np
import pytest

from mutransfer.analysis.fit.window import MIN_VALUES, REACH_TOLERANCES, window_of
from tests.analysis.planted_shapes import a_slice

X = np.arange(-5.0, 6.0)
SLICE = a_slice(X, 2.0 + 0.01 * X[:, None] ** 2 * np.ones(2))


def inside(tolerance_loss: float, **changes: object) -> list[float]:
    """The values in the window."""
    changed = dataclasses.replace(SLICE, **changes)
    return X[window_of(changed, tolerance_loss)].tolist()


@pytest.mark.parametrize("reach", [3.0, 5.0])
def test_the_window_ends_where_the_loss_is_too_high(reach: float) -> None:
    tolerance = 0.01 * (reach + 0.01) ** 2 / REACH_TOLERANCES
    assert inside(tolerance) == X[np.abs(X) <= reach].tolist()


def test_a_few_values_are_kept_however_high_they_are() -> None:
    assert len(inside(1e-9)) == MIN_VALUES
    # But none beyond a cliff or a wall.
    cliff = SLICE.loss + np.where(X >= 2, 0.5, 0.0)[:, None]
    assert inside(1e-9, loss=cliff) == [-3.0, -2.0, -1.0, 0.0, 1.0]
    assert inside(1e-9, loss=np.where(X[:, None] < -1, 3.0, cliff)) == [-1.0, 0.0, 1.0]
    assert inside(1e-9, diverged=np.abs(X) == 1) == [0.0]


@pytest.mark.parametrize("wall", [-2.0, 3.0])
def test_the_window_ends_before_a_wall_though_values_beyond_finished(wall: float) -> None:
    between = wall < X if wall < 0 else wall > X
    assert inside(1.0, diverged=wall == X) == X[between].tolist()
    collapsed = SLICE.loss + np.where(wall == X, 50.0, 0.0)[:, None]
    assert inside(10.0, loss=collapsed) == X[between].tolist()


def test_a_value_without_a_result_is_left_out_and_no_wall() -> None:
    loss = np.where((X == 1.0)[:, None], np.nan, SLICE.loss)
    assert inside(1.0, loss=loss) == X[X != 1.0].tolist()
    assert inside(1.0, loss=np.full_like(loss, np.nan)) == []
