"""Measure the check of few target runs: `python -m benchmarks.decisions`.

Writes benchmarks/results/decisions.md. Nothing of its shapes was used to choose the rules but the
planted ones: the held-out shapes are those of `benchmarks.calibration.held_out`.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from benchmarks.calibration.held_out import HELD_OUT
from benchmarks.calibration.report import markdown
from benchmarks.calibration.shapes import PLANTED, Shape, power
from benchmarks.decisions.ceiling import ceiling
from benchmarks.decisions.study import LADDER, Outcome, outcome

OUT = Path(__file__).parents[1] / "results" / "decisions.md"
NOISES = (0.4, 1.0)
REGRETS = (0.0, 1.0)
# Steepness of the target over that of the ladder: log-uniform within this factor.
STEEPNESS = 2.0
PAIRS = (("valley", "valley"), ("wall k=1", "quartic"), ("V 0.8 : 1.6", "valley"))
# Ladder and target differ by more than a dilation: what may pass wrongly.
CHANGES = (
    ("valley", "wall k=-1"),
    ("quartic", "valley"),
    ("valley", "collapsed end"),
    ("valley", "straight, cliff"),
    ("wall k=2", "valley"),
)
# Within it: exponent 2 to 1.75, ratio of the sides 1 to 1.5.
DILATED = Shape("dilated parabola", partial(power, 1.75, 0.8, 1.2))


@dataclass(frozen=True)
class Cell:
    """Studies of one kind: names of the shapes, noise and regret in tolerances."""

    shapes: tuple[str, ...]
    of_target: tuple[str, ...]
    noise: float
    regret: float
    noise_at_target: float = 1.0

    def run(self, draws: range) -> list[Outcome]:
        """Return what becomes of its studies."""
        shapes = {shape.name: shape for shape in (*PLANTED, *HELD_OUT, DILATED)}
        found = []
        for draw in draws:
            rng = np.random.default_rng((draw, 7))
            steepness = float(np.exp(rng.uniform(-1, 1) * np.log(STEEPNESS)))
            one = outcome(
                [shapes[name] for name in self.shapes],
                self.noise,
                self.regret,
                rng,
                steepness=steepness if self.regret else 1.0,
                of_target=[shapes[name] for name in self.of_target],
                noise_at_target=self.noise_at_target,
            )
            found += [] if one is None else [one]
        return found


def _cells() -> list[Cell]:
    single = [(shape.name,) for shape in (*PLANTED, *HELD_OUT)]
    cells = [
        Cell(names, names, noise, regret)
        for noise in NOISES
        for names in (*single, *PAIRS)
        for regret in REGRETS
    ]
    for before, after in (("valley", DILATED.name), *CHANGES):
        cells += [Cell((before,), (after,), noise, 1.0) for noise in NOISES]
    cells += [Cell(("valley",), ("valley",), noise, 1.0, 1.5) for noise in NOISES]
    return cells


def _ceiling(cell: Cell) -> float | None:
    """That of one HP whose shape carries over, at regret 0."""
    if cell.regret or len(cell.shapes) > 1 or cell.shapes != cell.of_target:
        return None
    shape = next(shape for shape in (*PLANTED, *HELD_OUT) if shape.name == cell.shapes[0])
    return ceiling(shape, cell.noise)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.decisions")
    parser.add_argument("--draws", type=int, default=100, help="a cell (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="%(default)s")
    parser.add_argument("--out", type=Path, default=OUT, help="(default: %(default)s)")
    args = parser.parse_args()
    draws = range(args.seed * 1_000_000, args.seed * 1_000_000 + args.draws)
    cells, started, found = _cells(), time.monotonic(), {}
    with ProcessPoolExecutor(args.processes) as pool:
        for cell, outcomes in zip(
            cells, pool.map(Cell.run, cells, [draws] * len(cells)), strict=True
        ):
            found[cell] = outcomes
            spent = (time.monotonic() - started) / 60
            print(f"{len(found)}/{len(cells)} cells, {spent:.1f} min", file=sys.stderr, flush=True)
        ceilings = dict(zip(cells, pool.map(_ceiling, cells), strict=True))
    args.out.write_text(_report(found, ceilings, args), encoding="utf-8")
    print(f"wrote {args.out}")


def _report(
    found: dict[Cell, list[Outcome]],
    ceilings: dict[Cell, float | None],
    args: argparse.Namespace,
) -> str:
    rungs = "; ".join(
        f"width {w}: {n} values {step:g} octaves apart × {s} seeds" for w, n, step, s in LADDER
    )
    head = (
        "# The check of few target runs\n\n"
        f"`python -m benchmarks.decisions --draws {args.draws} --seed {args.seed}` on "
        f"{platform.machine()}, {os.cpu_count()} cores; noise in tolerances, normal, {rungs}; "
        "target: a star of at most 10 runs for one HP, 18 for two, in three looks. PASS in percent "
        "of studies, in brackets the mean number of target runs; at a regret of one tolerance "
        f"every PASS is wrong, and the target is up to {STEEPNESS:g} times as steep or as flat as "
        "the ladder. A cell has no entry where the shape has no place of that regret. After ≤ the "
        "ceiling: no honest test passes more often after all looks, whatever the ladder shows "
        "(`benchmarks.decisions.ceiling`).\n"
    )
    same = [cell for cell in found if cell.shapes == cell.of_target and cell.noise_at_target == 1]
    other = [cell for cell in found if cell not in same]
    rows = [
        [
            " + ".join(names),
            *(
                _entry(found[cell], ceilings[cell])
                for n in NOISES
                for r in REGRETS
                for cell in (Cell(names, names, n, r),)
            ),
        ]
        for names in dict.fromkeys(cell.shapes for cell in same)
    ]
    titles = ["shape", *(f"noise {n:g}, regret {r:g}" for n in NOISES for r in REGRETS)]
    changed = [
        [
            " + ".join(cell.shapes),
            " + ".join(cell.of_target),
            f"{cell.noise:g} × {cell.noise_at_target:g}",
            f"{_share(found[cell], 'PASS'):.0f}",
        ]
        for cell in other
    ]
    return "\n".join(
        [
            head,
            _totals(same, found),
            markdown("The shape carries over", titles, rows),
            markdown(
                "It changes, or the noise does: wrong PASS at a regret of one tolerance",
                ["ladder", "target", "noise", "PASS %"],
                changed,
            ),
        ]
    )


def _totals(cells: Sequence[Cell], found: dict[Cell, list[Outcome]]) -> str:
    """The mean shares of PASS over the shapes of one kind, one HP."""
    rows = []
    for title, shapes in (("planted", PLANTED), ("held out", HELD_OUT)):
        names = {shape.name for shape in shapes if not shape.narrow}
        for noise in NOISES:
            of = [c for c in cells if c.noise == noise and len(c.shapes) == 1]
            of = [c for c in of if c.shapes[0] in names and found[c]]
            at_0, at_1 = (
                [outcome for c in of if c.regret == regret for outcome in found[c]]
                for regret in REGRETS
            )
            runs = float(np.mean([outcome.n_runs for outcome in at_0]))
            passes = f"{_share(at_0, 'PASS'):.0f} [{runs:.1f}]"
            wrong = f"{_share(at_1, 'PASS'):.1f} of {len(at_1)}"
            rows.append([title, f"{noise:g}", passes, f"{_share(at_0, 'FAIL'):.1f}", wrong])
    columns = ["shapes", "noise", "PASS % at regret 0", "wrong FAIL %", "wrong PASS %"]
    return markdown("All shapes but the dip narrower than a step", columns, rows)


def _entry(outcomes: Sequence[Outcome], limit: float | None) -> str:
    if not outcomes:
        return "–"
    text = f"{_share(outcomes, 'PASS'):.0f}"
    if limit is not None:
        text += f" ≤ {100 * limit:.0f}"
    if failed := _share(outcomes, "FAIL"):
        text += f", FAIL {failed:.0f}"
    return f"{text} [{np.mean([o.n_runs for o in outcomes]):.1f}]"


def _share(outcomes: Sequence[Outcome], word: str) -> float:
    return 100 * sum(o.word == word for o in outcomes) / max(len(outcomes), 1)


if __name__ == "__main__":
    main()
