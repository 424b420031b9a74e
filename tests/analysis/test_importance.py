"""The importance of HPs on searches whose truth is planted."""

import numpy as np
import pandas as pd
import pytest

from mutransfer.analysis.figures.importance import importance
from mutransfer.analysis.figures.search import search_rows


def searched(n: int, *, seed: int, weight: float = 1.0) -> pd.DataFrame:
    """A search whose loss depends on lr alone, if ``weight`` is not 0."""
    rng = np.random.default_rng(seed)
    lr, std = rng.uniform(-1, 1, (2, n))
    loss = 1 + weight * lr**2 + rng.normal(0, 0.02, n)
    dead = lr > 0.85
    return pd.DataFrame(
        {
            "asked_by": "search",
            "width": 64,
            "status": np.where(dead, "diverged", "done"),
            "val_loss": np.where(dead, np.nan, loss),
            "hp.lr": 2 ** (3 * lr),
            "hp.init_std": 2 ** (3 * std),
        }
    )


def rows_of(df: pd.DataFrame) -> pd.DataFrame:
    return search_rows(df, "width", 64)


def test_what_matters_is_told_from_what_does_not() -> None:
    found = importance(rows_of(searched(48, seed=0)))
    assert found.order == ("lr", "init_std")
    lr, std = found.shares
    assert lr.tells and lr.share > 0.6 and lr.low < lr.share < lr.high
    assert not std.tells and std.share < found.chance


def test_where_nothing_matters_nothing_is_said_to() -> None:
    """The negative control: a loss of noise only, without divergence."""
    told = []
    for seed in range(4):
        df = searched(48, seed=seed, weight=0.0)
        df["val_loss"] = np.random.default_rng(100 + seed).random(len(df))
        told += [s.tells for s in importance(rows_of(df.assign(status="done"))).shares]
    assert sum(told) <= 1


def test_it_depends_on_ranks_only_and_is_the_same_each_time() -> None:
    df = searched(24, seed=1)
    once = importance(rows_of(df))
    assert importance(rows_of(df.assign(val_loss=np.exp(20 * df["val_loss"])))) == once


@pytest.mark.parametrize(("n", "reason"), [(11, "11 search trials say nothing"), (0, "fewer")])
def test_few_trials_say_nothing(n: int, reason: str) -> None:
    found = importance(rows_of(searched(24, seed=0)[:n]))
    assert found.shares == () and reason in found.reason
