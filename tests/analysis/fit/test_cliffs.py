"""Cliffs: cut off at the ends of a window, and more readily where a family has them."""

import dataclasses

import numpy as np
from benchmarks.calibration import score
from benchmarks.calibration.settings import BRACKETED

from mutransfer.analysis.fit.curve import fit_slices
from tests.analysis.fit.planted_slices import slices

BY_NAME = {s.name: s for s in BRACKETED}
N_DRAWS = 30


def share_cut(name: str, *, together: bool) -> float:
    """Share of the curves of ladders that have a cliff on the right, fitted together or alone."""
    setting = BY_NAME[name]
    ladders = [score.ladder(setting, np.random.default_rng(k))[1] for k in range(N_DRAWS)]
    families = [k for k, ladder in enumerate(ladders) for _ in ladder]
    ladder_slices = [s for ladder in ladders for s in ladder]
    fits = fit_slices(ladder_slices, families=families if together else None)
    return float(np.mean([f.barrier_right is not None for f in fits]))


def test_cliffs_of_half_a_family_make_those_of_the_others_likely() -> None:
    name = "noisy cliff, 2 seeds"
    assert share_cut(name, together=False) < 0.9
    assert share_cut(name, together=True) > 0.93
    assert share_cut("2 seeds, asymmetry 0.5", together=True) < 0.1


def test_a_jump_at_an_end_is_cut_off_and_a_small_one_is_not() -> None:
    (smooth,) = slices(1)
    for jump, is_cut in ((0.0, False), (0.0005, False), (2.0, True)):
        loss = smooth.loss.copy()
        loss[-1] += jump
        fitted = fit_slices([dataclasses.replace(smooth, loss=loss)])[0]
        assert (fitted.barrier_right == smooth.log2_x[-1]) == is_cut
        assert fitted.window.sum() == smooth.log2_x.size - is_cut
