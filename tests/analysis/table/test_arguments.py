"""Faults of the arguments in words, values in messages, numbers as plain Python's."""

import math
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mutransfer.analysis.table.arguments import (
    MOST_CHARS,
    MOST_NAMES,
    listed,
    plain_number,
    shown,
    table_faults,
)
from mutransfer.analysis.table.external import read_table
from mutransfer.analysis.table.table import TableError
from tests.analysis.external_tables import results


class Unprintable:
    """Somebody else's object."""

    def __repr__(self) -> str:
        """Fail."""
        raise RuntimeError


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (None, "table: a DataFrame, or the path of a .csv or .parquet file; got None"),
        ([1, 2], "got [1, 2]; give one of these"),
        ({"n": [64]}, "got {'n': [64]}; give one of these"),
        (pd.Series([1]), "got an object of type Series; give one of these"),
        (b"t.csv", "got b't.csv'; give one of these"),
        ("", "got ''; save it in one of these two formats"),
        ("t.txt", "file; got 't.txt'; save it in one of these two formats"),
        (Path("t.tsv"), "file; got 't.tsv'; save it in one of these two formats"),
        ("n,loss\n64,0.1\n", "file; got 'n,loss\\n64,0.1\\n'; save it"),
    ],
)
def test_what_is_no_table_is_refused(table: object, message: str) -> None:
    with pytest.raises(TableError) as refused:
        read_table(table)
    assert message in str(refused.value)


@pytest.mark.parametrize("columns", ["lr=hp.lr", ["lr"], dict, {"lr": 1}, {0: "hp.lr"}, [], 1])
def test_columns_are_a_mapping_of_names(columns: object) -> None:
    with pytest.raises(TableError, match=r"^columns: a mapping of the table's names to ours"):
        read_table(results(), columns)


@pytest.mark.parametrize("table", [pd.DataFrame(), "t.csv", Path("T.Parquet")])
@pytest.mark.parametrize("columns", [None, {}, {"learning_rate": "hp.lr", "loss": "val_loss"}])
def test_right_arguments_have_no_fault_and_wrong_ones_one_each(
    table: object, columns: object
) -> None:
    assert table_faults(table, columns, "depth") == []
    twice = {"a": "hp.lr", "b": "hp.lr", "c": "val_loss"}
    faults = table_faults("t.txt", twice, "Depth")
    assert [fault.split(":")[0] for fault in faults] == ["table", "axis", "columns"]
    assert "got hp.lr for several columns" in faults[2]
    assert table_faults(table, twice, "depth") == faults[2:]


def test_wrong_ways_to_read_are_named_each() -> None:
    faults = table_faults("t.csv", None, "width", sep=";;", decimal="x", goal="up")
    assert [fault.split(":")[0] for fault in faults] == ["sep", "decimal", "goal"]
    assert table_faults("t.csv", None, "width", sep="\t", decimal=",", goal="maximize") == []
    assert len(table_faults("t.csv", None, "width", sep=1, decimal=[], goal=None)) == 3


def test_a_list_of_names_is_short_and_on_one_line() -> None:
    assert listed(["a", "b\n", 3]) == "a, 'b\\n', 3"
    assert listed(["x"] * MOST_NAMES) == ", ".join(["x"] * MOST_NAMES)
    assert listed(["x"] * 500).endswith(f"x and {500 - MOST_NAMES} more")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\nb", r"'a\nb'"),
        (np.float64(0.5), "0.5"),
        (np.array([[1], [2]]), "an object of type ndarray"),
        (Unprintable(), "an object of type Unprintable"),
        pytest.param(10**9999, "an object of type int", id="more digits than Python prints"),
        ("x" * (MOST_CHARS - 2), repr("x" * (MOST_CHARS - 2))),
        ("x" * (MOST_CHARS - 1), "'" + "x" * (MOST_CHARS - 1) + "…"),
    ],
)
def test_a_value_in_a_message_is_short_and_on_one_line(value: object, text: str) -> None:
    assert shown(value) == text
    assert "\n" not in shown(value) and len(shown(value)) <= MOST_CHARS + 1


@pytest.mark.parametrize(
    ("value", "number"),
    [(np.int32(3), 3), (2**70, 2**70), (np.float32(0.5), 0.5), (Fraction(1, 4), 0.25), (-1, -1)],
)
def test_a_number_of_any_library_becomes_one_of_python(value: object, number: float) -> None:
    assert plain_number(value) == number
    assert type(plain_number(value)) is type(number)


@pytest.mark.parametrize(
    "value",
    [True, np.True_, "1", None, 1j, math.nan, -np.float32(np.inf), Decimal(1), 10**400, [1]],
)
def test_what_is_no_finite_number_becomes_none(value: object) -> None:
    assert plain_number(value) is None
