"""The arguments of the notebook functions: their faults in words, and numbers as plain Python's."""

import math
import numbers
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from mutransfer.words import AXES, GOALS

FORMATS = ("csv", "parquet")
MOST_CHARS = 60  # of a value in a message
MOST_NAMES = 20  # of columns in a message

_NO_SEPARATORS = '"\r\n\0'


def shown(value: object) -> str:
    """Return a value for a message: on one line and short, or its type."""
    try:
        text = repr(value.item() if isinstance(value, np.generic) else value)
    except Exception:  # of somebody else's object; int: more digits than Python prints
        text = "\n"
    if "\n" in text:
        return f"an object of type {type(value).__name__}"
    return text if len(text) <= MOST_CHARS else text[:MOST_CHARS] + "…"


def listed(names: Iterable[object]) -> str:
    """Return names for a message, with commas: on one line, and not all of very many."""
    texts = [
        name if isinstance(name, str) and name.isprintable() else shown(name) for name in names
    ]
    more = len(texts) - MOST_NAMES
    return ", ".join(texts[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def plain_number(value: object) -> int | float | None:
    """Return a number (numpy's too) as int or float; None for anything else and if not finite."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        number = int(value) if isinstance(value, numbers.Integral) else float(value)
        return number if math.isfinite(number) else None
    except OverflowError:
        return None


def is_table_file(path: str | os.PathLike[str]) -> bool:
    """Whether a path has the suffix of a format that can be read, in capitals too."""
    return os.fspath(path).lower().endswith(tuple(f".{name}" for name in FORMATS))


def table_faults(
    table: Any,
    columns: Any,
    axis: Any,
    *,
    sep: Any = None,
    decimal: Any = None,
    goal: Any = "minimize",
) -> list[str]:
    """Return the faults of the arguments that say which table is read, and how."""
    faults = []
    rule = "table: a DataFrame, or the path of a .csv or .parquet file"
    if not isinstance(table, pd.DataFrame | str | os.PathLike):
        faults.append(f"{rule}; got {shown(table)}; give one of these")
    elif not isinstance(table, pd.DataFrame) and not is_table_file(table):
        faults.append(f"{rule}; got {shown(str(table))}; save it in one of these two formats")
    if not isinstance(axis, str) or axis not in AXES:
        faults.append(f"axis: one of {', '.join(AXES)}; got {shown(axis)}; pick one")
    faults += [] if columns is None else _column_faults(columns)
    if sep is not None and not (
        isinstance(sep, str) and len(sep) == 1 and sep not in _NO_SEPARATORS
    ):
        faults.append(f"sep: one character between cells, as ','; got {shown(sep)}; correct it")
    if decimal is not None and not (isinstance(decimal, str) and decimal in (".", ",")):
        faults.append(f"decimal: . or ,; got {shown(decimal)}; pick one")
    if not isinstance(goal, str) or goal not in GOALS:
        faults.append(f"goal: one of {', '.join(GOALS)}; got {shown(goal)}; pick one")
    return faults


def _column_faults(columns: Any) -> list[str]:
    is_mapping = isinstance(columns, Mapping)
    if not is_mapping or not all(isinstance(n, str) for pair in columns.items() for n in pair):
        return [
            "columns: a mapping of the table's names to ours, all of them text; got "
            f"{shown(columns)}; write it like {{'learning_rate': 'hp.lr', 'loss': 'val_loss'}}"
        ]
    ours = [*columns.values()]
    twice = sorted({name for name in ours if ours.count(name) > 1})
    if twice:
        return [f"columns: each name once; got {', '.join(twice)} for several columns; keep one"]
    return []
