"""Tables in which runs ended, finite, far above the curve."""

import numpy as np
import pandas as pd


def stuck(
    df: pd.DataFrame, *, width: int, log2_lr_from: float, loss: float = 1.3, arm: str = "mup"
) -> pd.DataFrame:
    """Return a table whose done runs of a width and arm end at ``loss`` from a value of lr on.

    The losses of two seeds differ a little, as those of a plateau do.
    """
    df = df.copy()
    is_stuck = (df["width"] == width) & (df["arm"] == arm) & (df["status"] == "done")
    is_stuck &= np.log2(df["hp.lr"]) > log2_lr_from - 1e-3
    df.loc[is_stuck, "val_loss"] = loss + 0.01 * df.loc[is_stuck, "seed"]
    return df
