"""How often intervals and verdicts hold on planted curves and on dense real sweeps.

`python -m benchmarks.calibration --draws 100 --held-out` writes benchmarks/results/calibration.md.
All draws go through the code that ships; each has a fixed seed, whatever else is drawn.
"""

import argparse
import os
import platform
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from fnmatch import fnmatch
from pathlib import Path

from benchmarks.calibration.cells import cells_of
from benchmarks.calibration.held_out import HELD_OUT
from benchmarks.calibration.real import cells_of_sweeps
from benchmarks.calibration.report import Cell, is_doubtful, report
from benchmarks.calibration.run import scores_of
from benchmarks.calibration.shapes import PLANTED

OUT = Path(__file__).parents[1] / "results" / "calibration.md"
# Cells beyond a bound are drawn again, so many times as often: of hundreds of cells some are beyond
# theirs by chance. The new draws alone count.
AGAIN = 4
# Draws of one `--seed`, more than are ever drawn.
SEEDS = 1_000_000
EXAMPLES = """\
examples:
  python -m benchmarks.calibration --draws 100 --held-out
      all cells; writes benchmarks/results/calibration.md
  python -m benchmarks.calibration --draws 100 --cells "valley/normal/*"
      the cells of one shape under normal noise; prints the tables
  python -m benchmarks.calibration --draws 1000 --cells "*/real/*"
      those resampled from the dense sweeps (benchmarks/results/dense)
  python -m benchmarks.calibration --draws 300 --cells "*/0.4/3x7 refined" --out /tmp/refined.md
"""


def main() -> None:
    args = _parser().parse_args()
    cells = _cells(args)
    if not cells:
        sys.exit(f"--cells: a pattern of cells; {args.cells!r} matches none of them; see --help")
    started = time.monotonic()
    with ProcessPoolExecutor(args.processes) as pool:
        first = args.seed * SEEDS
        scores = scores_of(pool, cells, range(first, first + args.draws))
        again = [cell for cell in cells if args.again and is_doubtful(cell, scores[cell])]
        first += args.draws
        scores |= scores_of(pool, again, range(first, first + args.again * args.draws))
    text = report(scores, _head(args, len(cells), len(again), time.monotonic() - started))
    out = args.out or (None if args.cells else OUT)
    if out is None:
        print(text)
    else:
        out.write_text(text, encoding="utf-8")
        print(f"wrote {out}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.calibration",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--draws", type=int, default=100, help="draws of each cell (default: %(default)s)")
    add("--cells", metavar="PATTERN", help="cells by name: shape/noise/level/design, * and ?")
    add("--held-out", action="store_true", help="the held-out shapes too")
    add("--full", action="store_true", help="every kind of noise at every level and design")
    add(
        "--again",
        type=int,
        default=AGAIN,
        help="cells beyond a bound are judged by so many times as many fresh draws "
        "(default: %(default)s; 0: by the first)",
    )
    add("--seed", type=int, default=0, help="another one gives other draws (default: %(default)s)")
    add("--processes", type=int, default=os.cpu_count(), help="(default: %(default)s)")
    add("--out", type=Path, help=f"file (default: {OUT.name}; with --cells: print)")
    return parser


def _cells(args: argparse.Namespace) -> list[Cell]:
    """All cells that were asked for."""
    groups = {"Planted shapes": PLANTED, "Held-out shapes": HELD_OUT if args.held_out else ()}
    cells: list[Cell] = []
    for group, shapes in groups.items():
        cells += cells_of(group, shapes, full=args.full)
    cells += cells_of_sweeps()
    return [cell for cell in cells if fnmatch(cell.name, args.cells or "*")]


def _head(args: argparse.Namespace, n_cells: int, n_again: int, seconds: float) -> str:
    """What was run, and where."""
    command = " ".join(["python -m benchmarks.calibration", *sys.argv[1:]])
    return (
        f"`{command}`: {n_cells} cells of {args.draws} draws, seed {args.seed}; {n_again} of them "
        f"beyond a bound and judged by {args.again * args.draws} fresh draws instead. "
        f"{seconds / 60:.0f} minutes in {args.processes} processes; {platform.machine()}, "
        f"{os.cpu_count()} cores, Python {platform.python_version()}."
    )


if __name__ == "__main__":
    main()
