"""What each constant of the fit does: some cells of the calibration with it halved and doubled.

`python -m benchmarks.calibration.constants` writes benchmarks/results/constants.md: for each
constant and rate the cell that moves most. The draws are the same for all.
"""

import argparse
import importlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.calibration.bounds import Rate, rates_of
from benchmarks.calibration.cells import Cell, cells_of
from benchmarks.calibration.report import markdown
from benchmarks.calibration.score import Score
from benchmarks.calibration.shapes import PLANTED

from mutransfer.analysis.fit.shapes import library

OUT = Path(__file__).parents[1] / "results" / "constants.md"
# Half and double the value, but for a ratio that is 1 at least.
FACTORS = (0.5, 2.0)
OTHERS = {"RATIO_SMOOTH": (0.8, 1.2)}
CONSTANTS = {
    "fit.curve": (
        "MISFIT_OF_TOLERANCE",
        "MISFIT_OF_HEIGHT",
        "NOISE_THAT_HIDES",
        "MISFIT_P",
        "BEYOND",
    ),
    "fit.window": ("REACH_TOLERANCES", "CLIFF_RANGES"),
    "fit.shapes": ("RATIO", "RATIO_SMOOTH"),
    "fit.profile": ("COARSE",),
    "fit.noise": ("PRIOR_DF", "STANDS_OUT", "TILT_PRIOR_DF", "NOISE_SLOPE_SD"),
    "transfer.regret": ("ERROR_SHARE",),
    "table.collapse": ("FAR", "STEEPER", "STEEPER_THAN_ALL", "MIN_JUMP"),
}
CELLS = (
    "valley/normal/0.4/2x5",
    "valley/normal/1/3x7",
    "V 0.8 : 1.6/normal/0.4/3x5",
    "V 0.8 : 1.6/normal/1/3x7",
    "wall k=2/normal/0.2/3x7",
    "wall k=-4/normal/0.1/3x5",
    "Morse/normal/0.4/3x7",
    "log-cosh/normal/0.4/2x5",
    "kinked parabola/normal/0.1/2x5",
    "quartic/normal/0.2/3x7",
    "plateau, cliff/normal/0.1/3x7",
    "straight, cliff/normal/0.4/3x7 refined",
    "collapsed end/normal/0.1/3x7",
    "collapsed end/normal/1/2x5",
    "valley/growing/0.4/3x7",
    "valley/slopes own/0.4/3x7",
    "wall k=1/outliers/0.4/3x7",
)


@dataclass(frozen=True)
class Task:
    """One cell with one constant multiplied by a factor; ``constant`` None: as it ships."""

    constant: tuple[str, str] | None
    factor: float
    cell: Cell
    draws: range

    def score(self) -> Score:
        """Return its counts."""
        with multiplied(self.constant, self.factor):
            return self.cell.score(self.draws)


@contextmanager
def multiplied(constant: tuple[str, str] | None, factor: float) -> Iterator[None]:
    """Within the context a constant of a module of the analysis is ``factor`` times as large."""
    if constant is None:
        yield
        return
    module = importlib.import_module(f"mutransfer.analysis.{constant[0]}")
    value = getattr(module, constant[1])
    setattr(module, constant[1], value * factor)
    library.cache_clear()
    try:
        yield
    finally:
        setattr(module, constant[1], value)
        library.cache_clear()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calibration.constants")
    parser.add_argument("--draws", type=int, default=100, help="a cell (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="(default: %(default)s)")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="%(default)s")
    parser.add_argument("--out", type=Path, default=OUT, help="(default: %(default)s)")
    args = parser.parse_args()
    by_name = {cell.name: cell for cell in cells_of("", PLANTED, full=True)}
    cells = [by_name[name] for name in CELLS]
    names = [(module, name) for module, of in CONSTANTS.items() for name in of]
    changes = [(None, 1.0), *((name, f) for name in names for f in OTHERS.get(name[1], FACTORS))]
    draws = range(args.seed * 1_000_000, args.seed * 1_000_000 + args.draws)
    tasks = [Task(*change, cell, draws) for change in changes for cell in cells]
    started, scores = time.monotonic(), {}
    with ProcessPoolExecutor(args.processes) as pool:
        results = pool.map(Task.score, tasks, chunksize=len(cells))
        for n, (task, score) in enumerate(zip(tasks, results, strict=True), 1):
            scores[task.constant, task.factor, task.cell] = score
            if n % len(cells) == 0:
                spent = (time.monotonic() - started) / 60
                print(f"{n}/{len(tasks)} cells, {spent:.1f} min", file=sys.stderr, flush=True)
    args.out.write_text(_report(scores, changes[1:], cells, args), encoding="utf-8")
    print(f"wrote {args.out}")


def _report(
    scores: dict[tuple[object, float, Cell], Score],
    changes: Sequence[tuple[tuple[str, str] | None, float]],
    cells: Sequence[Cell],
    args: argparse.Namespace,
) -> str:
    shipped = {cell: rates_of(scores[None, 1.0, cell]) for cell in cells}
    titles = [rate.name for rate in next(iter(shipped.values()))]
    rows = []
    for constant, factor in changes:
        changed = {cell: rates_of(scores[constant, factor, cell]) for cell in cells}
        moves = [_largest_move(cells, shipped, changed, i) for i in range(len(titles))]
        assert constant is not None
        value = getattr(importlib.import_module(f"mutransfer.analysis.{constant[0]}"), constant[1])
        rows.append([f"`{constant[1]}` {value:g} → {value * factor:g}", *moves])
    head = (
        f"# Constants of the fit\n\n`python -m benchmarks.calibration.constants --draws "
        f"{args.draws} --seed {args.seed}`: {len(cells)} cells of {args.draws} draws, each "
        "constant halved and doubled. For each rate, in percent, the cell that moves most; – where "
        "none moves by more than two standard errors of a share of a half.\n"
    )
    return "\n".join([head, markdown("Largest moves", ["constant", *titles], rows)])


def _largest_move(
    cells: Sequence[Cell],
    shipped: dict[Cell, list[Rate]],
    changed: dict[Cell, list[Rate]],
    i: int,
) -> str:
    """The cell whose rate ``i`` moves most, with both shares."""
    moves = [
        (abs(after.share - before.share), cell.name, before.share, after.share)
        for cell in cells
        if (before := shipped[cell][i]).tried and (after := changed[cell][i]).tried
    ]
    size, name, before_share, after_share = max(moves, default=(0.0, "", 0.0, 0.0))
    n = max(rate[i].tried for rate in shipped.values())
    if not n or size < 2 * 0.5 / n**0.5:
        return "–"
    return f"{name}: {100 * before_share:.0f} → {100 * after_share:.0f}"


if __name__ == "__main__":
    main()
