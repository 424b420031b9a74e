"""Tables as text: title, columns, cells, and how a number is written in a cell."""

import math
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


def bound_text(upper: float | None, digits: int = 4) -> str:
    """Return an upper bound as text: "open" where nothing bounds it, "unknown" for None."""
    if upper is None:
        return "unknown"
    return f"{upper:.{digits}g}" if math.isfinite(upper) else "open"


def flops_text(flops: float) -> str:
    """Return a number of FLOPs with its prefix, such as 3.21 TFLOP."""
    scales = (("Z", 1e21), ("E", 1e18), ("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6))
    for prefix, scale in scales:
        if flops >= 0.9995 * scale:  # 999.6 G is 1 T
            return f"{flops / scale:.3g} {prefix}FLOP"
    return f"{flops:.3g} FLOP"


def percent_text(share: float) -> str:
    """Return a share in % with 3 significant digits, or whole from 100 % on."""
    return f"{100 * share:,.0f} %" if share >= 1 else f"{100 * share:.3g} %"


def signed(value: float) -> str:
    """Return a number with its sign and two decimals; no minus zero."""
    return f"{round(value, 2) + 0.0:+.2f}".replace("-", "−")


def cell(value: float | None) -> str:
    """Return a number with 6 significant digits; empty for None and NaN, "open" if infinite."""
    return "" if value is None or np.isnan(value) else bound_text(value, 6)
