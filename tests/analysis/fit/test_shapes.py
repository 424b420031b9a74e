"""The library of shapes: sides that rise from 0 to 1 at one octave, with bounds of their ratio."""

import numpy as np
import pytest

from mutransfer.analysis.fit.shapes import RATIO, STEP, library

SHAPES = library()
N = len(SHAPES.sides)


def test_each_side_rises_from_the_minimum_and_is_one_at_one_octave() -> None:
    np.testing.assert_array_equal(SHAPES.sides[:, 0], 0.0)
    np.testing.assert_allclose(SHAPES.sides[:, round(1 / STEP)], 1.0)
    assert (np.diff(SHAPES.sides) >= 0).all()


def test_each_pair_has_its_mirror_image() -> None:
    bounds = {
        (i, j): (low, high)
        for i, j, low, high in zip(
            SHAPES.left, SHAPES.right, SHAPES.least, SHAPES.greatest, strict=True
        )
    }
    assert len(bounds) == SHAPES.left.size
    for (i, j), (low, high) in bounds.items():
        assert bounds[j, i] == pytest.approx((1 / high, 1 / low))
        # A smooth valley has another side on the left than on the right, and narrow bounds.
        assert low < high <= low * RATIO**2 * (1 + 1e-9)


def test_a_side_between_its_tabulated_distances_is_interpolated_and_0_before_the_minimum() -> None:
    sides, at = np.arange(N), np.full(N, 1.2345)
    i = int(1.2345 / STEP)
    values = SHAPES.at(sides, at)
    assert (values >= SHAPES.sides[:, i]).all() and (values <= SHAPES.sides[:, i + 1]).all()
    parabola = int(np.abs(SHAPES.sides[:, 2 * round(1 / STEP)] - 4.0).argmin())
    assert SHAPES.at(np.array(parabola), np.array(1.2345)) == pytest.approx(1.2345**2, rel=1e-4)
    np.testing.assert_array_equal(SHAPES.at(sides, -at), 0.0)
    assert np.isfinite(SHAPES.at(sides, np.full(N, 40.0))).all()
