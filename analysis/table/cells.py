"""The cells of a table from elsewhere: as numbers and as our words, and their faults."""

import numbers
from decimal import Decimal

import numpy as np
import pandas as pd

from mutransfer.analysis.table.arguments import shown
from mutransfer.analysis.table.axis import AXIS_LABELS, count_of
from mutransfer.analysis.table.files import Place
from mutransfer.analysis.table.schema import HP_PREFIX
from mutransfer.analysis.table.table import hp_columns
from mutransfer.analysis.table.trackers import status_of
from mutransfer.words import ARMS, STATUSES, Axis

INTEGERS = ("width", "params", "seed", "depth", "batch_size", "steps", "base_width", "n_val")
# Learning rates that lie evenly on a linear scale, as many or more, all above 1: logarithms, since
# rates are varied by factors.
MIN_EVEN_VALUES = 4
# Of the values of an HP: more is a slip, and a profile over so many locations needs gigabytes.
MOST_OCTAVES = 64


def convert(df: pd.DataFrame, axis: Axis, place: Place) -> list[str]:
    """Make the cells of a table numbers and our words, in place, and return their faults."""
    if not len(df):
        return ["one row for each run; got empty rows; add the runs"]
    numeric = ["val_loss", *hp_columns(df), *(n for n in (*INTEGERS, "flops") if n in df)]
    faults = [fault for name in numeric for fault in _converted(df, name, place)]
    faults += [
        fault for name in ("arm", "status") if name in df for fault in _words(df, name, place)
    ]
    faults += _bad_numbers(df, axis)
    if not faults and df[axis].nunique() < 2:
        got = df[axis].dropna().unique().tolist()
        label = AXIS_LABELS[axis]
        rule = f"transfer needs two {label.plural} or more"
        faults.append(f"{axis}: {rule}; got {got}; add runs of another {label.singular}")
    return faults


def _converted(df: pd.DataFrame, name: str, place: Place) -> list[str]:
    """Make the cells of a column numbers; the faults of those that are none."""
    faults = []
    cells = numbers_of(df[name], counts=name in INTEGERS and name != "seed")
    not_numbers = df.index[cells.isna() & df[name].notna()]
    if len(not_numbers):
        got = f"{shown(df[name][not_numbers[0]])} in {place(not_numbers[0])}"
        faults.append(f"{name}: numbers; got {got}; correct it or leave it empty")
    if name in INTEGERS:
        values = cells.to_numpy(dtype=float, na_value=np.nan)
        fractions = df.index[(np.abs(values) >= 2.0**63) | (np.floor(values) < values)]
        if len(fractions):
            got = f"{cells[fractions[0]]:g} in {place(fractions[0])}"
            faults.append(f"{name}: whole numbers below 2^63; got {got}; correct it")
    df[name] = cells
    return faults


def _words(df: pd.DataFrame, name: str, place: Place) -> list[str]:
    """Make the words of arm and status ours; the faults of those that are none."""
    cells = df[name].astype(object)
    ours = status_of if name == "status" else _arm_of
    texts = cells.where(cells.map(is_text), None)
    df[name] = texts.map({word: ours(word) for word in texts.dropna().unique()})
    bad = df.index[cells.notna() & df[name].isna()]
    if not len(bad):
        return []
    got = f"{shown(cells[bad[0]])} in {place(bad[0])}"
    if not is_text(cells[bad[0]]):
        return [f"{name}: words; got {got}; correct it or leave it empty"]
    if name == "arm":
        return [f"arm: one of {', '.join(ARMS)}; got {got}; correct it or leave it empty"]
    rule = f"one of {', '.join(STATUSES)}, or a word of Optuna, W&B, Ray, MLflow or Slurm"
    return [f"status: {rule}; got {got}; correct it or leave it empty"]


def _arm_of(word: str) -> str | None:
    plain = word.strip().lower()
    return plain if plain in ARMS else None


def _bad_numbers(df: pd.DataFrame, axis: Axis) -> list[str]:
    faults = []
    for name in (n for n in dict.fromkeys((axis, "width", "base_width")) if n in df):
        if df[name].isna().any() or (df[name] <= 0).any():
            faults.append(
                f"{name}: above 0 in every row; got empty cells or values not above 0; correct them"
            )
    for name in hp_columns(df):
        cells = df[name].dropna()
        if np.isinf(cells).any():
            n = int(np.isinf(cells).sum())
            faults.append(f"{name}: finite or empty; got {n} infinite; correct them")
        if len(cells) and _is_logarithm(name, cells):
            got = f"{cells.min():g} to {cells.max():g}"
            faults.append(
                f"{name}: the value itself, above 0; got {got}, which looks like a logarithm; give "
                "2**x or 10**x of it"
            )
        positive = np.log2(cells[(cells > 0) & np.isfinite(cells)])
        if len(positive) and np.ptp(positive) > MOST_OCTAVES:
            got = f"{2.0 ** positive.min():g} to {2.0 ** positive.max():g}"
            faults.append(
                f"{name}: values within a factor of 2^{MOST_OCTAVES}; got {got}; correct them"
            )
    return faults


def is_lr(name: str) -> bool:
    """Return whether a column is that of a learning rate, by its name."""
    return name.removeprefix(HP_PREFIX).lower().endswith(("lr", "learning_rate"))


def _is_logarithm(name: str, cells: pd.Series) -> bool:
    """Whether the cells of an HP are logarithms, by their name or as no learning rates can be."""
    is_named = name.removeprefix(HP_PREFIX).lower().startswith("log")
    if is_named and (is_lr(name) or bool((cells < 0).any())):
        return True
    steps = np.diff(np.unique(cells))
    is_even = steps.size >= MIN_EVEN_VALUES - 1 and np.ptp(steps) < 0.01 * steps.max()
    return is_lr(name) and bool((cells < 0).any() or (is_even and (cells > 1).all()))


def numbers_of(cells: pd.Series, *, counts: bool = False) -> pd.Series:
    """Return the cells as numbers; null where they are none.

    Text that reads as a number is one; booleans, complex numbers, dates and lists are none.

    Args:
        cells: The cells of a column.
        counts: Text with a unit is a number too: 124M.
    """
    if pd.api.types.is_integer_dtype(cells) or pd.api.types.is_float_dtype(cells):
        return pd.to_numeric(cells, errors="coerce")
    as_objects = cells.astype(object)
    readable = as_objects.where(as_objects.map(_is_number_or_text), None)
    if counts:
        readable = readable.map(_counted)
    try:
        return pd.to_numeric(readable, errors="coerce")
    except OverflowError:  # an int that no float can hold
        return pd.to_numeric(readable.map(str), errors="coerce")


def is_text(cell: object) -> bool:
    """Return whether a cell is text."""
    return isinstance(cell, str)


def _is_number_or_text(cell: object) -> bool:
    types = (str, numbers.Real, Decimal)
    return isinstance(cell, types) and not isinstance(cell, bool | np.bool_)


def _counted(cell: object) -> object:
    count = count_of(cell) if isinstance(cell, str) else None
    return cell if count is None else count
