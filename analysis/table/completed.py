"""A table from elsewhere with all our columns: statuses, defaults, equal HP values."""

from typing import Any

import numpy as np
import pandas as pd

from mutransfer.analysis.table.arguments import listed
from mutransfer.analysis.table.axis import AXIS_LABELS
from mutransfer.analysis.table.cells import is_lr
from mutransfer.analysis.table.one_value import one_value
from mutransfer.analysis.table.schema import HP_PREFIX, SCHEMA_VERSION
from mutransfer.analysis.table.table import hp_columns
from mutransfer.words import Axis, Goal

# Learning rates above this are worth a word: they may be meant, as with SGD.
LARGE_LR = 10.0
# A loss of this size is none: float32 ends at 3.4e38, and its square must be a float.
LARGEST_LOSS = 1e30


def completed(
    df: pd.DataFrame, study: str, axis: Axis, goal: Goal = "minimize"
) -> tuple[pd.DataFrame, list[str]]:
    """Return the table with the columns that the user's file lacks, and what was assumed.

    Args:
        df: The converted columns of the file, which are not changed.
        study: The name of the study, where the file has none.
        axis: The axis along which transfer is judged.
        goal: ``maximize``: the sign of the metric is turned.
    """
    out, notes = df.copy(), []
    losses = out["val_loss"].to_numpy(dtype=float, na_value=np.nan)
    out["val_loss"] = -losses if goal == "maximize" else losses
    defaults: dict[str, Any] = {"arm": "mup", "study": study}
    for name, value in defaults.items():
        out[name] = out[name].fillna(value) if name in out else value
    notes += _set_status(out)
    if axis != "width" and "width" not in out:
        out["width"] = 1
    if "base_width" not in out:
        # A width that does not occur, so that no run counts for both arms.
        widths = set(out["width"])
        out["base_width"] = next(n for n in range(1, 10**9) if n not in widths)
    notes += _batch_size_as_hp(out, axis)
    for name in hp_columns(out):
        notes += _note_of_lr(name, out[name])
        out[name] = one_value(out[name].to_numpy(dtype=float, na_value=np.nan))
    out["schema"] = SCHEMA_VERSION
    return out, notes


def _set_status(df: pd.DataFrame) -> list[str]:
    """Complete the column of status; a loss is kept of runs that are done alone."""
    has_loss = df["val_loss"].abs() < LARGEST_LOSS
    assumed = has_loss.map({True: "done", False: "diverged"})
    given = df["status"] if "status" in df else pd.Series(index=df.index, dtype=object)
    df["status"] = given.where(given.notna(), assumed)
    without = (df["status"] == "done") & ~has_loss
    df.loc[without, "status"] = "diverged"
    df.loc[df["status"] != "done", "val_loss"] = np.nan
    n = int(without.sum()) + int((given.isna() & ~has_loss).sum())
    notes = [f"{n} run(s) without a finite loss are taken for diverged."] if n else []
    unfinished = df["status"][given.notna()].isin(("failed", "pruned")).sum()
    if unfinished:
        notes.append(f"{unfinished} run(s) that did not end by themselves are no results.")
    return notes


def _batch_size_as_hp(df: pd.DataFrame, axis: Axis) -> list[str]:
    """Make the batch size an HP where it is varied at one axis value."""
    name = HP_PREFIX + "batch_size"
    if axis == "batch_size" or "batch_size" not in df or name in df:
        return []
    if df.groupby(["arm", axis])["batch_size"].nunique().max() < 2:
        return []
    df[name] = df.pop("batch_size")
    return [f"The batch size differs at one {AXIS_LABELS[axis].singular}: it counts as an HP."]


def _note_of_lr(name: str, cells: pd.Series) -> list[str]:
    if not is_lr(name) or not (cells > LARGE_LR).any():
        return []
    span = f"{cells.min():g} to {cells.max():g}"
    return [f"{listed([name])}: {span} are taken as learning rates, not as logarithms of them."]
