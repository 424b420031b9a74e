"""Tables as text: title, columns, cells, and how a number is written in a cell."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class TextTable(NamedTuple):
    """A title, column names, and rows of text with one cell per column."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def text_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> TextTable:
    """Return a `TextTable` built from any sequences."""
    return TextTable(title, tuple(columns), tuple(tuple(row) for row in rows))


def select_columns(table: TextTable, names: Sequence[str]) -> TextTable:
    """Return the table with only the named columns, in the given order.

    Raises:
        ValueError: the table has no column of that name.
    """
    indices = [table.columns.index(name) for name in names]
    rows = tuple(tuple(row[i] for i in indices) for row in table.rows)
    return TextTable(table.title, tuple(names), rows)


def number(value: float | None, digits: int = 4) -> str:
    """Return a number with ``digits`` significant digits; a dash for None."""
    return "–" if value is None else f"{value:.{digits}g}"


def signed(value: float) -> str:
    """Return a number with its sign and two decimals; no minus zero."""
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", "−")


def cell(value: float | None) -> str:
    """Return a number with 6 significant digits; empty for None and NaN."""
    return "" if value is None or np.isnan(value) else f"{value:.6g}"
