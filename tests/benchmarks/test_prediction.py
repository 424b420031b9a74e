"""The benchmark of predictions: ladders are what they are said to be, and counts add up."""

import numpy as np
import pytest
from benchmarks.calibration.shapes import PLANTED
from benchmarks.prediction.ladders import BEYOND, LAWS, Design, Law, planted, real
from benchmarks.prediction.score import Score, scored

DESIGN = Design(2, 5, 1.0)


def of_name(name: str) -> Law:
    return next(law for law in LAWS if law.name == name)


def test_without_noise_the_lowest_value_is_beside_the_optimum_of_its_law() -> None:
    ladder = planted(PLANTED[0], of_name("drift −0.3"), 0.0, 5, DESIGN, np.random.default_rng(0))
    best = [float(s.log2_x[s.loss.mean(axis=1).argmin()]) for s in ladder.slices]
    moved = (ladder.optima[1] - ladder.optima[0]) / (BEYOND[1] - BEYOND[0])
    assert abs(moved) == pytest.approx(0.3)
    truth = [ladder.optima[0] - moved * k for k in (5, 4, 3, 2, 1)]
    assert best == pytest.approx(truth, abs=0.55)


def test_a_curve_that_grows_is_steeper_beyond() -> None:
    law = of_name("no drift, steeper by 20 %")
    ladder = planted(PLANTED[0], law, 0.0, 4, DESIGN, np.random.default_rng(0))
    octave = [curve(np.array([1.0]))[0] for curve in ladder.curves]
    assert octave[1] == pytest.approx(1.2 * octave[0]) and octave[2] > octave[1]


def test_real_ladders_have_the_values_of_the_dense_sweep() -> None:
    ladder = real("dit", of_name("no drift"), 4, Design(3, 7, 1.0), np.random.default_rng(0))
    assert len(ladder.slices) == 4 and ladder.slices[0].loss.shape == (7, 3)
    assert ladder.curves[0](np.array([0.0]))[0] == 0


def test_what_is_wrong_is_counted() -> None:
    """Ladders that stand still up to their end, and a truth that is far off beyond it."""
    rng = np.random.default_rng(0)
    design = Design(3, 7, 0.5)
    ladders = [planted(PLANTED[0], of_name("no drift"), 0.1, 5, design, rng) for _ in range(2)]
    good = scored(ladders)[1]
    assert good.ladders == good.predicted == good.held == good.good == 2 and good.wrong == 0
    for ladder in ladders:
        ladder.optima[:] = [x + 3.0 for x in ladder.optima]
    bad = scored(ladders)[1]
    assert bad.predicted == bad.wrong == 2 and bad.held == bad.good == bad.optimum_held == 0
    total = Score()
    total.add(good)
    total.add(bad)
    assert (total.ladders, total.wrong, len(total.lengths)) == (4, 2, 4)
