"""The tables of the calibration in Markdown, worst cells first."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from benchmarks.calibration.bounds import Rate, rates_of
from benchmarks.calibration.score import Score

EXPLANATION = """\
Units: the tolerance is 1; the level of the noise is the standard deviation of one run. A cell is
shape / noise / level / seeds × values at each width; there are three widths and a target, where the
transferred value is one more. Shares are in percent, in brackets their 95 % binomial interval; of
values above and below the optimum the worse counts. **✗**: the whole interval lies beyond the
bound; **?**: only the share does. *Ceiling*: what no test can exceed that passes a regret of 1 in
at most 5 % on each shape of the library with any noise (`ceiling.py`; other shapes are not looked
at); a PASS at regret 0 should reach nine tenths of it.
*Optimum held*: the interval of an optimum holds a value whose true loss is within a tenth of the
tolerance of the least. *Closed*: it has two ends; *length*: its median where it has. Dense real
sweeps: family / real / tolerance as a share of the loss / design.
"""


class Cell(Protocol):
    """What is scored: a planted situation, or one of the dense sweeps."""

    @property
    def group(self) -> str:
        """The table that it belongs to."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def is_exempt(self) -> bool:
        """Whether no bound applies."""

    def score(self, draws: Sequence[int]) -> Score:
        """Return the counts of some draws."""


def badness(cell: Cell, score: Score) -> float:
    """Return how far the worst rate of a cell lies beyond its bound, in standard errors."""
    return max(rate.excess for rate in rates_of(score, exempt=cell.is_exempt))


def is_doubtful(cell: Cell, score: Score) -> bool:
    """Return whether a rate lies beyond its bound, by chance or not."""
    return badness(cell, score) > 0


def report(scores: Mapping[Cell, Score], head: str) -> str:
    """Return the whole text: what was run, a summary, and a table for each group."""
    groups = list(dict.fromkeys(cell.group for cell in scores))
    parts = [f"# Calibration\n\n{head}\n\n{EXPLANATION}", _summary(scores, groups)]
    for group in groups:
        of_group = {cell: score for cell, score in scores.items() if cell.group == group}
        parts.append(_table(group, of_group))
    return "\n".join(parts)


def line(cell: Cell, score: Score) -> list[str]:
    """Return the row of a cell."""
    rates = [rate.text for rate in rates_of(score, exempt=cell.is_exempt)]
    ceiling = "–" if score.ceiling is None else f"{100 * score.ceiling:.0f}"
    length = f"{np.median(score.lengths):.2f}" if score.lengths else "–"
    return [cell.name, rates[0], ceiling, *rates[1:], length]


def _columns(score: Score) -> list[str]:
    names = [_header(rate) for rate in rates_of(score)]
    return ["cell", names[0], "ceiling", *names[1:], "length, octaves"]


def _header(rate: Rate) -> str:
    bound = {"at most": "≤", "at least": "≥", "none": ""}[rate.side]
    if rate.name == "PASS at 0" or not bound:
        return rate.name
    return f"{rate.name} ({bound} {100 * rate.limit:g})"


def _table(group: str, scores: Mapping[Cell, Score]) -> str:
    worst_first = sorted(scores, key=lambda cell: -badness(cell, scores[cell]))
    rows = [line(cell, scores[cell]) for cell in worst_first]
    return markdown(group, _columns(scores[worst_first[0]]), rows)


def _summary(scores: Mapping[Cell, Score], groups: Sequence[str]) -> str:
    """For each group and rate: the cells that break its bound, and those that may."""
    rows = []
    for group in groups:
        rates = [
            rates_of(score, exempt=cell.is_exempt)
            for cell, score in scores.items()
            if cell.group == group and not cell.is_exempt
        ]
        for of_name in zip(*rates, strict=True):
            bound = [rate for rate in of_name if rate.excess > -np.inf]
            if bound:
                worst = max(bound, key=lambda rate: rate.excess)
                broken = sum(rate.is_broken for rate in bound)
                doubtful = sum(rate.excess > 0 for rate in bound) - broken
                counts = (len(bound), broken, doubtful)
                rows.append([group, _header(worst), *map(str, counts), worst.text])
    columns = ["cells", "rate", "with a bound", "✗", "?", "worst"]
    return markdown("Summary", columns, rows)


def markdown(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with its title."""
    lines = [f"## {title}", "", "| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows), ""])
