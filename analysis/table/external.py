"""Results from elsewhere: a user's own CSV or Parquet file as a results table."""

import numbers
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mutransfer.analysis.table.arguments import shown, table_faults
from mutransfer.analysis.table.axis import AXIS_LABELS
from mutransfer.analysis.table.schema import COLUMNS, HP_PREFIX, SCHEMA_VERSION
from mutransfer.analysis.table.table import TableError, hp_columns, validate
from mutransfer.words import Axis, round_hp

# The status words of other trackers (W&B, Ray Tune), and ours.
STATUS_WORDS: Mapping[str, str] = {
    "finished": "done",
    "completed": "done",
    "terminated": "done",
    "crashed": "failed",
    "error": "failed",
    "killed": "failed",
    "running": "failed",
    "nan": "diverged",
}

# Cells above this, or all above 1, are not learning rates.
LARGEST_LR = 10.0

_INTEGERS = ("width", "seed", "depth", "batch_size", "steps", "base_width")
# With the HPs, what identifies a run.
_RUN_KEY = ("arm", "width", "depth", "batch_size", "steps", "seed")

Place = Callable[[int], str]  # where the user finds a row, by its position from 0


def read_table(
    source: pd.DataFrame | str | Path,
    columns: Mapping[str, str] | None = None,
    axis: Axis = "width",
) -> pd.DataFrame:
    """Return the user's table with our columns, validated.

    Required columns: ``width``, the column of the axis, ``val_loss`` (empty where a run diverged)
    and one or more ``hp.<name>``. Used if present: arm (default ``mup``), seed (default 0), status,
    base_width, batch_size, steps, depth, flops.

    Args:
        source: A DataFrame, which is not changed, or the path of a .csv or .parquet file.
        columns: The user's column names as keys, ours as values.
        axis: The axis along which transfer is judged.

    Raises:
        TableError: wrong arguments, no such file or column, cells that are not numbers, an LR
            given as a logarithm, infinite losses, a single axis value, or two results of one
            trial. Faults that can be found together are listed together.
    """
    faults = table_faults(source, columns, axis)
    if faults:
        raise TableError("\n".join(faults))
    name = "table" if isinstance(source, pd.DataFrame) else str(source)
    raw = source if isinstance(source, pd.DataFrame) else _read_file(Path(source))
    df = _renamed(raw, columns or {}, name)
    place = _place(source, raw)
    faults = _missing(df, name, list(raw.columns), axis) or _faults(df, name, axis, place)
    if faults:
        raise TableError("\n".join(faults))
    return validate(_completed(df.reset_index(drop=True), Path(name).stem))


def _read_file(path: Path) -> pd.DataFrame:
    try:
        if path.is_file():
            return pd.read_csv(path) if _is_csv(path) else pd.read_parquet(path)
    except (ValueError, OSError) as error:
        raise TableError(f"{path}: cannot be read: {error}; write it again") from None
    got = "a folder" if path.is_dir() else "nothing there"
    raise TableError(f"{path}: a .csv or .parquet file; got {got}; check the path")


def _is_csv(path: Path) -> bool:
    return path.name.lower().endswith(".csv")


def _place(source: pd.DataFrame | str | Path, raw: pd.DataFrame) -> Place:
    """Where the user finds a row: an index label, the line of a CSV, the number in a Parquet."""
    if isinstance(source, pd.DataFrame):
        return lambda i: f"the row with index {shown(raw.index[i])}"
    path = Path(source)
    return lambda i: (_is_csv(path) and _line(path, i, len(raw))) or f"row {i + 1}"


def _line(path: Path, position: int, n_rows: int) -> str:
    """The line of a row in a CSV; empty where rows are not lines (line breaks in cells)."""
    lines = [i for i, line in enumerate(path.read_bytes().splitlines(), 1) if line.strip()]
    return f"line {lines[position + 1]}" if len(lines) == n_rows + 1 else ""


def _renamed(raw: pd.DataFrame, columns: Mapping[str, str], source: str) -> pd.DataFrame:
    """The columns that we use, under our names, without empty rows; indexed by position."""
    if not len(raw.columns) or not len(raw):
        raise TableError(f"{source}: one row for each run; got an empty table; add the runs")
    absent = [name for name in columns if name not in raw.columns]
    if absent:
        raise TableError(
            f"{source}: columns: names of its columns ({', '.join(map(str, raw.columns))}); got "
            f"{', '.join(map(repr, absent))}; correct the mapping"
        )
    doubled = sorted({str(name) for name in raw.columns[raw.columns.duplicated()]})
    if doubled:
        raise TableError(
            f"{source}: each column once; got {', '.join(doubled)} several times; keep one"
        )
    if len(raw.columns) == 1 and ";" in str(raw.columns[0]):
        raise TableError(f"{source}: cells separated by commas; got semicolons; write it again")
    mapped = raw.drop(columns=[n for n in columns.values() if n in raw and n not in columns])
    df = mapped.rename(columns=dict(columns))
    ours = [c.name for c in COLUMNS if c.name in df and c.name not in ("schema", "trial_id")]
    extra = [name for name in hp_columns(df) if name not in ours]
    return df[[*dict.fromkeys([*ours, *extra])]].reset_index(drop=True).dropna(how="all")


def _missing(df: pd.DataFrame, source: str, names: list[str], axis: Axis) -> list[str]:
    """The faults of absent columns and nameless HPs; ``names`` are the columns of the file."""
    missing = [name for name in dict.fromkeys(("width", axis, "val_loss")) if name not in df]
    missing += [] if hp_columns(df) else ["hp.<name>"]
    hint = "rename it, or map it with columns (learning_rate to hp.lr, loss to val_loss)"
    got = ", ".join(map(str, names))
    faults = [f"{source}: needs a column {name}; got {got}; {hint}" for name in missing]
    if any(not name.removeprefix(HP_PREFIX).strip() for name in hp_columns(df)):
        rule = f"a name after {HP_PREFIX} in the column of an HP"
        faults.append(f"{source}: {rule}; got {HP_PREFIX!r}; name it like hp.lr")
    return faults


def _faults(df: pd.DataFrame, source: str, axis: Axis, place: Place) -> list[str]:
    """The faults of the cells; converts numeric columns in place."""
    if not len(df):
        return [f"{source}: one row for each run; got empty rows; add the runs"]
    faults = []
    numeric = ["width", "val_loss", *hp_columns(df)]
    numeric += [n for n in (*_INTEGERS, "flops") if n in df and n != "width"]
    for name in numeric:
        cells = _numbers(df[name])
        not_numbers = df.index[cells.isna() & df[name].notna()]
        if len(not_numbers):
            got = f"{shown(df[name][not_numbers[0]])} in {place(not_numbers[0])}"
            faults.append(f"{source}: {name}: numbers; got {got}; correct it or leave it empty")
        if name in _INTEGERS:
            values = cells.to_numpy(dtype=float, na_value=np.nan)
            fractions = df.index[(np.abs(values) >= 2.0**63) | (np.floor(values) < values)]
            if len(fractions):
                got = f"{cells[fractions[0]]:g} in {place(fractions[0])}"
                faults.append(f"{source}: {name}: whole numbers below 2^63; got {got}; correct it")
        df[name] = cells
    for name in (n for n in ("arm", "status") if n in df):
        for i in df.index[~df[name].isna() & ~df[name].astype(object).map(_is_text)][:1]:
            got = f"{shown(df[name][i])} in {place(i)}"
            faults.append(f"{source}: {name}: words; got {got}; correct it or leave it empty")
    faults += _bad_numbers(df, source, axis)
    if not faults and df[axis].nunique() < 2:
        got = df[axis].dropna().unique().tolist()
        label = AXIS_LABELS[axis]
        rule = f"transfer needs two {label.plural} or more"
        faults.append(f"{source}: {axis}: {rule}; got {got}; add runs of another {label.singular}")
    return faults or _duplicates(df, source, place)


def _numbers(cells: pd.Series) -> pd.Series:
    """The cells as numbers; null where they are none: text, booleans, complex numbers, dates."""
    if pd.api.types.is_integer_dtype(cells) or pd.api.types.is_float_dtype(cells):
        return pd.to_numeric(cells, errors="coerce")
    is_readable = cells.astype(object).map(_is_number_or_text)
    numbers_ = cells.astype(object).where(is_readable, None)
    try:
        return pd.to_numeric(numbers_, errors="coerce")
    except OverflowError:  # an int that no float can hold
        return pd.to_numeric(numbers_.map(str), errors="coerce")


def _is_text(cell: object) -> bool:
    return isinstance(cell, str)


def _is_number_or_text(cell: object) -> bool:
    types = (str, numbers.Real, Decimal)
    return isinstance(cell, types) and not isinstance(cell, bool | np.bool_)


def _bad_numbers(df: pd.DataFrame, source: str, axis: Axis) -> list[str]:
    faults = []
    if np.isinf(df["val_loss"]).any():
        n = int(np.isinf(df["val_loss"]).sum())
        rule = "finite, and empty where a run diverged"
        faults.append(f"{source}: val_loss: {rule}; got {n} infinite; empty these cells")
    for name in (n for n in dict.fromkeys(("width", axis, "base_width")) if n in df):
        if df[name].isna().any() or (df[name] <= 0).any():
            faults.append(
                f"{source}: {name}: above 0 in every row; got empty cells or values not above 0; "
                "correct them"
            )
    for name in hp_columns(df):
        cells = df[name].dropna()
        if np.isinf(cells).any():
            n = int(np.isinf(cells).sum())
            faults.append(f"{source}: {name}: finite or empty; got {n} infinite; correct them")
        if len(cells) and _is_logarithm(name, cells):
            got = f"{cells.min():g} to {cells.max():g}"
            faults.append(
                f"{source}: {name}: the learning rate itself, above 0; got {got}, which looks like "
                "a logarithm; give 2**x or 10**x of it"
            )
    return faults


def _is_logarithm(name: str, cells: pd.Series) -> bool:
    """Whether the cells of a learning rate are probably logarithms."""
    hp = name.removeprefix(HP_PREFIX).lower()
    if not hp.endswith(("lr", "learning_rate")):
        return False
    outside = (cells <= 0).any() or (cells > LARGEST_LR).any() or (cells > 1).all()
    return hp.startswith("log") or bool(outside)


def _duplicates(df: pd.DataFrame, source: str, place: Place) -> list[str]:
    key = [n for n in (*_RUN_KEY, *hp_columns(df)) if n in df]
    twice = df.duplicated(key, keep=False)
    if not twice.any():
        return []
    rows = ", ".join(place(i) for i in df.index[twice][:4])
    remedy = "keep one, or add a column seed" if "seed" not in df else "keep one"
    return [
        f"{source}: one row for each run ({', '.join(key)}); got {int(twice.sum())} equal rows "
        f"({rows}); {remedy}"
    ]


def _completed(df: pd.DataFrame, study: str) -> pd.DataFrame:
    """The table with the columns that the user's file lacks."""
    out = df.copy()
    defaults: dict[str, Any] = {"arm": "mup", "seed": 0, "study": study}
    for name, value in defaults.items():
        out[name] = out[name].fillna(value) if name in out else value
    given = out["status"] if "status" in out else pd.Series([None] * len(out), index=out.index)
    words = given.where(given.notna(), None).map(lambda w: w if w is None else str(w).lower())
    finished = out["val_loss"].notna().map({True: "done", False: "diverged"})
    out["status"] = words.map(lambda w: STATUS_WORDS.get(w, w)).where(given.notna(), finished)
    # A finished run without a loss diverged; the loss of a failed run is not a result.
    out.loc[(out["status"] == "done") & out["val_loss"].isna(), "status"] = "diverged"
    out.loc[out["status"] != "done", "val_loss"] = np.nan
    if "base_width" not in out:
        # A width that does not occur, so that no run counts for both arms.
        out["base_width"] = next(n for n in range(1, 10**9) if n not in set(out["width"]))
    for name in hp_columns(out):
        out[name] = out[name].map(lambda v: v if pd.isna(v) else round_hp(v))
    out["schema"] = SCHEMA_VERSION
    out["trial_id"] = [f"row-{i + 2}" for i in range(len(out))]
    return out
