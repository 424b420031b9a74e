"""The ceiling of a star: it falls with noise and for kinks, and rises with the looks."""

import pytest
from benchmarks.calibration.shapes import PLANTED
from benchmarks.decisions.ceiling import ERROR, ceiling

SHAPES = {shape.name: shape for shape in PLANTED}


def test_the_ceiling_of_a_round_curve_is_high_and_that_of_a_kink_is_not():
    valley, kink = SHAPES["valley"], SHAPES["V 0.8 : 1.6"]
    assert ceiling(valley, 0.4) > 0.99
    by_looks = [ceiling(kink, 0.4, n_looks=n) for n in (1, 2, 3)]
    assert by_looks == sorted(by_looks) and ERROR <= by_looks[0] < 0.2 < by_looks[2] < 0.95
    assert ceiling(kink, 1.0) < by_looks[2]
    # As in benchmarks/results/decisions.md.
    assert by_looks[2] == pytest.approx(0.88, abs=0.01)
