"""Cells as numbers and as our words; which columns are logarithms."""

import numpy as np
import pandas as pd
import pytest

from mutransfer.analysis.table.cells import convert, numbers_of


def faults(**columns: object) -> list[str]:
    base = {"width": [64, 128, 256, 512], "hp.lr": [1e-3, 2e-3, 4e-3, 8e-3], "val_loss": [1.0] * 4}
    return convert(pd.DataFrame({**base, **columns}), "width", lambda i: f"row {i + 1}")


def test_counts_with_units_are_numbers_where_counts_stand() -> None:
    cells = pd.Series(["124M", "1.3B", "512", "1.2e3", "70 k", None])
    expected = [124e6, 1.3e9, 512, 1200, 70_000, np.nan]
    np.testing.assert_array_equal(numbers_of(cells, counts=True), expected)
    assert numbers_of(cells).isna().sum() == 4


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("hp.lr", [-3.0, -2.5, -2.0, -1.5]),
        ("hp.lr", [1.5, 2.0, 2.5, 3.0]),  # −log10, evenly spaced
        ("hp.log_lr", [1e-3, 2e-3, 4e-3, 8e-3]),
        ("hp.log2_wd", [-10.0, -8.0, -6.0, -4.0]),
    ],
)
def test_logarithms_are_refused(name: str, cells: list[float]) -> None:
    (fault,) = faults(**{name: cells})
    assert fault.startswith(f"{name}: the value itself, above 0; got")


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("hp.lr", [0.25, 2.0, 16.0, 64.0]),
        ("hp.lr", [2.0, 4.0, 8.0, 16.0]),
        ("hp.lr", [0.0, 1e-3, 2e-3, 4e-3]),  # untrained, without a place on the log scale
        ("hp.shift", [-2.0, -1.0, 0.0, 1.0]),
        ("hp.log_every", [1.0, 10.0, 100.0, 1000.0]),
    ],
)
def test_values_themselves_are_not(name: str, cells: list[float]) -> None:
    assert faults(**{name: cells}) == []


def test_words_become_ours_and_others_are_faults() -> None:
    df = pd.DataFrame({"width": [64, 128], "hp.lr": 1e-3, "val_loss": 1.0})
    df = df.assign(arm=[" MUP", None], status=["FAIL", None])
    assert convert(df, "width", str) == []
    assert df["arm"].tolist()[0] == "mup" and df["status"].tolist()[0] == "failed"
    assert df[["arm", "status"]].isna().sum().tolist() == [1, 1]
    wrong = faults(arm="ntk", status=["done", "maybe", "done", "done"])
    assert [w.split(";")[1] for w in wrong] == [" got 'ntk' in row 1", " got 'maybe' in row 2"]
