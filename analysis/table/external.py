"""Results from elsewhere: a user's own CSV or Parquet file as a results table."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

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

_INTEGERS = ("width", "seed", "depth", "batch_size", "steps")
# With the HPs, what identifies a run.
_RUN_KEY = ("arm", "width", "depth", "batch_size", "steps", "seed")


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
        TableError: no such file or column, cells that are not numbers, an LR given as a logarithm,
            infinite losses, a single axis value, or two results of one trial. Faults that can be
            found together are listed together.
    """
    name = "table" if isinstance(source, pd.DataFrame) else str(source)
    raw = source if isinstance(source, pd.DataFrame) else _read_file(Path(source))
    df = _renamed(raw, columns or {}, name)
    faults = _missing(df, name, list(raw.columns), axis) or _faults(df, name, axis)
    if faults:
        raise TableError("\n".join(faults))
    return validate(_completed(df, Path(name).stem))


def _read_file(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise TableError(f"{path}: a .csv or .parquet file; got nothing there; check the path")
    try:
        return pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    except (ValueError, OSError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: cannot be read: {error}; write it again") from None


def _renamed(raw: pd.DataFrame, columns: Mapping[str, str], source: str) -> pd.DataFrame:
    """The columns that we use, under our names, without empty rows."""
    absent = [name for name in columns if name not in raw.columns]
    if absent:
        raise TableError(
            f"{source}: --columns names {', '.join(map(repr, absent))}; got the columns "
            f"{', '.join(map(str, raw.columns))}; correct the mapping"
        )
    twice = sorted({name for name in columns.values() if [*columns.values()].count(name) > 1})
    if twice:
        raise TableError(
            f"{source}: --columns gives each name once; got {', '.join(twice)} for several "
            "columns; keep one"
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
    return df[[*dict.fromkeys([*ours, *extra])]].dropna(how="all").reset_index(drop=True)


def _missing(df: pd.DataFrame, source: str, names: list[str], axis: Axis) -> list[str]:
    """The faults of absent columns; ``names`` are the columns of the file."""
    missing = [name for name in dict.fromkeys(("width", axis, "val_loss")) if name not in df]
    missing += [] if hp_columns(df) else ["hp.<name>"]
    hint = "rename it or map it: --columns learning_rate=hp.lr,loss=val_loss"
    got = ", ".join(map(str, names))
    return [f"{source}: needs a column {name}; got {got}; {hint}" for name in missing]


def _faults(df: pd.DataFrame, source: str, axis: Axis) -> list[str]:
    """The faults of the cells; converts numeric columns in place."""
    faults = []
    numeric = ["width", "val_loss", *hp_columns(df)]
    numeric += [n for n in ("seed", "depth", "batch_size", "steps", "flops") if n in df]
    for name in numeric:
        cells = pd.to_numeric(df[name], errors="coerce")
        not_numbers = df.index[cells.isna() & df[name].notna()]
        if len(not_numbers):
            got = f"{df[name][not_numbers[0]]!r} in row {not_numbers[0] + 2}"
            faults.append(f"{source}: {name}: numbers; got {got}; correct it or leave it empty")
        fractions = df.index[np.isfinite(cells) & (cells != np.floor(cells))]
        if name in _INTEGERS and len(fractions):
            got = f"{cells[fractions[0]]:g} in row {fractions[0] + 2}"
            faults.append(f"{source}: {name}: whole numbers; got {got}; correct it")
        df[name] = cells
    faults += _bad_numbers(df, source, axis)
    if not faults and df[axis].nunique() < 2:
        got = df[axis].dropna().unique().tolist()
        label = AXIS_LABELS[axis]
        rule = f"transfer needs two {label.plural} or more"
        faults.append(f"{source}: {axis}: {rule}; got {got}; add runs of another {label.singular}")
    return faults or _duplicates(df, source)


def _bad_numbers(df: pd.DataFrame, source: str, axis: Axis) -> list[str]:
    faults = []
    if np.isinf(df["val_loss"]).any():
        n = int(np.isinf(df["val_loss"]).sum())
        rule = "finite, and empty where a run diverged"
        faults.append(f"{source}: val_loss: {rule}; got {n} infinite; empty these cells")
    for name in dict.fromkeys(["width", str(axis)]):
        if df[name].isna().any() or (df[name] <= 0).any():
            faults.append(
                f"{source}: {name}: above 0 in every row; got empty cells or values not above 0; "
                "correct them"
            )
    for name in hp_columns(df):
        cells = df[name].dropna()
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


def _duplicates(df: pd.DataFrame, source: str) -> list[str]:
    key = [n for n in (*_RUN_KEY, *hp_columns(df)) if n in df]
    twice = df.duplicated(key, keep=False)
    if not twice.any():
        return []
    rows = ", ".join(str(i + 2) for i in df.index[twice][:4])
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
