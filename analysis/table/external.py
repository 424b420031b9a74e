"""Results from elsewhere: a user's own CSV or Parquet as our table, and what to ask of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mutransfer.analysis.table.axis import WORDS
from mutransfer.analysis.table.schema import COLUMNS, HP_PREFIX, SCHEMA_VERSION
from mutransfer.analysis.table.table import TableError, hp_columns, validate
from mutransfer.words import Axis, round_hp

# Words of other trackers (W&B, Ray Tune) for ours.
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

# A learning rate is not above this, and not above 1 throughout.
LARGEST_LR = 10.0

_WHOLE = ("width", "seed", "depth", "batch_size", "steps")

_CELL = ("arm", "width", "depth", "batch_size", "steps", "seed")


def read(path: Path, columns: Mapping[str, str], axis: Axis = "width") -> pd.DataFrame:
    """Return the user's table in our columns, validated.

    Needed: ``width``, the column of the axis, ``val_loss`` (empty where diverged) and one or more
    ``hp.<name>``. Taken where they are: arm (else ``mup``), seed (else 0), status, base_width,
    batch_size, steps, depth, flops.

    Args:
        path: A .csv or .parquet file.
        columns: Our name of each column by the user's name.
        axis: Along which transfer will be asked about.

    Raises:
        TableError: no such file or column, no numbers, an LR that is a log, losses that are not
            finite, one place on the axis only, two results of one trial. All that can be told
            together is.
    """
    if not path.is_file():
        raise TableError(f"{path}: a .csv or .parquet file; got nothing there; check the path")
    try:
        raw = pd.read_csv(path) if path.suffix == ".csv" else pd.read_parquet(path)
    except (ValueError, OSError, UnicodeDecodeError) as error:
        raise TableError(f"{path}: cannot be read: {error}; write it again") from None
    df = _renamed(raw, columns, path)
    faults = _missing(df, path, list(raw.columns), axis) or _faults(df, path, axis)
    if faults:
        raise TableError("\n".join(faults))
    return validate(_completed(df, path.stem))


def _renamed(raw: pd.DataFrame, columns: Mapping[str, str], path: Path) -> pd.DataFrame:
    absent = [name for name in columns if name not in raw.columns]
    if absent:
        raise TableError(
            f"{path}: --columns names {', '.join(map(repr, absent))}; got the columns "
            f"{', '.join(map(str, raw.columns))}; correct the mapping"
        )
    twice = sorted({ours for ours in columns.values() if [*columns.values()].count(ours) > 1})
    if twice:
        raise TableError(
            f"{path}: --columns gives each name once; got {', '.join(twice)} for several columns; "
            "keep one"
        )
    if len(raw.columns) == 1 and ";" in str(raw.columns[0]):
        raise TableError(f"{path}: cells parted by commas; got semicolons; write it again")
    mapped = raw.drop(columns=[n for n in columns.values() if n in raw and n not in columns])
    df = mapped.rename(columns=dict(columns))
    known = [c.name for c in COLUMNS if c.name in df and c.name not in ("schema", "trial_id")]
    extra = [name for name in hp_columns(df) if name not in known]
    return df[[*dict.fromkeys([*known, *extra])]].dropna(how="all").reset_index(drop=True)


def _missing(df: pd.DataFrame, path: Path, found: list[str], axis: Axis) -> list[str]:
    needs = [name for name in dict.fromkeys(("width", axis, "val_loss")) if name not in df]
    needs += [] if hp_columns(df) else ["hp.<name>"]
    hint = "rename it or map it: --columns learning_rate=hp.lr,loss=val_loss"
    got = ", ".join(map(str, found))
    return [f"{path}: needs a column {name}; got {got}; {hint}" for name in needs]


def _faults(df: pd.DataFrame, path: Path, axis: Axis) -> list[str]:
    faults = []
    numeric = ["width", "val_loss", *hp_columns(df)]
    numeric += [n for n in ("seed", "depth", "batch_size", "steps", "flops") if n in df]
    for name in numeric:
        cells = pd.to_numeric(df[name], errors="coerce")
        bad = df.index[cells.isna() & df[name].notna()]
        if len(bad):
            got = f"{df[name][bad[0]]!r} in row {bad[0] + 2}"
            faults.append(f"{path}: {name}: numbers; got {got}; correct it or leave it empty")
        broken = df.index[np.isfinite(cells) & (cells != np.floor(cells))]
        if name in _WHOLE and len(broken):
            got = f"{cells[broken[0]]:g} in row {broken[0] + 2}"
            faults.append(f"{path}: {name}: whole numbers; got {got}; correct it")
        df[name] = cells
    faults += _bad_numbers(df, path, axis)
    if not faults and df[axis].nunique() < 2:
        got = df[axis].dropna().unique().tolist()
        one, many = WORDS[axis]
        rule = f"transfer needs two {many} or more"
        faults.append(f"{path}: {axis}: {rule}; got {got}; add runs of another {one}")
    return faults or _doubled(df, path)


def _bad_numbers(df: pd.DataFrame, path: Path, axis: Axis) -> list[str]:
    faults = []
    if np.isinf(df["val_loss"]).any():
        n = int(np.isinf(df["val_loss"]).sum())
        rule = "finite, and empty where a run diverged"
        faults.append(f"{path}: val_loss: {rule}; got {n} infinite; empty these cells")
    for name in dict.fromkeys(["width", str(axis)]):
        if df[name].isna().any() or (df[name] <= 0).any():
            faults.append(f"{path}: {name}: above 0 in every row; got other cells; fill them")
    for name in hp_columns(df):
        cells = df[name].dropna()
        if len(cells) and _is_logarithm(name, cells):
            got = f"{cells.min():g} to {cells.max():g}"
            faults.append(
                f"{path}: {name}: the learning rate itself, above 0; got {got}, which looks like "
                "a logarithm; give 2**x or 10**x of it"
            )
    return faults


def _is_logarithm(name: str, cells: pd.Series) -> bool:
    """Whether cells that should be learning rates are likely to be logarithms of them."""
    word = name.removeprefix(HP_PREFIX).lower()
    if not word.endswith(("lr", "learning_rate")):
        return False
    outside = (cells <= 0).any() or (cells > LARGEST_LR).any() or (cells > 1).all()
    return word.startswith("log") or bool(outside)


def _doubled(df: pd.DataFrame, path: Path) -> list[str]:
    key = [n for n in (*_CELL, *hp_columns(df)) if n in df]
    twice = df.duplicated(key, keep=False)
    if not twice.any():
        return []
    rows = ", ".join(str(i + 2) for i in df.index[twice][:4])
    remedy = "keep one, or add a column seed" if "seed" not in df else "keep one"
    return [
        f"{path}: one row a run ({', '.join(key)}); got {int(twice.sum())} alike (rows {rows}); "
        f"{remedy}"
    ]


def _completed(df: pd.DataFrame, study: str) -> pd.DataFrame:
    out = df.copy()
    defaults: dict[str, Any] = {"arm": "mup", "seed": 0, "study": study}
    for name, value in defaults.items():
        out[name] = out[name].fillna(value) if name in out else value
    given = out["status"] if "status" in out else pd.Series([None] * len(out), index=out.index)
    words = given.where(given.notna(), None).map(lambda w: w if w is None else str(w).lower())
    finished = out["val_loss"].notna().map({True: "done", False: "diverged"})
    out["status"] = words.map(lambda w: STATUS_WORDS.get(w, w)).where(given.notna(), finished)
    # A run that ended without a loss did not end well; a loss of one that failed is no result.
    out.loc[(out["status"] == "done") & out["val_loss"].isna(), "status"] = "diverged"
    out.loc[out["status"] != "done", "val_loss"] = np.nan
    if "base_width" not in out:
        # None of the widths: then no run counts for both arms.
        out["base_width"] = next(n for n in range(1, 10**9) if n not in set(out["width"]))
    for name in hp_columns(out):
        out[name] = out[name].map(lambda v: v if pd.isna(v) else round_hp(v))
    out["schema"] = SCHEMA_VERSION
    out["trial_id"] = [f"row-{i + 2}" for i in range(len(out))]
    return out
