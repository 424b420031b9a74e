"""Tables from elsewhere: read, completed, refused with reasons."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mutransfer.analysis.table.external import read_table
from mutransfer.analysis.table.table import TableError
from tests.analysis.external_tables import MAPPING, along, results, saved


def fault(df: pd.DataFrame, folder: Path, mapping: dict[str, str] = MAPPING) -> str:
    with pytest.raises(TableError) as caught:
        read_table(saved(df, folder), mapping)
    return str(caught.value)


def test_csv_parquet_and_a_data_frame_give_one_table(tmp_path: Path) -> None:
    df = results(arms=("mup", "sp"))
    csv = read_table(saved(df, tmp_path), MAPPING)
    parquet = read_table(saved(df, tmp_path, "t.parquet"), MAPPING)
    pd.testing.assert_frame_equal(csv, parquet, check_dtype=False)
    frame = read_table(df, MAPPING)
    pd.testing.assert_frame_equal(
        csv.drop(columns="study"), frame.drop(columns="study"), check_dtype=False
    )


def test_an_empty_loss_is_a_divergence_and_status_words_are_translated(tmp_path: Path) -> None:
    df = results()
    table = read_table(saved(df, tmp_path), MAPPING)
    assert (table["status"] == "diverged").sum() == df["loss"].isna().sum() > 0
    with_words = df.assign(status=np.where(df["loss"].isna(), "crashed", "finished"))
    statuses = read_table(saved(with_words, tmp_path), MAPPING)["status"]
    assert set(statuses) == {"done", "failed"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.drop(columns="loss"), "names 'loss'"),
        (lambda d: d.assign(learning_rate=np.log2(d["learning_rate"])), "looks like a logarithm"),
        (lambda d: d.assign(learning_rate=-np.log10(d["learning_rate"])), "looks like a logarithm"),
        (lambda d: d.assign(loss=np.inf), "infinite"),
        (lambda d: d.assign(n=d["n"] + 0.5), "width: whole numbers; got 64.5 in row 2"),
        (lambda d: d[d["n"] == 64], "two widths"),
        (lambda d: pd.concat([d, d]), "equal rows"),
        (lambda d: d.drop(columns="seed"), "add a column seed"),
        (lambda d: d.assign(loss="high"), "numbers; got 'high' in row 2"),
        (lambda d: d.assign(arm="ntk"), "one of mup, sp"),
    ],
)
def test_a_faulty_table_is_refused_with_a_reason(
    tmp_path: Path, change: Callable, message: str
) -> None:
    assert message in fault(change(results()), tmp_path)


def test_two_columns_cannot_share_a_name_and_semicolons_are_reported(tmp_path: Path) -> None:
    df = results().assign(other=1.0)
    assert "val_loss for several" in fault(df, tmp_path, MAPPING | {"other": "val_loss"})
    path = tmp_path / "s.csv"
    results().to_csv(path, index=False, sep=";")
    with pytest.raises(TableError, match="semicolons"):
        read_table(path, {})


def test_a_learning_rate_of_sgd_may_exceed_one(tmp_path: Path) -> None:
    df = results().assign(learning_rate=lambda d: 64 * d["learning_rate"])
    assert df["learning_rate"].max() > 1
    assert len(read_table(saved(df, tmp_path), MAPPING)) == len(df)


def test_missing_columns_are_listed_beside_those_of_the_file(tmp_path: Path) -> None:
    message = fault(results(), tmp_path, mapping={})
    assert all(f"needs a column {n}" in message for n in ("width", "val_loss", "hp.<name>"))
    assert "learning_rate" in message


def test_another_axis_needs_its_column(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="needs a column batch_size"):
        read_table(saved(results(), tmp_path), MAPPING, "batch_size")
    mapping = {"learning_rate": "hp.lr", "loss": "val_loss"}
    table = read_table(saved(along("batch_size", results()), tmp_path), mapping, "batch_size")
    assert set(table["batch_size"]) == {64, 128, 256}
