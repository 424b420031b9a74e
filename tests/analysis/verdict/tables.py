"""Changes of planted tables and figures, and what a verdict says of them."""

from dataclasses import replace

import numpy as np
import pandas as pd

from mutransfer.analysis.verdict.hp_figures import HPFigures
from mutransfer.analysis.verdict.judge import Verdict
from mutransfer.analysis.verdict.question import Tolerance, TransferQuestion
from tests.analysis import planted

TOLERANCE = 0.004


def lr_question(**changes: object) -> TransferQuestion:
    """A question about lr alone with one ladder width, so that many draws are cheap."""
    values = {
        "parameters": ("lr",),
        "axis_values": (64,),
        "control": None,
        "tolerance": Tolerance(kind="abs_loss", value=TOLERANCE),
    }
    return planted.question(**(values | changes))


def edited(df: pd.DataFrame, rows: pd.Series, status: str) -> pd.DataFrame:
    """The table with another status, and no loss, in some rows."""
    out = df.copy()
    out.loc[rows, "status"] = status
    out.loc[rows, "val_loss"] = None
    return out


def is_set_at_target(df: pd.DataFrame) -> pd.Series:
    """Which rows are runs of the transferred set at the target."""
    rows = df["width"] == planted.TARGET
    for hp, value in planted.TRANSFERRED.items():
        rows &= df[f"hp.{hp}"] == value
    return rows


def codes(verdict: Verdict) -> set[str]:
    """The codes of the causes on the set."""
    return {cause.code for cause in verdict.set.causes}


def diverging_at(figures: HPFigures, *log2_values: float) -> HPFigures:
    """The figures with values of the target slice that diverged."""
    slice_ = figures.target.slice
    near = np.abs(slice_.log2_x[:, None] - np.array(log2_values)) < 1e-4
    slice_ = replace(slice_, diverged=near.any(axis=1))
    assert slice_.diverged.sum() == len(log2_values)
    return replace(figures, target=replace(figures.target, slice=slice_))
