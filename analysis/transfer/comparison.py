"""The runs of two arms that are compared for convergence: which they are, and their curves."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mutransfer.analysis.table.schema import HP_PREFIX
from mutransfer.analysis.table.table import hp_columns


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The runs that are compared, at one width.

    Attributes:
        width: Model width of all runs.
        seeds: Seeds; each is paired with itself.
        steps: Steps of a run.
        n_val: Validations of a run, which distinguish its row from others with the same HPs.
        is_annealed: The LR falls towards the end of a run.
        mup: All HPs of the transferred set.
        sp_default: All HPs of SP untuned.
        sp_tuned: All HPs of SP with an LR tuned for it; None as long as that is not chosen, or if
            SP trained at no LR.
        sp_tuned_flags: Remarks on that LR.
    """

    width: int
    seeds: tuple[int, ...]
    steps: int
    n_val: int
    is_annealed: bool
    mup: Mapping[str, float | None]
    sp_default: Mapping[str, float | None]
    sp_tuned: Mapping[str, float | None] | None
    sp_tuned_flags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class ValidationCurve:
    """One run: its status and its validation curve, (K,) steps and losses."""

    seed: int
    status: str
    steps: np.ndarray
    losses: np.ndarray
    flops_per_step: float | None


def validation_curves(
    df: pd.DataFrame,
    curves: pd.DataFrame,
    comparison: Comparison,
    arm: str,
    hps: Mapping[str, float | None],
) -> list[ValidationCurve]:
    """Return the runs of an HP set in an arm, by seed; rows are selected by their HP values.

    To the last digit: two runs of one seed beside each other would count as two seeds.
    """
    keep = (df["arm"] == arm).to_numpy() & (df["width"] == comparison.width).to_numpy()
    keep &= (df["n_val"] == comparison.n_val).fillna(False).to_numpy(dtype=bool)
    keep &= df["seed"].isin(comparison.seeds).to_numpy()
    for column in hp_columns(df):
        cells, value = df[column].to_numpy(), hps.get(column.removeprefix(HP_PREFIX))
        keep &= np.isnan(cells) if value is None else cells == value
    return [_curve(row, curves) for row in df[keep].sort_values("seed").to_dict("records")]


def _curve(row: Mapping[Any, Any], curves: pd.DataFrame) -> ValidationCurve:
    points = curves[(curves["trial_id"] == row["trial_id"]) & curves["val_loss"].notna()]
    points = points[points["step"] > 0].sort_values("step")
    has_flops = row["status"] == "done" and row["steps"] and not pd.isna(row["flops"])
    return ValidationCurve(
        seed=int(row["seed"]),
        status=str(row["status"]),
        steps=points["step"].to_numpy(dtype=float),
        losses=points["val_loss"].to_numpy(dtype=float),
        flops_per_step=float(row["flops"]) / float(row["steps"]) if has_flops else None,
    )
