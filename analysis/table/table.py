"""The results table: validation, reading and comparing. One row is one trial.

The writer and all readers take the columns from `analysis.table.schema`.
"""

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pafs

from mutransfer.analysis.table.schema import (
    COLUMNS,
    HP_PREFIX,
    PARAMS,
    SCHEMA_VERSION,
    VOLATILE,
    Column,
)
from mutransfer.words import ARMS, STAGES, STATUSES, Axis

_ARROW = {"int64": pa.int64(), "float64": pa.float64(), "str": pa.string()}


class TableError(ValueError):
    """A table that cannot be analyzed; the message lists all faults."""


def hp_columns(df: pd.DataFrame) -> list[str]:
    """Return the names of the HP columns, ``hp.`` included, in table order."""
    return [str(name) for name in df.columns if str(name).startswith(HP_PREFIX)]


def empty() -> pd.DataFrame:
    """Return a table of no rows with all columns."""
    return pd.DataFrame({c.name: pd.Series(dtype=c.pandas_dtype) for c in COLUMNS})


def from_rows(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the validated table of ``rows``; a cell that a row leaves out is null.

    Raises:
        TableError: as `validate`.
    """
    names = {c.name: None for c in COLUMNS}
    records = list(rows)
    for row in records:
        names |= dict.fromkeys(row)
    if not records:
        return empty()
    return validate(pd.DataFrame(records, columns=list(names)))


def to_arrow_schema() -> pa.Schema:
    """Return the Parquet schema of a part of the table."""
    return pa.schema(
        [
            pa.field(c.name, _ARROW[c.dtype], nullable=c.nullable, metadata={"unit": c.unit})
            for c in COLUMNS
        ]
    )


def rows_of_arm(df: pd.DataFrame, arm: str) -> pd.DataFrame:
    """Return the rows of ``arm``, including the shared rows of the base width.

    At width == base_width μP and SP are the same trial and share one row.
    """
    return df[in_arm(df, arm)]


def in_arm(
    df: pd.DataFrame, arm: str, *, axis: Axis = "width", base: int | None = None
) -> np.ndarray:
    """Return the mask of the rows of an arm, (rows,), including those that the arms share.

    Along width the arms share the rows of the base width. Along another axis they share those of
    the axis value ``base``, at which a scaling rule changes nothing; None: no rows.
    """
    shared = df["base_width"].to_numpy() if axis == "width" else -1 if base is None else base
    return (df["arm"] == arm).to_numpy() | (
        df[axis].to_numpy(dtype=float, na_value=np.nan) == shared
    )


def validate(df: pd.DataFrame) -> pd.DataFrame:
    """Return a copy with the column types of the schema; absent optional columns are null.

    HP columns that are not in the schema are kept; an absent HP column stays absent.

    Raises:
        TableError: another schema version, missing columns, wrong types, unknown arm, stage
            or status, duplicate trial_id, a done row without a finite val_loss, or a
            val_loss on a row that is not done. All faults are listed.
    """
    faults = _missing_columns(df)
    if faults:
        raise TableError("\n".join(faults))
    versions = sorted(set(df["schema"].dropna().tolist()) - {SCHEMA_VERSION})
    if versions or df["schema"].isna().any():
        raise TableError(
            f"table.schema: must be {SCHEMA_VERSION}; got {versions or 'null'}; "
            "read it with the version of mutransfer that wrote it"
        )
    typed, faults = _typed(df)
    if not faults:
        faults = [*_bad_words(typed), *_bad_rows(typed)]
    if faults:
        raise TableError("\n".join(faults))
    return typed


def _missing_columns(df: pd.DataFrame) -> list[str]:
    missing = [c.name for c in COLUMNS if c.required and c.name not in df.columns]
    faults = [f"table.{name}: required column; got none; add it" for name in missing]
    if not hp_columns(df):
        faults.append("table.hp.*: at least one HP column; got none; name it like 'hp.lr'")
    return faults


def _typed(df: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The columns of a table with their types, and the faults of those that do not convert."""
    schema = {c.name: c for c in (*COLUMNS, *([PARAMS] if PARAMS.name in df else []))}
    extra_hps = [name for name in hp_columns(df) if name not in schema]
    absent_hps = [n for n in schema if n.startswith(HP_PREFIX) and n not in df.columns]
    names = [n for n in schema if n not in absent_hps] + extra_hps
    out, faults = {}, []
    for name in names:
        column = schema.get(name) or Column(name=name, dtype="float64", meaning="", nullable=True)
        cells = df[name] if name in df.columns else pd.Series([None] * len(df), index=df.index)
        try:
            out[name] = _cast(cells, column)
        except (TypeError, ValueError) as error:
            faults.append(f"table.{name}: must be {column.dtype}; got {error}; correct the column")
            continue
        if not column.nullable and out[name].isna().any():
            faults.append(f"table.{name}: must not be null; got null; fill the column")
    return pd.DataFrame(out), faults


def _cast(cells: pd.Series, column: Column) -> pd.Series:
    if column.dtype == "str":
        return cells.astype("object").where(cells.notna(), None).astype("str")
    numbers = pd.to_numeric(cells)
    if column.dtype == "float64":
        return numbers.astype("float64")
    integers = numbers.astype("Int64")
    return integers if integers.isna().any() else integers.astype(column.pandas_dtype)


def _bad_words(df: pd.DataFrame) -> list[str]:
    faults = []
    for name, legal in (("arm", ARMS), ("status", STATUSES), ("asked_by", STAGES)):
        unknown = sorted(set(df[name].dropna()) - set(legal))
        if unknown:
            faults.append(f"table.{name}: one of {', '.join(legal)}; got {unknown}; correct it")
    return faults


def _bad_rows(df: pd.DataFrame) -> list[str]:
    done = df["status"] == "done"
    finite = np.isfinite(df["val_loss"])
    checks = [
        (df["trial_id"].duplicated(), "trial_id: must be unique", "keep one row a trial"),
        (done & ~finite, "val_loss: a done row needs a finite value", "null it and set a status"),
        (~done & df["val_loss"].notna(), "val_loss: null unless done", "clear the value"),
        *((np.isinf(df[name]), f"{name}: finite or null", "correct it") for name in hp_columns(df)),
        (df["width"] <= 0, "width: above 0", "correct it"),
        (df["base_width"] <= 0, "base_width: above 0", "correct it"),
    ]
    faults = []
    for bad, rule, remedy in checks:
        if bad.any():
            ids = df.loc[bad, "trial_id"].astype(str).tolist()
            faults.append(f"table.{rule}; got {len(ids)} rows ({', '.join(ids[:3])}); {remedy}")
    return faults


def same(a: pd.DataFrame, b: pd.DataFrame) -> list[str]:
    """Return the differences of two tables in words; an empty list if they are the same table.

    Rows are matched by trial_id. Times, host, device name, dates and versions are ignored.
    """
    left, right = a.set_index("trial_id"), b.set_index("trial_id")
    only = [(left.index.difference(right.index), "first")]
    only.append((right.index.difference(left.index), "second"))
    differences = [f"trial {i}: only in the {where} table" for ids, where in only for i in ids]
    shared = left.index.intersection(right.index)
    columns = [c for c in left.columns.union(right.columns, sort=False) if c not in VOLATILE]
    for name in columns:
        if name not in left.columns or name not in right.columns:
            differences.append(f"column {name}: only in one table")
            continue
        x, y = left.loc[shared, name], right.loc[shared, name]
        differ = ~((x == y).fillna(False).astype(bool) | (x.isna() & y.isna()))
        differences += [f"trial {i}: {name} is {x[i]} and {y[i]}" for i in shared[differ]]
    return differences


def read(path: str | Path, filesystem: pafs.FileSystem | None = None) -> pd.DataFrame:
    """Return the validated table at ``path``: a directory of Parquet parts, a .parquet or .csv.

    Args:
        path: Where the table is; inside ``filesystem`` when that is given.
        filesystem: Any pyarrow file system (s3, gs, …); the local one if None.

    Raises:
        TableError: as `validate`, or nothing is at ``path``.
    """
    name = str(path)
    files = filesystem or pafs.LocalFileSystem()
    kind = files.get_file_info([name])[0].type
    if kind == pafs.FileType.NotFound:
        raise TableError(f"table: a file or directory; got nothing at {name}; check the path")
    if kind == pafs.FileType.File and name.endswith(".csv"):
        with files.open_input_stream(name) as stream:
            return validate(pd.read_csv(io.BytesIO(stream.read())))
    parts = list(ds.dataset(name, filesystem=files, format="parquet").get_fragments())
    if not parts:
        return empty()
    schema = pa.unify_schemas([p.physical_schema for p in parts], promote_options="permissive")
    data = ds.dataset(name, filesystem=files, format="parquet", schema=schema)
    return validate(data.to_table().to_pandas(ignore_metadata=True))
