"""Slices: rows selected by HP values, one result for each cell, and when to extend."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from mutransfer.analysis.table.slice import Slice, bracket, log2_of, mean_loss, slice_of
from mutransfer.analysis.table.table import TableError, validate
from mutransfer.words import round_hp
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


def twice(study: pd.DataFrame, column: str, factor: float) -> pd.DataFrame:
    """The study and a second trial of each, with another value of an HP and a larger loss."""
    beside = {column: (study[column] * factor).map(round_hp), "val_loss": study["val_loss"] + 1}
    return study.assign(trial_id=study["trial_id"] + "b", **beside)


@pytest.mark.parametrize(
    ("column", "factor", "n_worse"),
    [("hp.lr", 1 + 4e-6, 0), ("hp.lr", 1 - 4e-6, 1), ("hp.init_std", 1 - 4e-6, 0)],
)
def test_trials_that_differ_in_the_last_digit_of_an_hp_are_one_value(
    study: pd.DataFrame, column: str, factor: float, n_worse: int
) -> None:
    """The trial at exactly the fixed HPs counts, then the one at the lower value."""
    plain, beside = lr_slice(study), twice(study, column, factor)
    for rows in ([study, beside], [beside, study]):
        both = lr_slice(pd.concat(rows))
        np.testing.assert_allclose(both.log2_x, plain.log2_x, atol=1.5e-5)
        np.testing.assert_array_equal(both.loss, plain.loss + n_worse)
        here = pd.concat(rows).query("arm == 'mup' and width == 64 and asked_by == 'slices'")
        assert all(both.index(log2_of(value)) is not None for value in here["hp.lr"])


def test_a_result_counts_before_a_failed_trial_of_the_same_value(study: pd.DataFrame) -> None:
    beside = twice(study, "hp.lr", 1 + 4e-6)
    failed = study.assign(status="failed", val_loss=pd.NA)
    kept = lr_slice(validate(pd.concat([failed, beside])))
    np.testing.assert_array_equal(kept.loss, lr_slice(beside).loss)


def test_values_that_differ_by_more_than_rounding_are_two(study: pd.DataFrame) -> None:
    apart = lr_slice(pd.concat([study, twice(study, "hp.lr", 1 + 1e-4)]))
    assert apart.log2_x.size == 18


def test_means_are_adjusted_for_a_value_that_lacks_the_lucky_seed() -> None:
    complete = some_slice([[3, 13], [1, 11], [2, 12]])
    with_gap = some_slice([[3, 13], [np.nan, 11], [2, 12]])
    np.testing.assert_allclose(mean_loss(complete), [8, 6, 7])
    np.testing.assert_allclose(mean_loss(with_gap), [8, 6, 7])
    # The plain mean of the losses that are there would rank it last.
    assert np.nanmean(with_gap.loss, axis=1).argmax() == 1
    unpaired = dataclasses.replace(with_gap, paired=False)
    np.testing.assert_allclose(mean_loss(unpaired), [8, 11, 7])


def test_means_of_very_many_seeds_are_adjusted_within_memory() -> None:
    loss = np.add.outer([2.0, 1.0, 3.0], np.random.default_rng(0).normal(size=50_000))
    loss[0, 0] = np.nan  # a system of seeds × seeds would take 20 GB
    means = mean_loss(some_slice(loss.tolist()))
    np.testing.assert_allclose(means - means[1], [1, 0, 2], atol=1e-9)


def test_values_that_share_no_seed_are_compared_as_they_are() -> None:
    apart = some_slice([[3, 5, np.nan, np.nan], [np.nan, np.nan, 1, 2]])
    np.testing.assert_allclose(mean_loss(apart), [4, 1.5])


def test_the_seeds_that_occur_are_those_of_a_slice_where_none_are_named(
    study: pd.DataFrame,
) -> None:
    named, found = lr_slice(study, seeds=(1, 2, 3)), lr_slice(study, seeds=None, paired=False)
    assert (named.seeds, named.paired, named.n_missing) == ((1, 2, 3), True, 9)
    assert (found.seeds, found.paired, found.n_missing) == ((1, 2), False, 0)
    np.testing.assert_array_equal(named.loss[:, :2], found.loss)
    assert lr_slice(study, seeds=None, axis_value=7).loss.shape == (0, 1)


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
    assert (sides.best, sides.wall_right, sides.n_worse_right) == (1, 3.0, 1)


def test_a_failed_cell_is_not_a_worse_value() -> None:
    sides = bracket(some_slice([[3], [2], [1], [np.nan], [np.nan]]))
    assert (sides.n_worse_right, sides.wall_right, sides.wants_right) == (0, None, True)


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


def test_the_order_of_rows_and_the_numbers_of_seeds_do_not_matter(study: pd.DataFrame) -> None:
    plain = lr_slice(study)
    shuffled = study.sample(frac=1.0, random_state=1)
    renumbered = shuffled.assign(seed=10 - shuffled["seed"])
    for other in (lr_slice(shuffled), lr_slice(renumbered, seeds=(9, 8))):
        np.testing.assert_array_equal(other.log2_x, plain.log2_x)
        np.testing.assert_array_equal(other.loss, plain.loss)
    # Whose losses are whose is in the seeds.
    assert not np.array_equal(lr_slice(study, seeds=(2, 1)).loss, plain.loss)


def test_a_collapsed_value_is_a_wall_and_not_usable() -> None:
    losses = [[3, 3], [2, 2], [1, 1], [2, 2], [3, 3], [90, 91]]
    stuck = some_slice(losses)
    assert stuck.collapsed.tolist() == stuck.walls.tolist() == [False] * 5 + [True]
    assert (~stuck.usable).tolist() == stuck.walls.tolist()
    assert bracket(stuck).wall_right == 5.0 and np.isnan(mean_loss(stuck)[-1])
    diverged = some_slice(losses, [5])
    assert not diverged.collapsed.any() and diverged.walls.tolist() == stuck.walls.tolist()
    assert not some_slice(losses[:5]).walls.any()


def test_unpaired_runs_have_plain_means_and_no_missing_cells() -> None:
    with_gap = some_slice([[3, 13], [np.nan, 11], [2, 12]])
    unpaired = dataclasses.replace(with_gap, paired=False)
    np.testing.assert_allclose(mean_loss(unpaired), [8, 11, 7])
    assert (with_gap.n_missing, unpaired.n_missing) == (1, 0)
