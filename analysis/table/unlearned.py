"""Unlearnable: a loss that no learning rate brings down, which is no divergence.

Trials of which none ends below its start count as diverged, but lower learning rates do not help
where the loss stays where it was: data that say nothing, a loss that does not reach the model, too
few steps. A run that blows up and one that stays flat differ in their loss at the end.
"""

import numpy as np
import pandas as pd

from mutransfer.words import FINISHED

# A run that ends less than this share of its start below it, or as little above it, stayed flat.
# Measured: dit, width 32, 200 steps, nine learning rates of 2^-18 to 2^-2, one seed. The best of
# them gains 57 % on digits, 95 % on a constant image, 50 to 95 % on digits × 0.03 to 10 with labels
# at random, and the least, 21 %, on white noise: data alone are hardly ever unlearnable. On digits
# 2^-18 gains 0.3 % and 2^-16 1.9 %: a range that is far too low can look the same.
LEARNED, ABOVE = 0.01, 0.05
# So many octaves of learning rates are flat; fewer may lie between too low and too high ones.
MIN_OCTAVES = 2.0


def unlearnable(df: pd.DataFrame) -> str:
    """Return a sentence where no learning rate brings the loss down; empty where one does.

    Args:
        df: Rows of trials; those without a result, or of which the start is not known, say nothing.
    """
    needed = {"hp.lr", "status", "val_loss", "init_val_loss", "end_val_loss"}
    if not needed <= set(df.columns):
        return ""
    rows = df[df["status"].isin(FINISHED) & df["init_val_loss"].notna() & df["hp.lr"].notna()]
    start = rows["trivial_val_loss"].fillna(rows["init_val_loss"]).to_numpy(float)
    end = rows["val_loss"].fillna(rows["end_val_loss"]).to_numpy(float)
    gain = (start - end) / np.abs(start)
    flat = np.log2(rows["hp.lr"].to_numpy(float)[(gain < LEARNED) & (gain > -ABOVE)])
    if not flat.size or (gain >= LEARNED).any() or np.ptp(flat) < MIN_OCTAVES:
        return ""
    return (
        f"the loss does not go down at any learning rate: of {len(rows)} trials none ended "
        f"{100 * LEARNED:g} % below its start, and {flat.size}, at learning rates of "
        f"2^{flat.min():.1f} to 2^{flat.max():.1f}, stayed there. This is no divergence, so lower "
        "learning rates do not help: look at the data (do labels and captions belong to their "
        "images, are latents scaled), at the loss, at whether the parameters are trained, at the "
        "number of steps, and whether all of these learning rates are far too low"
    )
