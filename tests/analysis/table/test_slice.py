"""Slices: rows selected by HP values, one result for each cell, and when to extend."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from mutransfer.analysis.table.slice import Slice, bracket, mean_loss, slice_of
from mutransfer.analysis.table.table import TableError, validate
from tests.analysis import planted


def lr_slice(df: pd.DataFrame, **changes: object) -> Slice:
    arguments = {
        "hp": "lr",
        "fixed": planted.CENTER,
        "axis_value": 64,
        "arm": "mup",
        "seeds": (1, 2),
    }
    return slice_of(df, **(arguments | changes))


def some_slice(losses: list[list[float]], diverged: list[int] | None = None) -> Slice:
    loss = np.array(losses, dtype=float)
    diverged_mask = np.zeros(len(loss), dtype=bool)
    diverged_mask[diverged or []] = True
    return Slice(
        hp="lr",
        arm="mup",
        axis_value=64,
        log2_x=np.arange(len(loss), dtype=float),
        loss=loss,
        seeds=tuple(range(loss.shape[1])),
        diverged=diverged_mask,
        fixed={},
    )


def test_a_slice_is_selected_by_hp_values_whichever_stage_requested_it(study: pd.DataFrame) -> None:
    selected = lr_slice(study)
    np.testing.assert_array_equal(selected.log2_x, np.arange(-12.0, -3.0))
    assert selected.loss.shape == (9, 2)
    renamed = lr_slice(study.assign(asked_by="search"))
    np.testing.assert_array_equal(renamed.loss, selected.loss)
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


def test_of_trials_that_differ_in_their_validations_the_one_with_fewer_counts(
    study: pd.DataFrame,
) -> None:
    few = study.assign(n_val=1)
    many = study.assign(trial_id=study["trial_id"] + "b", n_val=20, val_loss=study["val_loss"] + 1)
    for both in (pd.concat([few, many]), pd.concat([many, few])):
        assert lr_slice(validate(both)).loss.tolist() == lr_slice(study).loss.tolist()
    assert lr_slice(many).loss.tolist() != lr_slice(study).loss.tolist()
    assert lr_slice(pd.concat([study, many])).loss.tolist() == lr_slice(study).loss.tolist()


def test_mixed_or_duplicate_rows_are_refused(study: pd.DataFrame) -> None:
    duplicated = pd.concat([study, study.assign(trial_id=study["trial_id"] + "b")])
    with pytest.raises(TableError, match="one result for each value and seed"):
        lr_slice(duplicated)
    with pytest.raises(TableError, match="one steps"):
        lr_slice(study.assign(steps=np.arange(len(study))))


def test_means_are_adjusted_for_a_value_that_lacks_the_lucky_seed() -> None:
    complete = some_slice([[3, 13], [1, 11], [2, 12]])
    with_gap = some_slice([[3, 13], [np.nan, 11], [2, 12]])
    np.testing.assert_allclose(mean_loss(complete), [8, 6, 7])
    np.testing.assert_allclose(mean_loss(with_gap), [8, 6, 7])
    # The plain mean of the losses that are there would rank it last.
    assert np.nanmean(with_gap.loss, axis=1).argmax() == 1


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
def test_slices_are_extended_until_two_values_are_worse_or_one_diverged(
    losses: list, diverged: list, left: bool, right: bool
) -> None:
    sides = bracket(some_slice(losses, diverged))
    assert (sides.wants_left, sides.wants_right) == (left, right)


def test_a_value_at_which_one_seed_diverged_is_not_the_best() -> None:
    losses = [[5, 5], [3, 3], [4, 4], [1, np.nan]]
    assert bracket(some_slice(losses)).best == 3
    sides = bracket(some_slice(losses, [3]))
    assert (sides.best, sides.diverged_right, sides.n_worse_right) == (1, 3.0, 1)


def test_a_failed_cell_is_not_a_worse_value() -> None:
    sides = bracket(some_slice([[3], [2], [1], [np.nan], [np.nan]]))
    assert (sides.n_worse_right, sides.diverged_right, sides.wants_right) == (0, None, True)


def test_a_slice_without_rows_is_not_extended(study: pd.DataFrame) -> None:
    sides = bracket(lr_slice(study, axis_value=7))
    assert dataclasses.astuple(sides) == (None, 0, 0, None, None, False, False)


def test_at_base_width_a_table_with_both_arms_gives_each_its_own(
    study: pd.DataFrame,
) -> None:
    base = study[study["width"] == planted.BASE]
    other = base.assign(arm="sp", trial_id=base["trial_id"] + "s", val_loss=base["val_loss"] + 0.1)
    both = pd.concat([study, other])
    mup, sp = (lr_slice(both, axis_value=planted.BASE, arm=arm) for arm in ("mup", "sp"))
    np.testing.assert_allclose(sp.loss, mup.loss + 0.1)
