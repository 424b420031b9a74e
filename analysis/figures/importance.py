"""The figure of importance: how much of the variation in a search each HP explains.

A random forest is fitted to the ranks of the losses (a diverged trial ranks last, so that no loss
is invented for it). The variance of its prediction over the searched box, uniform in log2, is
split into the main effect of each HP and the remainder, as in functional ANOVA (Hutter, Hoos and
Leyton-Brown 2014, "An efficient approach for assessing hyperparameter importance"). Intervals come
from bootstrap samples of the trials. In each an additional HP of random numbers takes part: its
share is what an HP without any effect gets by chance.
"""

from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.stats import rankdata
from sklearn.ensemble import RandomForestRegressor

from mutransfer.analysis.figures import style
from mutransfer.analysis.figures.canvas import Panel, Plot, points
from mutransfer.analysis.figures.search import TRIAL_COLOUR, varied_hps
from mutransfer.analysis.labels import hp_label
from mutransfer.analysis.table.schema import HP_PREFIX
from mutransfer.analysis.text_table import TextTable, text_table

MIN_TRIALS, TRIALS_PER_HP = 12, 6  # fewer trials than either give no importance
N_BOOTSTRAP, N_TREES, N_SAMPLES, N_GRID = 40, 10, 96, 8
CONFIDENCE = 0.9


# Data --------------------------------------------------------------------------------------------


class Share(NamedTuple):
    """Main effect of one HP, as a share from 0 to 1.

    Attributes:
        hp: The HP.
        label: Its label.
        share: Median over bootstrap samples.
        low, high: 90 % interval over bootstrap samples.
        exceeds_chance: The share is larger than what random numbers get.
    """

    hp: str
    label: str
    share: float
    low: float
    high: float
    exceeds_chance: bool


class Importance(NamedTuple):
    """Shares of the HPs, largest first.

    Attributes:
        shares: One for each HP that the search varied.
        chance: Upper end of the interval of the share of random numbers (95 % quantile).
        n_trials: Number of trials used.
        reason: Why there are no shares; empty if there are.
    """

    shares: tuple[Share, ...]
    chance: float
    n_trials: int
    reason: str = ""

    @property
    def order(self) -> tuple[str, ...]:
        """The HPs, largest share first."""
        return tuple(s.hp for s in self.shares)


def importance(rows: pd.DataFrame) -> Importance:
    """Return the importance of each HP that the rows of a search vary."""
    hps = [hp for hp in varied_hps(rows) if rows[HP_PREFIX + hp].notna().all()]
    n_needed = max(MIN_TRIALS, TRIALS_PER_HP * len(hps))
    if len(hps) < 2:
        return Importance((), 0.0, len(rows), "The search varied fewer than two HPs.")
    if len(rows) < n_needed:
        text = f"{len(rows)} search trials are too few for {len(hps)} HPs; {n_needed} are needed."
        return Importance((), 0.0, len(rows), text)
    units = np.stack([_scaled(rows[HP_PREFIX + hp]) for hp in hps], axis=1)
    shares = _bootstrap_shares(units, _ranks(rows))
    quantiles = [(1 - CONFIDENCE) / 2, 0.5, (1 + CONFIDENCE) / 2]
    low, median, high = np.quantile(shares, quantiles, axis=0)
    chance = float(high[-1])
    ordered = [
        Share(hp, hp_label(hp), float(m), float(a), float(b), exceeds_chance=bool(m > chance))
        for hp, m, a, b in zip(hps, median, low, high, strict=False)
    ]
    return Importance(tuple(sorted(ordered, key=lambda s: -s.share)), chance, len(rows))


def _scaled(values: pd.Series) -> np.ndarray:
    """The values of an HP scaled to 0 … 1, in log2 where all are positive."""
    x = values.to_numpy(dtype=float)
    x = np.log2(x) if (x > 0).all() else x
    return (x - x.min()) / (x.max() - x.min())


def _ranks(rows: pd.DataFrame) -> np.ndarray:
    loss = rows["val_loss"].where(rows["status"] == "done").fillna(np.inf)
    return rankdata(loss) / len(rows)


def _bootstrap_shares(units: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """(N_BOOTSTRAP, H + 1) shares of H HPs, and of random numbers in the last column."""
    n, n_hps = units.shape
    rng = np.random.default_rng(0)
    shares = []
    for k in range(N_BOOTSTRAP):
        x = np.column_stack([units, rng.random(n)])
        rows = rng.integers(n, size=n)
        forest = RandomForestRegressor(
            N_TREES, max_features=0.7, min_samples_leaf=2, random_state=k
        )
        forest.fit(x[rows], ranks[rows])
        shares.append(_main_effects(forest, rng.random((N_SAMPLES, n_hps + 1))))
    return np.array(shares)


def _main_effects(forest: RandomForestRegressor, samples: np.ndarray) -> np.ndarray:
    """Share of the variance of the prediction over the box that each column explains alone."""
    total = float(forest.predict(samples).var())
    if total == 0:
        return np.zeros(samples.shape[1])
    grid = (np.arange(N_GRID) + 0.5) / N_GRID
    shares = []
    for j in range(samples.shape[1]):
        x = np.repeat(samples[None], N_GRID, axis=0)
        x[:, :, j] = grid[:, None]
        mean = forest.predict(x.reshape(-1, samples.shape[1])).reshape(N_GRID, -1).mean(axis=1)
        shares.append(mean.var() / total)
    return np.minimum(shares, 1.0)


# Drawing -----------------------------------------------------------------------------------------


def importance_plot(info: Importance) -> Plot:
    """Return the share of each HP with its interval, and the share of random numbers."""
    text = "; ".join(f"{s.label} {100 * s.share:.0f} %" for s in info.shares)
    handles: list[Artist] = [
        Patch(fc=TRIAL_COLOUR, label="share, 90 %"),
        Line2D([], [], color=style.RED, ls="--", label="random numbers (95 %)"),
    ]
    panel = Panel(partial(_draw_importance, info=info), f"importance of HPs: {text}")
    return Plot([panel], handles, columns=1, height=0.75 + 0.25 * len(info.shares))


def _draw_importance(ax: Axes, *, info: Importance) -> None:
    for k, s in enumerate(info.shares):
        text = f"{s.label}: {100 * s.share:.0f} % ({100 * s.low:.0f} … {100 * s.high:.0f} %)"
        colour, alpha = (TRIAL_COLOUR, 0.55) if s.exceeds_chance else (style.SOFT, 0.3)
        ax.barh([-k], [100 * s.share], height=0.55, color=colour, alpha=alpha)
        ax.plot([100 * s.low, 100 * s.high], [-k, -k], color=style.INK)
        points(ax, [100 * s.share], [-k], [text], marker="o", ms=3.5, color=style.INK)
    ax.axvline(100 * info.chance, color=style.RED, ls="--", lw=1.0)
    ax.set_yticks([-k for k in range(len(info.shares))], [s.label for s in info.shares])
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    ax.set_xlim(0, 100)
    ax.set_ylim(-len(info.shares) + 0.4, 0.6)
    ax.set_xlabel("share of the variation of ranks, %")


# Table -------------------------------------------------------------------------------------------


def importance_table(info: Importance) -> TextTable:
    """Return the share of each HP, and of random numbers, in %."""
    rows = [
        (
            s.label,
            *(f"{100 * v:.3g}" for v in (s.share, s.low, s.high)),
            "yes" if s.exceeds_chance else "no",
        )
        for s in info.shares
    ]
    rows.append(("random numbers", "", "", f"{100 * info.chance:.3g}", ""))
    columns = ("HP", "share, %", "5 %", "95 %", "more than chance")
    return text_table(f"importance, {info.n_trials} trials", columns, rows)
