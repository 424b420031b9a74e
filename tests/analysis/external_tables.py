"""Tables as somebody else writes them."""

from pathlib import Path

import numpy as np
import pandas as pd

MAPPING = {"learning_rate": "hp.lr", "loss": "val_loss", "n": "width"}


def results(*, seeds: int = 3, drift: float = 0.0, arms: tuple = ("mup",)) -> pd.DataFrame:
    """Runs under other column names, with an empty loss where a run diverged.

    The optimum of LR moves by ``drift`` octaves per doubling under μP, by −1 in another arm.
    """
    rng = np.random.default_rng(0)
    rows = []
    for arm in arms:
        for width in (64, 128, 256):
            best = -8.2 + (drift if arm == "mup" else -1.0) * np.log2(width / 64)
            for seed in range(1, seeds + 1):
                for k in range(-12, -4):
                    loss = 0.4 + width**-0.5 + 0.01 * (k - best) ** 2 + rng.normal(0, 0.001)
                    finished = k - best < 3.1
                    rows.append(
                        {"arm": arm, "n": width, "seed": seed, "learning_rate": 2.0**k,
                         "loss": loss if finished else None}
                    )  # fmt: skip
    return pd.DataFrame(rows)


def saved(df: pd.DataFrame, folder: Path, name: str = "t.csv") -> Path:
    """The path of a .csv or .parquet file of a table."""
    path = folder / name
    df.to_csv(path, index=False) if name.endswith("csv") else df.to_parquet(path)
    return path


def along(axis: str, df: pd.DataFrame) -> pd.DataFrame:
    """The same runs with their widths as values on another axis, at one width."""
    return df.rename(columns={"n": axis}).assign(width=64)
