"""How much each HP of a search matters: shares of the variation of the losses' ranks.

A random forest is fitted to the ranks of the losses (a diverged trial ranks last: no loss is
invented for it), and the variance of its prediction over the searched box, uniform in log2, is
split into what each HP does alone and the rest, as functional ANOVA does (Hutter, Hoos and
Leyton-Brown 2014, "An efficient approach for assessing hyperparameter importance"). Trials are
resampled for an interval, and an HP of random numbers takes part each time: what it gets is
what an HP gets that does nothing.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.ensemble import RandomForestRegressor

from mutransfer.analysis.labels import hp_label
from mutransfer.analysis.table.schema import HP_PREFIX


def varied(rows: pd.DataFrame) -> list[str]:
    """Return the HPs that the rows vary."""
    columns = [c for c in rows.columns if str(c).startswith(HP_PREFIX)]
    return [c.removeprefix(HP_PREFIX) for c in columns if rows[c].nunique() > 1]


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
