"""The fitted slices: gathered once, for the verdict and its figures."""

from collections import Counter
from collections.abc import Callable

import pandas as pd
import pytest

from mutransfer.analysis.figures.figure_set import all_figures, figure_data
from mutransfer.analysis.fit import curve
from mutransfer.analysis.table.slice import Slice
from mutransfer.analysis.verdict.evidence import gather
from mutransfer.analysis.verdict.judge import judge
from tests.analysis import planted


@pytest.fixture
def fitted(monkeypatch: pytest.MonkeyPatch) -> Counter:
    """How often each slice has been fitted."""
    counts: Counter = Counter()
    window_of: Callable = curve.window_of

    def counting(slice_: Slice, tolerance_loss: float) -> object:
        fixed = tuple(sorted(slice_.fixed.items()))
        counts[slice_.hp, slice_.arm, slice_.axis_value, fixed] += 1
        return window_of(slice_, tolerance_loss)

    monkeypatch.setattr(curve, "window_of", counting)
    return counts


def test_judging_and_drawing_one_study_fits_each_slice_once(
    study: pd.DataFrame, fitted: Counter
) -> None:
    noisy = study[study["seed"] != 2]  # INCONCLUSIVE, so that trials are proposed as well
    question = planted.question(defaults={"lr": 1e-3})
    fits = gather(noisy, question)
    verdict = judge(noisy, question, fits=fits)
    all_figures(figure_data(noisy, question, verdict, fits))
    assert verdict.settle and verdict.of_hp("lr").alternatives
    # lr: 4 widths of 2 arms and the target; init_std: 4 widths of one arm and the target.
    assert len(fitted) == 14 and set(fitted.values()) == {1}


def test_judging_without_the_fits_of_the_figures_fits_again(
    study: pd.DataFrame, fitted: Counter
) -> None:
    question = planted.question()
    fits = gather(study, question)
    verdict = judge(study, question)
    # The control of the test above.
    assert set(fitted.values()) == {2}
    assert verdict == judge(study, question, fits=fits)


def test_the_slices_of_an_arm_and_the_target_share_their_noise(study: pd.DataFrame) -> None:
    lr = gather(study, planted.question())["lr"]
    mup = [*lr.of_arm("mup"), lr.target]
    assert all(f.df > f.df_slice for f in mup)
    alone = gather(study, planted.question(axis_values=(64,), control=None))["lr"]
    assert alone.target is not None and lr.target is not None and alone.target.df < lr.target.df


def test_the_tolerance_of_a_fit_is_that_of_its_own_losses(study: pd.DataFrame) -> None:
    lr = gather(study, planted.question())["lr"]
    for fitted in (*lr.of_arm("mup"), lr.target):
        best = fitted.means.min()
        assert fitted.tolerance_loss == pytest.approx(0.01 * best)


def test_the_ladder_has_all_widths_of_the_arms_that_slice_an_hp(study: pd.DataFrame) -> None:
    fits = gather(study, planted.question())
    assert list(fits) == ["lr", "init_std"]
    assert [f.slice.axis_value for f in fits["lr"].of_arm("sp")] == list(planted.WIDTHS)
    assert fits["init_std"].of_arm("sp") == []
    assert fits["lr"].target is not None and fits["lr"].target.slice.axis_value == planted.TARGET
    unset = gather(study, planted.question(transferred=None))
    assert unset["lr"].target is None
