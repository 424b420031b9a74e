"""Statuses, defaults and signs of a table from elsewhere, and what is said of them."""

import numpy as np
import pandas as pd
import pytest

from mutransfer.analysis.table.completed import LARGEST_LOSS, completed


def table(**columns: object) -> pd.DataFrame:
    base = {"width": [64, 64, 128, 128], "hp.lr": [0.001, 0.002] * 2, "val_loss": [1.0, 2, 3, 4]}
    return pd.DataFrame({**base, **columns})


@pytest.mark.parametrize("loss", [np.nan, np.inf, -np.inf, LARGEST_LOSS])
@pytest.mark.parametrize("status", [None, "done"])
def test_a_finished_run_without_a_finite_loss_diverged_and_that_is_said(loss, status) -> None:
    df, notes = completed(table(val_loss=[1.0, 2.0, 3.0, loss], status=status), "s", "width")
    assert df["status"].tolist() == ["done"] * 3 + ["diverged"]
    assert df["val_loss"].isna().tolist() == [False] * 3 + [True]
    assert notes == ["1 run(s) without a finite loss are taken for diverged."]
    assert completed(table(status=status), "s", "width")[1] == []


def test_the_loss_of_a_run_that_did_not_end_is_no_result() -> None:
    df, notes = completed(table(status=["done", "failed", "pruned", None]), "s", "width")
    assert df["val_loss"].notna().tolist() == [True, False, False, True]
    assert df["status"].tolist() == ["done", "failed", "pruned", "done"]
    assert notes == ["2 run(s) that did not end by themselves are no results."]


def test_the_sign_of_a_score_is_turned() -> None:
    df, _ = completed(table(), "s", "width", "maximize")
    assert df["val_loss"].tolist() == [-1, -2, -3, -4]
    assert completed(table(), "s", "width")[0]["val_loss"].tolist() == [1, 2, 3, 4]


def test_a_missing_width_is_filled_and_no_run_counts_for_both_arms() -> None:
    df, _ = completed(table().rename(columns={"width": "steps"}), "s", "steps")
    assert df["width"].nunique() == 1 and not (df["width"] == df["base_width"]).any()
    df, _ = completed(table(width=[1, 1, 2, 2]), "s", "width")
    assert not df["base_width"].isin(df["width"]).any()


def test_a_batch_size_that_differs_at_one_width_is_an_hp() -> None:
    df, notes = completed(table(batch_size=[16, 32, 16, 32]), "s", "width")
    assert df["hp.batch_size"].tolist() == [16, 32, 16, 32] and "batch_size" not in df
    assert notes == ["The batch size differs at one width: it counts as an HP."]
    df, notes = completed(table(batch_size=[16, 16, 32, 32]), "s", "width")
    assert "hp.batch_size" not in df and not notes


def test_large_learning_rates_are_worth_a_word() -> None:
    (note,) = completed(table(**{"hp.lr": [2.0, 64.0] * 2}), "s", "width")[1]
    assert note == "hp.lr: 2 to 64 are taken as learning rates, not as logarithms of them."
    assert completed(table(**{"hp.wd": 64.0}), "s", "width")[1] == []
