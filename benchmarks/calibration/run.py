"""All cells scored, in several processes, with progress."""

import sys
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass

from benchmarks.calibration.report import Cell
from benchmarks.calibration.score import Score

# Draws that one process analyzes at a time.
BATCH = 50
EVERY_SECONDS = 10.0


@dataclass(frozen=True)
class Task:
    """A batch of draws of one cell."""

    cell: Cell
    draws: range

    def score(self) -> Score:
        """Return its counts."""
        try:
            return self.cell.score(self.draws)
        except Exception as error:
            error.add_note(f"in a draw of {self.draws} of cell {self.cell.name}")
            raise


def scores_of(pool: Executor, cells: Sequence[Cell], draws: range) -> dict[Cell, Score]:
    """Return the counts of all cells, over the same numbers of draws; progress on stderr."""
    batches = [draws[k : k + BATCH] for k in range(0, len(draws), BATCH)]
    tasks = [Task(cell, batch) for cell in cells for batch in batches]
    scores = {cell: Score() for cell in cells}
    started = printed = time.monotonic()
    for n, (task, score) in enumerate(zip(tasks, pool.map(Task.score, tasks), strict=True), 1):
        scores[task.cell].add(score)
        spent = time.monotonic() - started
        left = spent / n * (len(tasks) - n)
        text = f"{n}/{len(tasks)} batches, {spent / 60:.1f} min, about {left / 60:.1f} to go"
        if time.monotonic() - printed > EVERY_SECONDS or n == len(tasks):
            print(f"{text}; {task.cell.name}", file=sys.stderr, flush=True)
            printed = time.monotonic()
    return scores
