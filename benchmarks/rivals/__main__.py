"""Compare ways to find the LR of a target: `python -m benchmarks.rivals`.

Writes benchmarks/results/rivals.md: regret at the target and cost in target runs, on planted curves
and on the kept real sweeps, all with the same prior range and one HP.
"""

import argparse
import os
import platform
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from benchmarks.calibration.report import markdown
from benchmarks.rivals.methods import METHODS, Found
from benchmarks.rivals.worlds import HIGH, LOW, REL_TOLERANCE, Case, Planted, Real, shape_named

OUT = Path(__file__).parents[1] / "results" / "rivals.md"
World = tuple[str, Callable[[np.random.Generator], Case]]
# Octaves per doubling of width: under μP, and about what a constant LR loses under SP.
DRIFT_SP = -0.5


def _planted(shape: str, noise: float, drift: float) -> World:
    name = f"planted {shape}, noise {noise:g}, drift {drift:g}"
    return name, lambda rng: Planted(shape_named(shape), noise, drift, rng)


WORLDS: tuple[World, ...] = (
    _planted("valley", 0.4, 0.0),
    _planted("valley", 1.0, 0.0),
    _planted("wall k=3", 0.4, 0.0),
    _planted("V 0.8 : 1.6", 0.4, 0.0),
    _planted("valley", 0.4, DRIFT_SP),
    ("real: dit, width 32 to 128", lambda rng: Real("dit", rng)),
    ("real: uvit, width 32 to 64", lambda rng: Real("uvit", rng)),
    ("real: pixart, width 16 to 32", lambda rng: Real("pixart", rng)),
    ("real: mmdit, width 16 to 32", lambda rng: Real("mmdit", rng)),
)


def cell(world: int, method: str, draws: range) -> list[tuple[Found, float]]:
    """Return what a way finds in each draw of a world, and the regret of that, %."""
    results = []
    for draw in draws:
        rng = np.random.default_rng((draw, world))
        case = WORLDS[world][1](rng)
        if "ASHA" in method and case.curve(-6.0, 1) is None:
            return []
        choice = METHODS[method](case, rng)
        results.append((choice, case.regret(choice.log2_lr)))
    return results


def main() -> None:
    """Run every way in every world and write the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rivals")
    parser.add_argument("--draws", type=int, default=40, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="%(default)s")
    parser.add_argument("--out", type=Path, default=OUT, help="(default: %(default)s)")
    args = parser.parse_args()
    draws = range(args.seed * 1_000_000, args.seed * 1_000_000 + args.draws)
    tables = []
    with ProcessPoolExecutor(args.processes) as pool:
        for i, (name, _) in enumerate(WORLDS):
            jobs = {method: pool.submit(cell, i, method, draws) for method in METHODS}
            rows = [_row(method, job.result()) for method, job in jobs.items() if job.result()]
            tables.append(markdown(name, COLUMNS, rows))
            print(tables[-1], file=sys.stderr, flush=True)
    args.out.write_text("\n".join([_head(args), *tables]), encoding="utf-8")
    print(f"wrote {args.out}")


COLUMNS = (
    "way",
    "target runs",
    "regret %, median",
    "90 % of draws",
    "above tolerance %",
    "verdict",
)


def _row(method: str, found: Sequence[tuple[Found, float]]) -> list[str]:
    regrets = np.array([regret for _, regret in found])
    words = [one.word for one, _ in found]
    accepted = 100 * REL_TOLERANCE
    verdict = ", ".join(f"{word} {words.count(word)}" for word in ("PASS", "FAIL", "INCONCLUSIVE"))
    wrong = sum(w == "PASS" and r > accepted for w, r in zip(words, regrets, strict=True))
    return [
        method,
        f"{np.mean([one.cost for one, _ in found]):.1f}",
        f"{np.median(regrets):.2f}",
        f"{np.quantile(regrets, 0.9):.2f}",
        f"{100 * (regrets > accepted).mean():.0f}",
        f"{verdict}; wrong PASS {wrong}" if any(words) else "",
    ]


def _head(args: argparse.Namespace) -> str:
    return (
        "# Ways to find a learning rate\n\n"
        f"`python -m benchmarks.rivals --draws {args.draws} --seed {args.seed}` on "
        f"{platform.machine()}, {os.cpu_count()} cores. One HP, log2 lr from {LOW:g} to {HIGH:g}; "
        f"tolerance {100 * REL_TOLERANCE:g} % of the best loss. Cost: FLOPs of all runs over those "
        "of one at the target (planted: widths 32, 64, 128 and 256 of digits-dit). Planted noise: "
        "standard deviation of one run, tolerances, beside as large an effect of the seed on all "
        "its runs; drift: octaves per doubling of width. A real run is one of the kept sweep's at "
        "the nearest value, truth its mean over the seeds, which has an error of its own; "
        "early stops see curves of `benchmarks.rivals.curves`. A way without a check does not know "
        "its regret: only the last one gives a verdict.\n"
    )


if __name__ == "__main__":
    main()
