"""Runs the dense sweep of one model family and writes it as a small Parquet, or describes all.

Stopped and started again, it goes on where it was: a finished trial never runs again.
"""

import argparse
from pathlib import Path

from benchmarks.dense import summary, sweep, tables
from benchmarks.dense.designs import DESIGNS

from mutransfer.sweep.store.store import Store

EXAMPLES = """examples:
  python -m benchmarks.dense --family dit   run what has not run, on one core, and write dit.parquet
  python -m benchmarks.dense --summary      optimum, ends, walls and noise of the kept sweeps"""


def main() -> None:
    """Run one sweep on one core, with progress, and pack it; or print the summary of all."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.dense",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--family", choices=DESIGNS)
    task.add_argument("--summary", action="store_true")
    parser.add_argument("--out", type=Path, default=tables.RESULTS, help="folder of the Parquets")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/dense"), help="folder of the parts (%(default)s)"
    )
    args = parser.parse_args()
    if args.summary:
        print(summary.markdown(DESIGNS, args.out))
    else:
        run(args.family, args.out, args.runs)


def run(family: str, out: Path, runs: Path) -> None:
    """Run a sweep, with progress, and pack it."""
    design, store = DESIGNS[family], Store(str(runs / family))
    for n, progress in enumerate(sweep.run(design, store), start=1):
        left = (progress.of - progress.done) * progress.seconds / n
        print(f"{family}: {progress.done} of {progress.of}, {left / 60:.0f} min left", flush=True)
    path = out / f"{family}.parquet"
    n = sweep.pack(design, store, path)
    print(f"{path}: {n} trials, {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
