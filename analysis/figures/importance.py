"""The figure of importance: how much each HP of a search matters.

Shown are shares of the variation of the losses' ranks.

A random forest is fitted to the ranks of the losses (a diverged trial ranks last: no loss is
invented for it), and the variance of its prediction over the searched box, uniform in log2, is
split into what each HP does alone and the rest, as functional ANOVA does (Hutter, Hoos and
Leyton-Brown 2014, "An efficient approach for assessing hyperparameter importance"). Trials are
resampled for an interval, and an HP of random numbers takes part each time: what it gets is
what an HP gets that does nothing.
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
from mutransfer.analysis.figures.search import DOTS, varied
from mutransfer.analysis.labels import hp_label
from mutransfer.analysis.table.schema import HP_PREFIX
from mutransfer.analysis.text_table import TextTable, _table

MIN_TRIALS, TRIALS_PER_HP = 12, 6  # fewer say nothing

RESAMPLES, TREES, SAMPLES, PLACES = 40, 10, 96, 8

LEVEL = 0.9


class Share(NamedTuple):
    """Share of one HP alone, 0 to 1: median and interval of 90 % over resampled trials."""

    hp: str
    label: str
    share: float
    low: float
    high: float
    tells: bool  # more than an HP of random numbers gets


class Importance(NamedTuple):
    """Shares of the HPs, largest first; ``reason`` says why there are none.

    Attributes:
        shares: One for each HP that the search varied.
        chance: What an HP of random numbers stays under in 95 % of the resamples.
        n_trials: Trials that took part.
        reason: Empty, or why nothing can be said.
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
    """Return the importance of each HP that the rows of a search varied."""
    hps = [hp for hp in varied(rows) if rows[HP_PREFIX + hp].notna().all()]
    wanted = max(MIN_TRIALS, TRIALS_PER_HP * len(hps))
    if len(hps) < 2:
        return Importance((), 0.0, len(rows), "The search varied fewer than two HPs.")
    if len(rows) < wanted:
        text = f"{len(rows)} search trials say nothing about {len(hps)} HPs; {wanted} may."
        return Importance((), 0.0, len(rows), text)
    drawn = _shares(np.stack([_unit(rows[HP_PREFIX + hp]) for hp in hps], axis=1), _ranks(rows))
    low, middle, high = np.quantile(drawn, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2], axis=0)
    chance = float(high[-1])
    shares = [
        Share(hp, hp_label(hp), float(m), float(a), float(b), tells=bool(m > chance))
        for hp, m, a, b in zip(hps, middle, low, high, strict=False)
    ]
    return Importance(tuple(sorted(shares, key=lambda s: -s.share)), chance, len(rows))


def _unit(values: pd.Series) -> np.ndarray:
    """The values of an HP from 0 to 1, on a log scale where they have logarithms."""
    x = values.to_numpy(dtype=float)
    x = np.log2(x) if (x > 0).all() else x
    return (x - x.min()) / (x.max() - x.min())


def _ranks(rows: pd.DataFrame) -> np.ndarray:
    loss = rows["val_loss"].where(rows["status"] == "done").fillna(np.inf)
    return rankdata(loss) / len(rows)


def _shares(units: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """(RESAMPLES, H + 1) shares of H HPs, and of one of random numbers last."""
    n, n_hps = units.shape
    rng = np.random.default_rng(0)
    found = []
    for k in range(RESAMPLES):
        x = np.column_stack([units, rng.random(n)])
        taken = rng.integers(n, size=n)
        forest = RandomForestRegressor(TREES, max_features=0.7, min_samples_leaf=2, random_state=k)
        forest.fit(x[taken], ranks[taken])
        found.append(_split(forest, rng.random((SAMPLES, n_hps + 1))))
    return np.array(found)


def _split(forest: RandomForestRegressor, samples: np.ndarray) -> np.ndarray:
    """Share of the variance of the prediction over the box that each column explains alone."""
    whole = float(forest.predict(samples).var())
    if whole == 0:
        return np.zeros(samples.shape[1])
    places = (np.arange(PLACES) + 0.5) / PLACES
    shares = []
    for j in range(samples.shape[1]):
        held = np.repeat(samples[None], PLACES, axis=0)
        held[:, :, j] = places[:, None]
        mean = forest.predict(held.reshape(-1, samples.shape[1])).reshape(PLACES, -1).mean(axis=1)
        shares.append(mean.var() / whole)
    return np.minimum(shares, 1.0)


def importance_plot(info: Importance) -> Plot:
    """Return the share of each HP with its interval, and what chance gives."""
    told = "; ".join(f"{s.label} {100 * s.share:.0f} %" for s in info.shares)
    handles: list[Artist] = [
        Patch(fc=DOTS, label="share, 90 %"),
        Line2D([], [], color=style.RED, ls="--", label="random numbers (95 %)"),
    ]
    panel = Panel(partial(_draw_importance, info=info), f"importance of HPs: {told}")
    return Plot([panel], handles, columns=1, height=0.75 + 0.25 * len(info.shares))


def _draw_importance(ax: Axes, *, info: Importance) -> None:
    for k, s in enumerate(info.shares):
        text = f"{s.label}: {100 * s.share:.0f} % ({100 * s.low:.0f} … {100 * s.high:.0f} %)"
        colour = DOTS if s.tells else style.SOFT
        ax.barh([-k], [100 * s.share], height=0.55, color=colour, alpha=0.55 if s.tells else 0.3)
        ax.plot([100 * s.low, 100 * s.high], [-k, -k], color=style.INK)
        points(ax, [100 * s.share], [-k], [text], marker="o", ms=3.5, color=style.INK)
    ax.axvline(100 * info.chance, color=style.RED, ls="--", lw=1.0)
    ax.set_yticks([-k for k in range(len(info.shares))], [s.label for s in info.shares])
    ax.tick_params(axis="y", length=0)
    ax.grid(visible=False, axis="y")
    ax.set_xlim(0, 100)
    ax.set_ylim(-len(info.shares) + 0.4, 0.6)
    ax.set_xlabel("share of the variation of ranks, %")


def importance_table(info: Importance) -> TextTable:
    """Return the shares of the HPs, and of random numbers."""
    rows = [
        (s.label, *(f"{100 * v:.3g}" for v in (s.share, s.low, s.high)), "yes" if s.tells else "no")
        for s in info.shares
    ]
    rows.append(("random numbers", "", "", f"{100 * info.chance:.3g}", ""))
    columns = ("HP", "share, %", "5 %", "95 %", "more than chance")
    return _table(f"importance, {info.n_trials} trials", columns, rows)
