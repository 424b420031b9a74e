"""Results from elsewhere: a user's own CSV or Parquet file as a results table."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mutransfer.analysis.table.arguments import listed, table_faults
from mutransfer.analysis.table.cells import convert
from mutransfer.analysis.table.completed import completed
from mutransfer.analysis.table.files import place_in, read_file
from mutransfer.analysis.table.replicates import numbered
from mutransfer.analysis.table.schema import HP_PREFIX
from mutransfer.analysis.table.table import TableError, hp_columns, validate
from mutransfer.analysis.table.trackers import columns_option, mapping_hint, status_columns
from mutransfer.words import Axis, Goal

# The columns that are read besides those of the HPs; others of the schema say nothing here.
_USED = {
    *("study", "asked_by", "arm", "family", "width", "depth", "base_width", "batch_size", "steps"),
    *("n_val", "seed", "status", "val_loss", "flops"),
}
_OTHER_NAMES = {"params": "n_params"}  # of the column of an axis, where it has two


@dataclass(frozen=True, kw_only=True, eq=False)
class ExternalTable:
    """A table from elsewhere in this project's columns.

    Attributes:
        rows: A row for each run, validated.
        paired: A seed means the same at every value; False: seeds only number the runs of a value.
        notes: What was assumed of the table, in sentences.
    """

    rows: pd.DataFrame
    paired: bool
    notes: tuple[str, ...]


def read_table(
    source: pd.DataFrame | str | Path,
    columns: Mapping[str, str] | None = None,
    axis: Axis = "width",
    *,
    sep: str | None = None,
    decimal: str | None = None,
    goal: Goal = "minimize",
) -> pd.DataFrame:
    """Return the user's table with our columns, validated: the rows of `read_external`."""
    return read_external(source, columns, axis, sep=sep, decimal=decimal, goal=goal).rows


def read_external(
    source: pd.DataFrame | str | Path,
    columns: Mapping[str, str] | None = None,
    axis: Axis = "width",
    *,
    sep: str | None = None,
    decimal: str | None = None,
    goal: Goal = "minimize",
) -> ExternalTable:
    """Return the user's table with our columns, validated, and what was assumed of it.

    Required columns: that of the axis, ``val_loss`` (empty where a run diverged) and one or more
    ``hp.<name>``. Used if present: arm (default ``mup``), seed, status, width, base_width,
    batch_size, steps, depth, flops. HP values that differ by rounding become one (`one_value`);
    without seeds that pair the runs, those of one value are repeats (`replicates.numbered`); a
    finished run without a finite loss diverged.

    Args:
        source: A DataFrame, which is not changed, or the path of a .csv or .parquet file.
        columns: The user's column names as keys, ours as values.
        axis: The axis along which transfer is judged; ``params`` takes 124M and 1.3B too.
        sep: Character between the cells of a .csv; None: found out.
        decimal: Decimal mark of a .csv, ``.`` or ``,``; None: found out.
        goal: ``maximize`` where more of the metric is better: its sign is turned.

    Raises:
        TableError: wrong arguments, no such file or column, cells that are not numbers, an LR
            given as a logarithm, or a single axis value. Faults that can be found together are
            listed together.
    """
    faults = table_faults(source, columns, axis, sep=sep, decimal=decimal, goal=goal)
    if faults:
        raise TableError("\n".join(faults))
    name = "table" if isinstance(source, pd.DataFrame) else str(source)
    raw = (
        source
        if isinstance(source, pd.DataFrame)
        else read_file(Path(source), sep=sep, decimal=decimal)
    )
    mapping, notes = _mapping(raw, columns or {}, name, axis)
    df = _renamed(raw, mapping, axis)
    faults = _missing(df, raw, mapping, axis) or convert(df, axis, place_in(source, raw))
    if not faults:
        df, assumed = completed(df, Path(name).stem, axis, goal)
        unused = [column for column in raw if column not in mapping and column not in df]
        runs = numbered(df, raw[unused].reset_index(drop=True).loc[df.index], axis)
        faults = [*runs.faults]
    if faults:
        raise TableError("\n".join(f"{name}: {fault}" for fault in faults))
    rows = runs.rows.reset_index(drop=True)
    rows["trial_id"] = [f"row-{i + 2}" for i in range(len(rows))]
    notes = [*notes, *assumed, *runs.notes]
    return ExternalTable(rows=validate(rows), paired=runs.paired, notes=tuple(notes))


def _mapping(
    raw: pd.DataFrame, columns: Mapping[str, str], source: str, axis: Axis
) -> tuple[dict[str, str], list[str]]:
    """Our names by the user's, with what can be told from the table; notes of what was told."""
    if not len(raw.columns) or not len(raw):
        raise TableError(f"{source}: one row for each run; got an empty table; add the runs")
    absent = [name for name in columns if name not in raw.columns]
    if absent:
        raise TableError(
            f"{source}: columns: names of its columns ({listed(raw.columns)}); got "
            f"{listed(map(repr, absent))}; correct the mapping"
        )
    doubled = raw.columns[raw.columns.duplicated()].unique()
    if len(doubled):
        raise TableError(
            f"{source}: each column once; got {listed(doubled)} several times; keep one"
        )
    mapping = dict(columns)
    for ours, theirs in _OTHER_NAMES.items():
        if ours == axis and theirs in raw and ours not in {*raw, *mapping.values()}:
            mapping[theirs] = ours
    return mapping, _map_status(raw, mapping, source)


def _map_status(raw: pd.DataFrame, mapping: dict[str, str], source: str) -> list[str]:
    """Map the column of status that the user did not name, and say so."""
    if "status" in mapping.values() or "status" in raw:
        return []
    statuses = status_columns(raw, [name for name in raw if name not in mapping])
    if len(statuses) > 1:
        rule = "one column of status"
        raise TableError(f"{source}: {rule}; got {listed(statuses)}; map one of them to status")
    mapping |= dict.fromkeys(statuses, "status")
    option = columns_option(dict.fromkeys(statuses, "status"))
    said = f", as by {option}" if option else ""
    return [f"{listed([name])} is taken for the status of a run{said}." for name in statuses]


def _renamed(raw: pd.DataFrame, mapping: Mapping[str, str], axis: Axis) -> pd.DataFrame:
    """The columns that we use, under our names, without empty rows; indexed by position."""
    df = raw.drop(columns=[n for n in mapping.values() if n in raw and n not in mapping])
    df = df.rename(columns=mapping)
    used = [name for name in df if name in {*_USED, axis} or name in hp_columns(df)]
    return df[used].reset_index(drop=True).dropna(how="all")


def _missing(
    df: pd.DataFrame, raw: pd.DataFrame, mapping: Mapping[str, str], axis: Axis
) -> list[str]:
    """The faults of absent columns and nameless HPs."""
    missing = [name for name in (axis, "val_loss") if name not in df]
    missing += [] if hp_columns(df) else ["hp.<name>"]
    hint = mapping_hint(raw.columns, mapping, missing)
    remedy = "rename it, or map it with columns (learning_rate to hp.lr, loss to val_loss)"
    remedy = f"map it, like {hint}" if hint else remedy
    got = [f"{listed(raw.columns)}; {remedy}", *["none; map it as well"] * len(missing)]
    faults = [
        f"needs a column {name}; got {text}" for name, text in zip(missing, got, strict=False)
    ]
    names = [name.removeprefix(HP_PREFIX).strip() for name in hp_columns(df)]
    if not all(name and name.isprintable() for name in names):
        rule = f"a name after {HP_PREFIX} in the column of an HP"
        faults.append(f"{rule}; got {listed(map(repr, hp_columns(df)))}; name it like hp.lr")
    return faults
