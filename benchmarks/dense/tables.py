"""The kept dense sweeps: their table, their truth, and smaller designs drawn from them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

RESULTS = Path(__file__).parents[1] / "results" / "dense"


def load(family: str, folder: Path = RESULTS) -> pd.DataFrame:
    """The dense sweep of a model family, one row a trial.

    Returns:
        Columns family, width, steps, hp.lr, log2_lr (exact on the ¼-octave lattice), seed, status
        and val_loss, which is NaN where the run diverged.

    Raises:
        FileNotFoundError: no sweep of this family is kept.
    """
    df = pq.read_table(folder / f"{family}.parquet").to_pandas()
    # Values of lr have 6 significant digits; the lattice values are multiples of ¼.
    return df.assign(log2_lr=np.log2(df["hp.lr"]).round(4))


def trivial_loss(family: str, folder: Path = RESULTS) -> float:
    """The validation loss of a model that predicts zeros: what an untrained one has."""
    return float(pq.read_metadata(folder / f"{family}.parquet").metadata[b"trivial_val_loss"])


def losses(df: pd.DataFrame, width: int) -> pd.DataFrame:
    """Losses at a width, indexed by log2_lr, a column a seed; NaN where the run diverged."""
    return df[df["width"] == width].pivot(index="log2_lr", columns="seed", values="val_loss")


def dense_mean(df: pd.DataFrame, width: int) -> pd.Series:
    """The mean loss over all seeds, indexed by log2_lr; NaN, a wall, where any seed diverged."""
    return losses(df, width).mean(axis=1, skipna=False)


def lattice(
    df: pd.DataFrame, spacing: float, points: int, centre: float, rng: np.random.Generator
) -> np.ndarray:
    """`points` values, `spacing` octaves apart, at a random offset, the middle one by `centre`.

    Offsets are drawn among those at which all the values are present, at every width.

    Raises:
        ValueError: there is no such offset.
    """
    present = np.sort(df["log2_lr"].unique())
    steps = spacing * (np.arange(points) - (points - 1) // 2)
    middles = present[(present >= centre - spacing / 2) & (present < centre + spacing / 2)]
    whole = [middle + steps for middle in middles if np.isin(middle + steps, present).all()]
    if not whole:
        raise ValueError(
            f"lattice: {points} values {spacing:g} octaves apart about {centre:g} among those of "
            f"the sweep, {present[0]:g} … {present[-1]:g}; got none; take fewer or other values"
        )
    chosen: np.ndarray = whole[rng.integers(len(whole))]
    return chosen


def resample(
    df: pd.DataFrame,
    widths: int | Sequence[int],
    log2_values: Sequence[float] | np.ndarray,
    seeds: int,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """The rows of a smaller design: these values, and `seeds` random seeds shared by the widths.

    Raises:
        ValueError: the sweep lacks a value or a width, or has fewer seeds.
    """
    chosen = rng.choice(np.sort(df["seed"].unique()), size=seeds, replace=False)
    rows = df[
        df["width"].isin(np.atleast_1d(widths))
        & df["log2_lr"].isin(log2_values)
        & df["seed"].isin(chosen)
    ]
    wanted = np.size(widths) * len(log2_values) * seeds
    if len(rows) != wanted:
        raise ValueError(
            f"resample: {wanted} trials of the design; the sweep has {len(rows)} of them; take "
            "values and widths that it holds"
        )
    return rows
