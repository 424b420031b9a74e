"""The importance of HPs on searches whose truth is planted."""

import numpy as np
import pandas as pd
import pytest

from mutransfer.analysis.figures.importance import importance
from mutransfer.analysis.figures.search import search_rows


def search_of(n: int, *, seed: int, weight: float = 1.0) -> pd.DataFrame:
    """A search whose loss depends on lr alone, if ``weight`` is not 0."""
    rng = np.random.default_rng(seed)
    lr, std = rng.uniform(-1, 1, (2, n))
    loss = 1 + weight * lr**2 + rng.normal(0, 0.02, n)
    diverged = lr > 0.85
    return pd.DataFrame(
        {
            "asked_by": "search",
            "width": 64,
            "status": np.where(diverged, "diverged", "done"),
            "val_loss": np.where(diverged, np.nan, loss),
            "hp.lr": 2 ** (3 * lr),
            "hp.init_std": 2 ** (3 * std),
        }
    )


def rows_of(df: pd.DataFrame) -> pd.DataFrame:
    return search_rows(df, "width", 64)


def test_an_hp_that_matters_exceeds_chance_and_one_that_does_not_stays_below() -> None:
    result = importance(rows_of(search_of(48, seed=0)))
    assert result.order == ("lr", "init_std")
    lr, std = result.shares
    assert lr.exceeds_chance and lr.share > 0.6 and lr.low < lr.share < lr.high
    assert not std.exceeds_chance and std.share < result.chance


def test_where_nothing_matters_nothing_exceeds_chance() -> None:
    """The negative control: a loss of noise only, without divergence."""
    exceeding = []
    for seed in range(4):
        df = search_of(48, seed=seed, weight=0.0)
        df["val_loss"] = np.random.default_rng(100 + seed).random(len(df))
        exceeding += [
            s.exceeds_chance for s in importance(rows_of(df.assign(status="done"))).shares
        ]
    assert sum(exceeding) <= 1


def test_importance_depends_on_ranks_only_and_is_reproducible() -> None:
    df = search_of(24, seed=1)
    once = importance(rows_of(df))
    assert importance(rows_of(df.assign(val_loss=np.exp(20 * df["val_loss"])))) == once


@pytest.mark.parametrize(("n", "reason"), [(11, "11 search trials are too few"), (0, "fewer")])
def test_few_trials_give_no_importance(n: int, reason: str) -> None:
    result = importance(rows_of(search_of(24, seed=0)[:n]))
    assert result.shares == () and reason in result.reason
