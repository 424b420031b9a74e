"""The table: round trip, validation, comparison."""

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mutransfer.analysis import table
from mutransfer.analysis.table.table import TableError
from tests.analysis import planted


def test_a_table_survives_parquet_parts_and_csv(study: pd.DataFrame, tmp_path: Path) -> None:
    parts = tmp_path / "trials"
    parts.mkdir()
    for k, rows in enumerate((study[:100], study[100:])):
        pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), parts / f"{k}.parquet")
    study.to_csv(tmp_path / "t.csv", index=False)
    assert table.same(study, table.read(parts)) == []
    assert table.same(study, table.read(tmp_path / "t.csv")) == []


def test_a_custom_hp_column_in_a_later_part_is_kept(study: pd.DataFrame, tmp_path: Path) -> None:
    for k, rows in enumerate((study[:3], study[3:6].assign(**{"hp.rank": 4.0}))):
        pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), tmp_path / f"{k}.parquet")
    assert table.read(tmp_path)["hp.rank"].tolist()[3:] == [4.0] * 3


def test_an_empty_directory_is_an_empty_table(tmp_path: Path) -> None:
    assert len(table.read(tmp_path)) == 0
    with pytest.raises(TableError, match="nothing"):
        table.read(tmp_path / "absent")


def test_columns_fit_the_arrow_schema(study: pd.DataFrame) -> None:
    schema = table.to_arrow_schema()
    assert schema.names == [c.name for c in table.COLUMNS]
    part = pa.Table.from_pandas(table.validate(table.empty()), schema=schema, preserve_index=False)
    assert part.schema.equals(schema)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": 2}, "must be 1; got"),
        ({"status": "fine"}, "status: one of"),
        ({"arm": "ntk"}, "arm: one of"),
        ({"trial_id": "same"}, "trial_id: must be unique"),
        ({"val_loss": float("inf")}, "finite"),
        ({"val_loss": None}, "finite"),
        ({"status": "diverged"}, "null unless done"),
        ({"hp.lr": float("inf")}, "finite or null"),
        ({"seed": None}, "must not be null"),
        ({"width": "wide"}, "must be int64"),
    ],
)
def test_a_faulty_table_is_refused(study: pd.DataFrame, change: dict, message: str) -> None:
    table.validate(study)
    with pytest.raises(TableError, match=message):
        table.validate(study.assign(**change))


def test_all_faults_are_listed_together(study: pd.DataFrame) -> None:
    with pytest.raises(TableError) as error:
        table.validate(study.assign(arm="ntk", trial_id="same"))
    assert "arm" in str(error.value)
    assert "unique" in str(error.value)
    with pytest.raises(TableError, match="seed"):
        table.validate(study.drop(columns=["seed", "status"]))


def test_same_sees_results_but_not_hosts(study: pd.DataFrame) -> None:
    moved = study.assign(host="b", wall_s=9.0, started_at="2026-01-01T00:00:00Z")
    assert table.same(study, moved) == []
    changed = study.copy()
    changed.loc[3, "val_loss"] += 1e-9
    assert any("val_loss" in text for text in table.same(study, changed))
    assert any("asked_by" in text for text in table.same(study, study.assign(asked_by="set")))
    assert any("only in" in text for text in table.same(study, study[1:]))


def test_a_base_width_row_counts_for_both_arms(study: pd.DataFrame) -> None:
    assert (study.query("width == @planted.BASE")["arm"] == "mup").all()
    sp = table.rows_of_arm(study, "sp")
    assert set(sp["width"]) == set(planted.WIDTHS)
    wide = study["width"] > planted.BASE
    assert (table.rows_of_arm(study[wide], "sp")["arm"] == "sp").all()
