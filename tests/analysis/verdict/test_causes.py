"""Each cause that prevents a PASS, from a table that has nothing else."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mutransfer.analysis.fit.curve import fit_slice
from mutransfer.analysis.table.slice import Slice
from mutransfer.analysis.transfer.regret import regret
from mutransfer.analysis.verdict.evidence import Fits
from mutransfer.analysis.verdict.hp import hp_word
from mutransfer.analysis.verdict.judge import Verdict, judge
from mutransfer.analysis.verdict.question import Tolerance
from tests.analysis import planted
from tests.analysis.planted import Law
from tests.analysis.planted_shapes import FEW, LOSS, TOLERANCE, a_slice, slices
from tests.analysis.verdict.tables import codes, edited, is_set_at_target, lr_question


def judged(law: Law) -> Verdict:
    """The verdict on lr under a law."""
    return judge(planted.table(law, lr_question(), n_search=0), lr_question())


def test_a_value_close_to_divergence_never_passes() -> None:
    near = judged(Law(diverged_from={512: -8.0}))
    assert near.verdict == "INCONCLUSIVE"
    assert "near_divergence" in codes(near)
    assert judged(Law(diverged_from={512: -6.0})).verdict == "PASS"


def test_a_set_that_diverged_at_the_target_fails(study: pd.DataFrame) -> None:
    rows = is_set_at_target(study) & (study["seed"] == 1)
    failing = judge(edited(study, rows, "diverged"), planted.question())
    assert failing.verdict == "FAIL"
    assert "diverged_at_target" in codes(failing)


def test_a_set_that_collapsed_at_the_target_fails(study: pd.DataFrame) -> None:
    """Its runs end far above those of the values beside it."""
    stuck = study.copy()
    stuck.loc[is_set_at_target(study), "val_loss"] += 20.0
    failing = judge(stuck, planted.question())
    assert failing.verdict == "FAIL"
    assert "collapsed_at_target" in codes(failing)
    # One that is only worse than its neighbours did not collapse.
    stuck.loc[is_set_at_target(study), "val_loss"] -= 19.97
    assert "collapsed_at_target" not in codes(judge(stuck, planted.question()))


@pytest.mark.parametrize("status", ["failed", "pruned"])
def test_a_set_without_a_result_never_passes(study: pd.DataFrame, status: str) -> None:
    rows = is_set_at_target(study)
    without = judge(edited(study, rows, status), planted.question())
    assert without.verdict == "INCONCLUSIVE"
    assert "transferred_not_run" in codes(without)
    gone = judge(study[~rows], planted.question())
    assert gone.verdict == "INCONCLUSIVE"


def test_one_failed_run_in_a_slice_never_passes(study: pd.DataFrame) -> None:
    for width in (64, planted.TARGET):
        there = (study["width"] == width) & (study["arm"] == "mup") & (study["seed"] == 2)
        rows = study.index == study[there].index[0]
        failed = judge(edited(study, rows, "failed"), planted.question())
        assert failed.verdict == "INCONCLUSIVE"
        assert "missing_runs" in codes(failed)


@pytest.mark.parametrize("keep", [0, 1, 2, 3])
def test_too_few_values_never_pass(study: pd.DataFrame, keep: int) -> None:
    there = study["width"] == planted.TARGET
    values = sorted(study[there]["hp.lr"].unique(), key=lambda v: abs(np.log2(v) + 8.3))
    cut = study[~there | study["hp.lr"].isin(values[:keep])]
    assert judge(cut, planted.question()).verdict == "INCONCLUSIVE"


ONE_SEED = lr_question(seeds=(1,), target_seeds=(1,))


@pytest.mark.parametrize(
    ("law", "leans"),
    [
        (Law(noise_sd=1e-5), "towards transfer"),
        (Law(noise_sd=1e-5, target_shift=-2.0), "against transfer"),
        (Law(noise_sd=1e-5, diverged_from={planted.TARGET: -9.0}), "against transfer"),
        (Law(lr_curvature=0.0), ""),
    ],
)
def test_one_seed_neither_passes_nor_fails_and_says_which_way_it_leans(
    law: Law, leans: str
) -> None:
    question = ONE_SEED
    single = judge(planted.table(law, question, n_search=0), question)
    assert single.verdict == single.of_hp("lr").word == "INCONCLUSIVE"
    (cause,) = [c for c in single.of_hp("lr").causes if c.code == "one_seed"]
    assert f"leans {leans}" in cause.text


def test_two_seeds_of_the_same_laws_pass_and_fail() -> None:
    """The control: it is the seed that is missing."""
    assert judged(Law(noise_sd=1e-5)).verdict == "PASS"
    assert judged(Law(noise_sd=1e-5, target_shift=-2.0)).verdict == "FAIL"
    assert judged(Law(noise_sd=1e-5, diverged_from={planted.TARGET: -9.0})).verdict == "FAIL"


@given(slices(n_seeds=1), slices(n_seeds=1), st.floats(0.0, 1.0))
@FEW
def test_one_seed_is_inconclusive_whatever_the_data(
    search: Slice, target: Slice, share: float
) -> None:
    low, high = target.log2_x[[0, -1]]
    assert word(search, target, low + share * (high - low)) == "INCONCLUSIVE"


def word(search: Slice, target: Slice, log2_x: float) -> str:
    """The word on a value, from slices at the search and the target."""
    fits = [fit_slice(s, tolerance_loss=TOLERANCE) for s in (search, target)]
    question = lr_question(
        transferred={"lr": 2.0 ** float(log2_x)},
        tolerance=Tolerance(kind="abs_loss", value=TOLERANCE),
        external=True,
    )
    return hp_word(Fits(hp="lr", ladder={("mup", 64): fits[0]}, target=fits[1]), question).word


def test_several_seeds_of_such_data_give_all_three_words() -> None:
    x = np.arange(-2.0, 2.5, 0.5)
    rng = np.random.default_rng(0)
    losses = LOSS + TOLERANCE * (4 * x[:, None] ** 2 + 0.1 * rng.normal(0, 1, (9, 3)))
    slice_ = a_slice(x, losses)
    words = [word(slice_, slice_, log2_x) for log2_x in (0.0, 0.5, 2.0)]
    assert words == ["PASS", "INCONCLUSIVE", "FAIL"]


def test_a_curve_that_no_shape_fits_does_not_fail() -> None:
    x = np.arange(-4.0, 5.0)
    rng = np.random.default_rng(0)
    waves = {h: x**2 + h * np.cos(2.5 * x) for h in (0.0, 6.0)}
    search, *targets = (
        a_slice(x, LOSS + TOLERANCE * (y[:, None] + 0.02 * rng.normal(0, 1, (x.size, 3))))
        for y in (waves[0.0], waves[0.0], waves[6.0])
    )
    plain, wavy = (fit_slice(s, tolerance_loss=TOLERANCE) for s in targets)
    assert plain.scale == 1 < wavy.scale
    assert [regret(f, 3.0).lower > TOLERANCE for f in (plain, wavy)] == [True, True]
    assert word(search, targets[0], 3.0) == "FAIL"
    assert word(search, targets[1], 3.0) == "INCONCLUSIVE"
