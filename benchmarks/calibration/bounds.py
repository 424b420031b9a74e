"""Rates of a cell with binomial intervals, the bounds that they must meet, and whether they do."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from benchmarks.calibration.draw import CASES
from benchmarks.calibration.score import REGRET_OF_FAIL, Score, name_of
from scipy import special

# What a user is promised: wrong PASS at a regret of 1.0 and of 1.5 tolerances, wrong FAIL at up to
# 0.5; coverage of the 95 % intervals; power as a share of what an honest test can reach. The last
# two kinds of errors are ours: 95 % is nominal.
MAX_WRONG, MAX_WRONG_FAR, MIN_HELD, MIN_POWER = 0.05, 0.02, 0.935, 0.9

Side = Literal["at most", "at least", "none"]


@dataclass(frozen=True)
class Rate:
    """A share of cases, and what it must be.

    Attributes:
        name: What is counted.
        hits, tried: Numbers of cases.
        side: Whether ``limit`` bounds the share from above or below.
        limit: The bound.
    """

    name: str
    hits: int
    tried: int
    side: Side = "none"
    limit: float = 0.0

    @property
    def share(self) -> float:
        """The share; NaN without a case."""
        return self.hits / self.tried if self.tried else float("nan")

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the share (Clopper and Pearson)."""
        k, n = self.hits, self.tried
        low = float(special.betaincinv(k, n - k + 1, 0.025)) if k else 0.0
        return low, float(special.betaincinv(k + 1, n - k, 0.975)) if k < n else 1.0

    @property
    def excess(self) -> float:
        """How far the share lies beyond its bound, in standard errors there; −inf: no bound."""
        if self.side == "none" or not self.tried:
            return -np.inf
        error = (max(self.limit * (1 - self.limit), 1e-9) / self.tried) ** 0.5
        return (self.share - self.limit) / error * (1 if self.side == "at most" else -1)

    @property
    def is_broken(self) -> bool:
        """Whether the whole interval lies beyond the bound."""
        low, high = self.interval
        beyond = low > self.limit if self.side == "at most" else high < self.limit
        return self.excess > 0 and beyond

    @property
    def text(self) -> str:
        """The share in percent with its interval; ✗: beyond its bound, ?: perhaps."""
        if not self.tried:
            return "–"
        low, high = (100 * end for end in self.interval)
        mark = " ✗" if self.is_broken else " ?" if self.excess > 0 else ""
        return f"{100 * self.share:.1f} ({low:.1f}-{high:.1f}){mark}"


def rates_of(score: Score, *, exempt: bool = False) -> list[Rate]:
    """Return the rates of a cell in the order of the table's columns; exempt: without bounds."""
    rates = list(_rates(score))
    return [Rate(r.name, r.hits, r.tried) for r in rates] if exempt else rates


def _rates(score: Score) -> Iterator[Rate]:
    power = MIN_POWER * (score.ceiling or 0.0)
    yield _worst(score, "PASS", 0.0, "at least" if power else "none", power)
    yield _worst(score, "PASS", 1.0, "at most", MAX_WRONG)
    yield _worst(score, "PASS", 1.5, "at most", MAX_WRONG_FAR)
    yield _worst(score, "FAIL", 0.0, "at most", MAX_WRONG)
    yield _worst(score, "FAIL", REGRET_OF_FAIL, "at most", MAX_WRONG)
    for name, side, limit in _COUNTED:
        yield Rate(name, score.hits[name], score.tried[name], side, limit)


_COUNTED: tuple[tuple[str, Side, float], ...] = (
    ("optimum held", "at least", MIN_HELD),
    ("closed", "none", 0.0),
    ("drift held", "at least", MIN_HELD),
    ("collapsed seen", "at least", MIN_HELD),
    ("collapsed wrongly", "at most", MAX_WRONG),
)


def _worst(
    score: Score, word: Literal["PASS", "FAIL"], regret: float, side: Side, limit: float
) -> Rate:
    """The rate of a word at a regret, on the side of the minimum where it is higher."""
    names = [name_of(word, case) for case in CASES if case[0] == regret]
    worst = max(names, key=lambda name: (score.hits[name], score.tried[name]))
    return Rate(f"{word} at {regret:g}", score.hits[worst], score.tried[worst], side, limit)
