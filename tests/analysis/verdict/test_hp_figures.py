"""The figures of one HP: at the right axis values, in loss, and far enough from divergence."""

from dataclasses import replace

import pytest

from mutransfer.analysis.verdict.evidence import Fits
from mutransfer.analysis.verdict.hp_figures import OCTAVES_TO_DIVERGENCE, hp_figures
from mutransfer.analysis.verdict.question import Tolerance
from tests.analysis import planted
from tests.analysis.planted import LR_OPT, STD_OPT, TARGET
from tests.analysis.verdict.tables import diverging_at


def test_figures_are_those_of_the_search_and_the_target(fits: dict[str, Fits]) -> None:
    lr, std = (hp_figures(fits[hp], planted.question()) for hp in ("lr", "init_std"))
    for figures, opt in ((lr, LR_OPT), (std, STD_OPT)):
        assert figures.log2_x == pytest.approx(opt, abs=1e-4)
        assert (figures.search_opt.axis_value, figures.target_opt.axis_value) == (64, TARGET)
        assert figures.tolerance_loss == pytest.approx(0.01 * figures.target_opt.loss)
        assert figures.target.slice.log2_x[figures.target_index] == figures.log2_x
    share = Tolerance(kind="share_of_width_gain", value=0.1)
    gain = hp_figures(fits["lr"], planted.question(tolerance=share)).tolerance_loss
    assert gain == pytest.approx(0.1 * (64**-0.5 - TARGET**-0.5), rel=0.05)
    strict = hp_figures(fits["lr"], planted.question(n_interim=2))
    assert strict.regret.confidence == planted.question(n_interim=2).confidence != 0.95
    assert lr.regret.confidence == 0.95


def test_without_a_value_on_the_log_scale_there_are_no_figures(fits: dict[str, Fits]) -> None:
    question = planted.question()
    assert hp_figures(fits["lr"], question) is not None
    assert hp_figures(replace(fits["lr"], target=None), question) is None
    for value in (None, 0.0):
        unset = planted.question(transferred={**planted.TRANSFERRED, "lr": value})
        assert hp_figures(fits["lr"], unset) is None


def test_a_value_between_those_that_were_run_has_no_index(fits: dict[str, Fits]) -> None:
    between = planted.question(transferred={**planted.TRANSFERRED, "lr": 2.0**-8.6})
    figures = hp_figures(fits["lr"], between)
    assert figures.target_index is None and figures.failed_at_target is None
    assert figures.regret is not None


def test_divergence_is_near_under_half_an_octave_on_either_side(fits: dict[str, Fits]) -> None:
    figures = hp_figures(fits["lr"], planted.question())
    assert figures.octaves_to_divergence is None and not figures.is_near_divergence
    for diverged, octaves in (((-5.0, -8.0), 0.3), ((-9.0, -7.0), 0.7), ((LR_OPT,), 0.0)):
        changed = diverging_at(figures, *diverged)
        assert changed.octaves_to_divergence == pytest.approx(octaves, abs=1e-4)
        assert changed.is_near_divergence is (octaves < OCTAVES_TO_DIVERGENCE)
        assert changed.failed_at_target == ("diverged" if octaves == 0 else None)
    exactly = replace(diverging_at(figures, -8.0), log2_x=-8.0 - OCTAVES_TO_DIVERGENCE + 1e-5)
    assert not exactly.is_near_divergence  # up to the decimals of log2


def test_a_transferred_value_whose_runs_collapsed_failed_too(fits: dict[str, Fits]) -> None:
    figures = hp_figures(fits["lr"], planted.question())
    slice_ = figures.target.slice
    loss = slice_.loss.copy()
    loss[figures.target_index] += 20.0
    stuck = replace(figures, target=replace(figures.target, slice=replace(slice_, loss=loss)))
    assert stuck.failed_at_target == "collapsed"
    # It is no divergence: values near it may well be good.
    assert stuck.octaves_to_divergence is None
