"""Runs the fuzzers; exit code 1 where one found a bug or a wrong verdict."""

import argparse
import os
import sys
import time
from pathlib import Path

from benchmarks.fuzz import rundirs, specs, tables
from benchmarks.fuzz.outcome import Tally

EXAMPLES = """examples:
  python -m benchmarks.fuzz                        10,000 specs, 5,000 tables, 2,000 run directories
  python -m benchmarks.fuzz --only runs --n 200    a part of them"""
COUNTS = {"specs": 10_000, "tables": 5_000, "runs": 2_000}


def planted_run(folder: Path) -> None:
    """A finished run directory of a small study with a planted law."""
    from tests.sweep.conftest import TINY, study_of
    from tests.sweep.planted import played_run

    played_run(study_of(TINY), folder)


def run(kind: str, n: int, seed: int) -> Tally:
    """Run one fuzzer."""
    tally = Tally()
    if kind == "specs":
        specs.fuzz(n, seed, tally)
    elif kind == "tables":
        tables.fuzz(n, seed, tally)
    else:
        rundirs.fuzz(n, seed, tally, planted_run)
    return tally


def main() -> None:
    """Run the fuzzers that are asked for, and print what they found."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fuzz", description=__doc__, epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--only", choices=COUNTS)
    parser.add_argument("--n", type=int, help="inputs of each kind")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    n_bugs = 0
    for kind in [args.only] if args.only else COUNTS:
        started = time.monotonic()
        tally = run(kind, args.n or COUNTS[kind], args.seed)
        counts = ", ".join(f"{n} {name}" for name, n in sorted(tally.outcomes.items()))
        print(f"{kind}: {counts}; {time.monotonic() - started:.0f} s", flush=True)
        for bug in tally.bugs:
            print(f"    {bug}")
        n_bugs += len(tally.bugs)
    sys.exit(n_bugs > 0)


if __name__ == "__main__":
    main()
