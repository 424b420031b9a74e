"""Plain-text tables: cells, columns, and numbers as people read them."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class TextTable(NamedTuple):
    """A title, column names, and rows of text, one cell a column."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def columns_of(table: TextTable, names: Sequence[str]) -> TextTable:
    """Return the table with only the named columns, in that order."""
    places = [table.columns.index(name) for name in names]
    rows = tuple(tuple(row[i] for i in places) for row in table.rows)
    return TextTable(table.title, tuple(names), rows)


def number(value: float | None, digits: int = 4) -> str:
    """Return a number in ``digits`` significant digits; a dash for None."""
    return "–" if value is None else f"{value:.{digits}g}"


def _cell(value: float | None) -> str:
    return "" if value is None or np.isnan(value) else f"{value:.6g}"


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> TextTable:
    return TextTable(title, tuple(columns), tuple(tuple(row) for row in rows))
