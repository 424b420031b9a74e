"""Slices: found by HP values; what stands on either side of the best."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from mutransfer.analysis.table.slice import Slice, bracket, mean_loss, slice_of
from mutransfer.analysis.table.table import TableError, validate
from tests.analysis import planted


def lr_slice(df: pd.DataFrame, **changes: object) -> Slice:
    asked = {"hp": "lr", "fixed": planted.CENTER, "axis_value": 64, "arm": "mup", "seeds": (1, 2)}
    return slice_of(df, **(asked | changes))


def some_slice(losses: list[list[float]], diverged: list[int] | None = None) -> Slice:
    loss = np.array(losses, dtype=float)
    walls = np.zeros(len(loss), dtype=bool)
    walls[diverged or []] = True
    return Slice(
        hp="lr",
        arm="mup",
        axis_value=64,
        log2_x=np.arange(len(loss), dtype=float),
        loss=loss,
        seeds=tuple(range(loss.shape[1])),
        diverged=walls,
        fixed={},
    )


def test_a_slice_is_found_by_values_whoever_asked(study: pd.DataFrame) -> None:
    found = lr_slice(study)
    np.testing.assert_array_equal(found.log2_x, np.arange(-12.0, -3.0))
    assert found.loss.shape == (9, 2)
    renamed = lr_slice(study.assign(asked_by="search"))
    np.testing.assert_array_equal(renamed.loss, found.loss)
    assert len(lr_slice(study, fixed={"lr": 1.0, "init_std": 3.0}).log2_x) == 0


def test_the_base_width_serves_both_arms(study: pd.DataFrame) -> None:
    mup, sp = (lr_slice(study, axis_value=planted.BASE, arm=arm) for arm in ("mup", "sp"))
    np.testing.assert_array_equal(mup.loss, sp.loss)
    wide = [lr_slice(study, axis_value=256, arm=arm) for arm in ("mup", "sp")]
    assert not np.array_equal(wide[0].log2_x, wide[1].log2_x)


def test_none_matches_null_only(study: pd.DataFrame) -> None:
    clipped = study.assign(**{"hp.grad_clip": np.where(study["hp.lr"] > 2**-8.5, 1.0, np.nan)})
    assert len(lr_slice(clipped).log2_x) == 4
    with pytest.raises(TableError, match=r"hp\.betas"):
        lr_slice(study, fixed={"init_std": 1.0, "betas": 0.9})


def test_failed_rows_are_missing_cells_not_values(study: pd.DataFrame) -> None:
    broken = study.copy()
    row = broken.query("width == 64 and arm == 'mup' and seed == 1 and asked_by == 'slices'").index[
        0
    ]
    broken.loc[row, ["status", "val_loss"]] = ["failed", None]
    assert lr_slice(study).n_missing == 0
    assert lr_slice(broken).n_missing == 1


def test_of_trainings_that_differ_in_their_validations_that_with_fewer_counts(
    study: pd.DataFrame,
) -> None:
    one = study.assign(n_val=1)
    more = study.assign(trial_id=study["trial_id"] + "b", n_val=20, val_loss=study["val_loss"] + 1)
    for both in (pd.concat([one, more]), pd.concat([more, one])):
        assert lr_slice(validate(both)).loss.tolist() == lr_slice(study).loss.tolist()
    assert lr_slice(more).loss.tolist() != lr_slice(study).loss.tolist()
    assert lr_slice(pd.concat([study, more])).loss.tolist() == lr_slice(study).loss.tolist()


def test_mixed_or_doubled_rows_are_refused(study: pd.DataFrame) -> None:
    doubled = pd.concat([study, study.assign(trial_id=study["trial_id"] + "b")])
    with pytest.raises(TableError, match="one result a value and seed"):
        lr_slice(doubled)
    with pytest.raises(TableError, match="one steps"):
        lr_slice(study.assign(steps=np.arange(len(study))))


def test_means_are_fair_to_a_value_without_the_lucky_seed() -> None:
    whole = some_slice([[3, 13], [1, 11], [2, 12]])
    holed = some_slice([[3, 13], [np.nan, 11], [2, 12]])
    np.testing.assert_allclose(mean_loss(whole), [8, 6, 7])
    np.testing.assert_allclose(mean_loss(holed), [8, 6, 7])
    # The plain mean of what is there would put it last.
    assert np.nanmean(holed.loss, axis=1).argmax() == 1


@pytest.mark.parametrize(
    ("losses", "diverged", "left", "right"),
    [
        ([[3], [2], [1], [2], [3]], [], False, False),
        ([[2], [1], [2], [3]], [], True, False),
        ([[3], [2], [1], [2]], [], False, True),
        ([[3], [2], [1], [np.nan]], [3], False, False),
        ([[np.nan], [1], [2], [3]], [0], False, False),
        ([[np.nan], [np.nan]], [0, 1], True, False),
    ],
)
def test_slices_grow_until_two_worse_or_one_diverged(
    losses: list, diverged: list, left: bool, right: bool
) -> None:
    marks = bracket(some_slice(losses, diverged))
    assert (marks.wants_left, marks.wants_right) == (left, right)


def test_a_value_at_which_one_seed_diverged_is_not_the_best() -> None:
    losses = [[5, 5], [3, 3], [4, 4], [1, np.nan]]
    assert bracket(some_slice(losses)).best == 3
    marks = bracket(some_slice(losses, [3]))
    assert (marks.best, marks.diverged_right, marks.n_worse_right) == (1, 3.0, 1)


def test_a_failed_cell_is_not_a_worse_point() -> None:
    marks = bracket(some_slice([[3], [2], [1], [np.nan], [np.nan]]))
    assert (marks.n_worse_right, marks.diverged_right, marks.wants_right) == (0, None, True)


def test_a_slice_without_rows_asks_for_nothing(study: pd.DataFrame) -> None:
    marks = bracket(lr_slice(study, axis_value=7))
    assert dataclasses.astuple(marks) == (None, 0, 0, None, None, False, False)


def test_at_base_width_a_foreign_table_with_both_arms_gives_each_its_own(
    study: pd.DataFrame,
) -> None:
    base = study[study["width"] == planted.BASE]
    other = base.assign(arm="sp", trial_id=base["trial_id"] + "s", val_loss=base["val_loss"] + 0.1)
    both = pd.concat([study, other])
    mup, sp = (lr_slice(both, axis_value=planted.BASE, arm=arm) for arm in ("mup", "sp"))
    np.testing.assert_allclose(sp.loss, mup.loss + 0.1)
