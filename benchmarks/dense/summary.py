"""What the kept sweeps look like: optimum, ends of the range, walls, and what the noise is made of.

Noise is that of one run from an octave below the best value to half an octave above it, as a share
of the best loss: further up runs begin to collapse.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from benchmarks.dense import tables
from benchmarks.dense.tables import dense_mean, losses

# Octaves below and above the best value in which noise is measured.
BELOW, ABOVE = 1.0, 0.5
# A run above the best value that is done and lost this share of what the best gained on the trivial
# loss counts as collapsed here. The analysis, which knows no trivial loss, has a rule of its own.
COLLAPSED = 0.25


def row(df: pd.DataFrame, width: int, trivial: float) -> dict[str, float]:
    """One width of a sweep in numbers, by the names of the columns; losses have no unit."""
    truth, runs = dense_mean(df, width), losses(df, width)
    best, least = float(truth.idxmin()), float(truth.min())
    right = runs[runs.index > best]
    near = near_best(runs, best).dropna()
    main, rest = noise_parts(near.to_numpy())
    return {
        "best log2 lr": best,
        "best loss": least,
        "loss at the least lr": float(truth.iloc[0]),
        "first diverged": float(runs.index[runs.isna().any(axis=1)].min()),
        "diverged runs": float(runs.isna().sum().sum()),
        "collapsed runs": float((right > least + COLLAPSED * (trivial - least)).sum().sum()),
        "noise %": 100 * float(np.sqrt(near.var(axis=1).mean())) / least,
        "an octave below %": spread(runs, best - 1) / least,
        "an octave above %": spread(runs, best + 1) / least,
        "of seeds %": 100 * main / least,
        "of seed × lr %": 100 * rest / least,
        "at ¼ octave": correlation(near, 0.25),
        "at 1 octave": correlation(near, 1.0),
    }


def near_best(runs: pd.DataFrame, best: float) -> pd.DataFrame:
    """The values in which noise is measured."""
    return runs[(runs.index >= best - BELOW) & (runs.index <= best + ABOVE)]


def spread(runs: pd.DataFrame, log2_lr: float) -> float:
    """100 × the standard deviation over the runs that did not diverge; NaN for an absent value."""
    return 100 * float(runs.loc[log2_lr].std()) if log2_lr in runs.index else float("nan")


def noise_parts(runs: np.ndarray) -> tuple[float, float]:
    """Standard deviations of the seed main effect and of the rest, by two-way analysis of variance.

    Args:
        runs: Losses, (values, seeds).
    """
    effects = runs.mean(axis=0) - runs.mean()
    rest = runs - runs.mean(axis=1, keepdims=True) - effects
    n_values, n_seeds = runs.shape
    rest_ms = (rest**2).sum() / ((n_values - 1) * (n_seeds - 1))
    main = (effects**2).sum() / (n_seeds - 1) - rest_ms / n_values
    return float(np.sqrt(max(main, 0.0))), float(np.sqrt(rest_ms))


def correlation(runs: pd.DataFrame, octaves: float) -> float:
    """Correlation between the losses of one seed at values this far apart; NaN without such."""
    values = runs.index.to_numpy()
    pairs = [(x, x + octaves) for x in values if x + octaves in values]
    if not pairs:
        return float("nan")
    apart = np.mean([(runs.loc[b] - runs.loc[a]).var() for a, b in pairs])
    total = np.mean([runs.loc[a].var() + runs.loc[b].var() for a, b in pairs])
    return float(1 - apart / total)


def correlation_of_widths(df: pd.DataFrame) -> float:
    """Correlation between the losses of one seed and lr at the two widths, near the best."""
    first, second = (losses(df, width) for width in sorted(df["width"].unique()))
    best = float(dense_mean(df, int(df["width"].max())).idxmin())
    pair = [near_best(runs, best).T for runs in (first, second)]
    own = [(runs - runs.mean()).to_numpy() for runs in pair]
    kept = np.isfinite(own[0]) & np.isfinite(own[1])
    return float(np.corrcoef(own[0][kept], own[1][kept])[0, 1])


def markdown(families: Iterable[str], folder: Path) -> str:
    """Every width of the kept sweeps as a line of a Markdown table."""
    lines: list[tuple[str, ...]] = []
    for family in families:
        df, trivial = tables.load(family, folder), tables.trivial_loss(family, folder)
        between = correlation_of_widths(df)
        for width in sorted(df["width"].unique()):
            cells = {**row(df, width, trivial), "of widths": between}
            if not lines:
                columns = ("family", "width", *cells)
                lines = [columns, ("---",) * len(columns)]
            lines.append((family, str(width), *(f"{cell:.4g}" for cell in cells.values())))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
