"""Cells and columns of text tables."""

import math

import pytest

from mutransfer.analysis.text_table import (
    cell,
    flops_text,
    number,
    percent_text,
    select_columns,
    text_table,
)


def test_numbers_have_significant_digits_and_missing_ones_a_dash_or_nothing() -> None:
    assert number(0.00123456) == "0.001235" and number(None) == "–"
    assert cell(0.123456789) == "0.123457" and cell(None) == "" and cell(math.nan) == ""


def test_flops_have_a_prefix_and_shares_are_in_percent() -> None:
    assert [flops_text(x) for x in (5, 3.21e12, 1.51e21)] == ["5 FLOP", "3.21 TFLOP", "1.51 ZFLOP"]
    assert flops_text(9.996e11) == "1 TFLOP"  # not 1e+03 GFLOP
    assert [percent_text(x) for x in (0.02884, 0.5, 1.33, 26.5)] == [
        "2.88 %", "50 %", "133 %", "2,650 %",
    ]  # fmt: skip


def test_columns_are_selected_in_the_order_given() -> None:
    table = text_table("t", ["a", "b", "c"], [["1", "2", "3"]])
    assert select_columns(table, ["c", "a"]).rows == (("3", "1"),)
    with pytest.raises(ValueError):
        select_columns(table, ["d"])
