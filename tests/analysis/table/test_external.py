"""Tables from elsewhere: read, completed, refused with reasons."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mutransfer.analysis.table.external import read_external, read_table
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
        (lambda d: d.drop(columns="loss"), "; got 'loss'; correct the mapping"),
        (lambda d: d.assign(learning_rate=np.log2(d["learning_rate"])), "looks like a logarithm"),
        (lambda d: d.assign(learning_rate=-np.log10(d["learning_rate"])), "looks like a logarithm"),
        (lambda d: d.assign(n=d["n"] + 0.5), "width: whole numbers below 2^63; got 64.5 in line 2"),
        (lambda d: d[d["n"] == 64], "two widths"),
        (lambda d: d.assign(loss="high"), "numbers; got 'high' in line 2"),
        (lambda d: d.assign(arm="ntk"), "one of mup, sp"),
        (lambda d: d.assign(status="odd"), "status: one of done, diverged, pruned, failed, or a"),
        (lambda d: d.assign(seed=np.inf), "seed: whole numbers below 2^63; got inf in line 2"),
        (lambda d: d.assign(loss=True), "val_loss: numbers; got True in line 2"),
        (lambda d: d.assign(loss="1+2j"), "val_loss: numbers; got '1+2j' in line 2"),
        (lambda d: d.assign(n=np.inf), "width: whole numbers below 2^63; got inf in line 2"),
        (lambda d: d[:0], "one row for each run; got an empty table"),
        (
            lambda d: d.assign(**{"hp.": 1.0}),
            "a name after hp. in the column of an HP; got 'hp.lr', ",
        ),
        (
            lambda d: d.assign(**{"hp.\x1b[1m": 1.0}),
            r"got 'hp.lr', 'hp.\x1b[1m'; name it like hp.lr",
        ),
        (
            lambda d: d.assign(learning_rate=d["learning_rate"] ** 12),
            "hp.lr: values within a factor of 2^64; got ",
        ),
    ],
)
def test_a_faulty_table_is_refused_with_a_reason(
    tmp_path: Path, change: Callable, message: str
) -> None:
    assert message in fault(change(results()), tmp_path)


def test_two_columns_cannot_share_a_name(tmp_path: Path) -> None:
    df = results().assign(other=1.0)
    assert "val_loss for several" in fault(df, tmp_path, MAPPING | {"other": "val_loss"})


def test_a_csv_may_have_semicolons_and_decimal_commas(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    results().to_csv(path, index=False, sep=";", decimal=",")
    expected = read_table(results(), MAPPING)
    for options in ({}, {"sep": ";", "decimal": ","}):
        table = read_table(path, MAPPING, **options)
        pd.testing.assert_frame_equal(
            table.drop(columns="study"), expected.drop(columns="study"), check_dtype=False
        )
    with pytest.raises(TableError, match="got more; correct it, or give sep"):
        read_table(path, MAPPING, sep=",")


def test_a_learning_rate_of_sgd_may_exceed_ten_and_that_is_said(tmp_path: Path) -> None:
    df = results().assign(learning_rate=lambda d: 2048 * d["learning_rate"])
    assert df["learning_rate"].max() > 10
    read = read_external(saved(df, tmp_path), MAPPING)
    assert len(read.rows) == len(df)
    assert read.notes[1:] == (
        "hp.lr: 0.5 to 64 are taken as learning rates, not as logarithms of them.",
    )


def test_values_that_differ_by_rounding_are_one_at_every_width() -> None:
    df = results()
    rounded = df.assign(
        learning_rate=[
            float(f"{x:.{3 + (n > 64)}g}")
            for x, n in zip(df["learning_rate"], df["n"], strict=True)
        ]
    )
    assert rounded["learning_rate"].nunique() > df["learning_rate"].nunique()
    expected = read_table(df, MAPPING)
    joined = read_table(rounded, MAPPING)
    assert joined["hp.lr"].nunique() == expected["hp.lr"].nunique()
    np.testing.assert_allclose(joined["hp.lr"], expected["hp.lr"], rtol=0.005)


def test_repeats_are_numbered_and_copies_left_out() -> None:
    unnumbered = read_external(results().drop(columns="seed"), MAPPING)
    assert not unnumbered.paired and set(unnumbered.rows["seed"]) == {0, 1, 2}
    assert read_external(results(), MAPPING).paired
    copied = read_external(pd.concat([results(), results()]), MAPPING)
    assert copied.paired and "72 row(s) repeat another one" in copied.notes[-1]
    columns = [c for c in copied.rows if c != "trial_id"]
    pd.testing.assert_frame_equal(copied.rows[columns], read_table(results(), MAPPING)[columns])


def test_a_column_of_status_that_is_not_mapped_is_used_and_that_is_said() -> None:
    df = results().assign(State=lambda d: np.where(d["n"] > 128, "crashed", "finished"))
    read = read_external(df, MAPPING)
    assert (read.rows["status"] == "failed").sum() == (df["n"] > 128).sum()
    assert read.notes[0] == (
        "State is taken for the status of a run, as by --columns State=status."
    )
    mapped = read_external(df, MAPPING | {"State": "status"})
    pd.testing.assert_frame_equal(mapped.rows, read.rows)
    assert not any("State" in note for note in mapped.notes)
    with pytest.raises(TableError, match=r"one column of status; got State, state2; map one"):
        read_table(df.assign(state2="RUNNING"), MAPPING)


def test_columns_that_are_not_needed_are_not_read() -> None:
    other = results().assign(generation="first", threads=0.5, params="{}", error=[[1]] * 72)
    pd.testing.assert_frame_equal(read_table(other, MAPPING), read_table(results(), MAPPING))


def test_counts_of_parameters_may_have_units_and_need_no_width(tmp_path: Path) -> None:
    mapping = {"learning_rate": "hp.lr", "loss": "val_loss"}
    text = results().assign(params=lambda d: d["n"].map({64: "124M", 128: "0.5B", 256: "2B"}))
    table = read_table(saved(text.drop(columns="n"), tmp_path), mapping, "params")
    assert set(table["params"]) == {124_000_000, 500_000_000, 2_000_000_000}
    named = text.assign(n_params=table["params"]).drop(columns=["n", "params"])
    pd.testing.assert_frame_equal(
        read_table(named, mapping, "params").drop(columns="study"), table.drop(columns="study")
    )
    with pytest.raises(TableError, match="params: numbers; got '1,300M' in"):
        read_table(text.assign(params="1,300M"), mapping, "params")


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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.assign(loss=True), "table: val_loss: numbers; got True in the row with index"),
        (lambda d: d.assign(loss=d["loss"].astype(object).where(d["n"] > 64, True)), "got True in"),
        (
            lambda d: d.assign(loss=1 + 2j),
            "val_loss: numbers; got (1+2j) in the row with index 'r0'",
        ),
        (lambda d: d.assign(loss=pd.Timestamp(0)), "val_loss: numbers; got Timestamp("),
        (lambda d: d.assign(loss=pd.Timedelta(1)), "val_loss: numbers; got Timedelta("),
        (lambda d: d.assign(loss=[[1]] * len(d)), "val_loss: numbers; got [1] in"),
        (lambda d: d.assign(learning_rate=True), "hp.lr: numbers; got True"),
        (lambda d: d.assign(learning_rate=np.complex64(1)), "hp.lr: numbers; got"),
        (lambda d: d.assign(learning_rate=pd.Timestamp(0)), "hp.lr: numbers; got Timestamp"),
        (lambda d: d.assign(**{"hp.x": np.inf}), "hp.x: finite or empty; got 72 infinite"),
        (lambda d: d.assign(n=False), "width: numbers; got False"),
        (
            lambda d: d.assign(seed=0.5),
            "seed: whole numbers below 2^63; got 0.5 in the row with index 'r0'",
        ),
        (lambda d: d.assign(n=d["n"] * 1e30), "width: whole numbers below 2^63; got 6.4e+31 in"),
        (lambda d: d.assign(base_width=0), "base_width: above 0 in every row"),
        (lambda d: d.assign(arm=[["mup"]] * len(d)), "arm: words; got ['mup'] in the row with"),
        (lambda d: d.assign(status=3), "status: words; got 3 in the row with index 'r0'"),
        (lambda d: pd.DataFrame(), "table: one row for each run; got an empty table"),
        (lambda d: d[:0], "table: one row for each run; got an empty table"),
        (
            lambda d: pd.DataFrame(None, d.index, d.columns),
            "table: one row for each run; got empty",
        ),
    ],
)
def test_a_faulty_frame_is_refused_with_the_label_of_the_row(
    change: Callable, message: str
) -> None:
    df = results()
    with pytest.raises(TableError) as refused:
        read_table(change(df.set_axis([f"r{i}" for i in range(len(df))])), MAPPING)
    assert message in str(refused.value)


def test_numbers_of_other_types_give_the_same_table() -> None:
    df = results()
    expected = read_table(df, MAPPING)
    changed = [
        df.convert_dtypes(),
        df.astype({"n": float, "seed": object, "loss": object}),
        df.astype({"learning_rate": "category", "loss": str}),
        df.assign(learning_rate=df["learning_rate"].map(Decimal)),
    ]
    for other in changed:
        pd.testing.assert_frame_equal(read_table(other, MAPPING), expected)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (".csv", ".csv: a .csv or .parquet file; got nothing there"),
        ("x" * 500 + ".csv", "cannot be read"),
    ],
)
def test_a_path_without_a_file_is_refused(table: str, message: str) -> None:
    with pytest.raises(TableError) as refused:
        read_table(table)
    assert message in str(refused.value)


def test_an_hp_has_a_name_and_an_axis_is_known() -> None:
    with pytest.raises(TableError, match=r"a name after hp\. in the column of an HP; got 'hp\.'"):
        read_table(results(), MAPPING | {"learning_rate": "hp."})
    with pytest.raises(
        TableError, match="axis: one of width, batch_size, steps, depth, params; got"
    ):
        read_table(results(), MAPPING, "x")


def test_a_suffix_may_be_in_capitals_and_a_folder_is_no_file(tmp_path: Path) -> None:
    df = results()
    saved(df, tmp_path).rename(tmp_path / "T.CSV")
    saved(df, tmp_path, "t.parquet").rename(tmp_path / "T.Parquet")
    for name in ("T.CSV", "T.Parquet"):
        assert len(read_table(tmp_path / name, MAPPING)) == len(df)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(TableError, match="got a folder"):
        read_table(tmp_path / "folder.csv")


def test_a_row_of_a_file_is_named_by_its_line(tmp_path: Path) -> None:
    path = saved(results(), tmp_path)
    header, *rows = path.read_text().splitlines()
    wrong = rows[3].rsplit(",", 1)[0] + ",high"
    path.write_text("\n".join(["", header, rows[0], "", ",,,,", rows[1], rows[2], wrong]))
    with pytest.raises(TableError, match=r"got 'high' in line 8"):
        read_table(path, MAPPING)
    path.write_text("\n".join([f"{header},note", f'{rows[0]},"two\nlines"', f"{wrong},"]))
    with pytest.raises(TableError, match=r"got 'high' in row 2"):
        read_table(path, MAPPING)
    parquet = saved(results().assign(loss="high"), tmp_path, "t.parquet")
    with pytest.raises(TableError, match=r"got 'high' in row 1"):
        read_table(parquet, MAPPING)
