"""Cells and columns of text tables."""

import math

import pytest

from mutransfer.analysis.text_table import cell, number, select_columns, text_table


def test_numbers_have_significant_digits_and_missing_ones_a_dash_or_nothing() -> None:
    assert number(0.00123456) == "0.001235" and number(None) == "–"
    assert cell(0.123456789) == "0.123457" and cell(None) == "" and cell(math.nan) == ""


def test_columns_are_selected_in_the_order_given() -> None:
    table = text_table("t", ["a", "b", "c"], [["1", "2", "3"]])
    assert select_columns(table, ["c", "a"]).rows == (("3", "1"),)
    with pytest.raises(ValueError):
        select_columns(table, ["d"])
