"""How often a prediction without target runs holds, on planted ladders and on real curves.

`python -m benchmarks.prediction` writes benchmarks/results/prediction.md. All draws go through the
code that ships; each has a fixed seed, whatever else is drawn. Rules were chosen on the shapes
`CHOSEN_ON` with seeds below `REPORTED_FROM`; reported are other seeds, and other shapes beside,
which had been looked at in an earlier version (docs/prediction.md).
"""

import argparse
import os
import platform
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from benchmarks.calibration.held_out import HELD_OUT
from benchmarks.calibration.report import markdown
from benchmarks.calibration.shapes import PLANTED, Shape
from benchmarks.prediction.ladders import (
    BEYOND,
    LAWS,
    Design,
    Ladder,
    families,
    planted,
    real,
)
from benchmarks.prediction.score import Score, scored
from scipy import special

OUT = Path(__file__).parents[1] / "results" / "prediction.md"
CHOSEN_ON = (
    "valley",
    "wall k=1",
    "wall k=2",
    "V 0.8 : 1.6",
    "quartic",
    "log-cosh",
    "kinked parabola",
    "Morse",
)
REPORTED_FROM = 1000
LEVELS, WIDTHS = (0.1, 0.4, 1.0), (3, 4, 5, 6)
# Sweeps have few values in common at ½ octave: real ladders have values an octave apart.
REAL_DESIGN = Design(3, 7, 1.0)
EXPLANATION = """\
A ladder has widths 1, 2, 4, …, each with a slice about its own optimum; the set is tuned at the
narrowest. Noise is the standard deviation of one run, in tolerances. +d: predicted d doublings
beyond the widest. *Optimum held*: the 95 % interval holds the true optimum. *Bound holds*: the 95 %
bound of the regret is not below the true one, over all ladders with a bound, PREDICTED or not.
*PREDICTED*: what the tool would say; *could be*: the share whose true regret is under the
tolerance; *wrong*: PREDICTED, and the true regret is over it, as a share of all ladders. *Own
widest missed*: nothing is promised, for the laws of the other widths miss the widest. In percent;
in brackets the 95 % binomial interval. Left out is the shape whose dip is narrower than a step.
"""

Draw = Callable[[np.random.Generator], Ladder]
# Counts by the names of a row, and by doublings.
Cells = dict[tuple[str, ...], dict[int, Score]]


def main() -> None:
    args = _parser().parse_args()
    started = time.monotonic()
    design = Design(args.seeds, args.values, args.spacing)
    groups = {
        f"Planted, the {len(CHOSEN_ON)} shapes that rules were chosen on": [
            s for s in PLANTED if s.name in CHOSEN_ON
        ],
        "Planted, other shapes (half as many draws of each)": [
            s for s in (*PLANTED, *HELD_OUT) if s.name not in CHOSEN_ON and not s.narrow
        ],
    }
    draws = range(args.first, args.first + args.draws)
    parts = []
    for n, (title, shapes) in enumerate(groups.items()):
        # The same number of ladders of each group, whatever the number of its shapes.
        each = draws if n == 0 else draws[: (len(draws) + 1) // 2]
        parts.append(_planted(title, shapes, each, design, args))
    parts.append(_real(draws, args))
    minutes = (time.monotonic() - started) / 60
    text = "\n".join([_head(args, design, minutes), EXPLANATION, *parts])
    if args.out == Path("-"):
        print(text)
    else:
        args.out.write_text(text, encoding="utf-8")
        print(f"wrote {args.out}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.prediction", description=__doc__)
    add = parser.add_argument
    add("--draws", type=int, default=2, help="of each shape in a cell (default: %(default)s)")
    add("--first", type=int, default=REPORTED_FROM, help="first draw (default: %(default)s)")
    add("--seeds", type=int, default=2)
    add("--values", type=int, default=5)
    add("--spacing", type=float, default=1.0, help="octaves (default: %(default)s)")
    add("--widths", type=int, nargs="+", default=WIDTHS)
    add("--levels", type=float, nargs="+", default=LEVELS)
    add("--out", type=Path, default=OUT, help="file; -: print (default: %(default)s)")
    return parser


def _head(args: argparse.Namespace, design: Design, minutes: float) -> str:
    command = " ".join(["python -m benchmarks.prediction", *sys.argv[1:]])
    return (
        f"# Prediction without target runs\n\n`{command}`: draws {args.first} to "
        f"{args.first + args.draws - 1} of each shape in a cell, {design.name}. {minutes:.0f} "
        f"minutes on one of {os.cpu_count()} cores, {platform.machine()}, Python "
        f"{platform.python_version()}.\n"
    )


def _planted(
    title: str, shapes: Sequence[Shape], draws: range, design: Design, args: argparse.Namespace
) -> str:
    still: Cells = {}
    by_law: Cells = {}
    by_widths: Cells = {}
    by_shape: Cells = {}
    for n_widths, level, law, shape in product(args.widths, args.levels, LAWS, shapes):
        key = f"{shape.name}/{law.name}/{level:g}/{n_widths}/{design.name}"
        draw = partial(planted, shape, law, level, n_widths, design)
        scores = _scores(key, draw, draws)
        if law is LAWS[0]:
            _add(still, (str(n_widths), f"{level:g}"), scores)
        _add(by_law, (law.name,), scores)
        _add(by_widths, (str(n_widths), f"{level:g}"), scores)
        _add(by_shape, (shape.name,), scores)
        if law is LAWS[-1] and shape is shapes[-1]:
            print(f"{title}: {n_widths} widths, noise {level:g}", file=sys.stderr, flush=True)
    tables = (
        _table(f"{title}: {LAWS[0].name}", ("widths", "noise"), still),
        _table(f"{title}: all laws", ("widths", "noise"), by_widths),
        _table(f"{title}: by law", ("law",), by_law),
        _table(f"{title}: by shape", ("shape",), by_shape),
    )
    return "\n".join(tables)


def _real(draws: range, args: argparse.Namespace) -> str:
    by_family: Cells = {}
    by_law: Cells = {}
    # The curves are what they are: only their places are planted.
    laws = [law for law in LAWS if not law.scatter and law.growth == 1]
    for law, n_widths, family in product(laws, args.widths, families()):
        draw = partial(real, family, law, n_widths, REAL_DESIGN)
        scores = _scores(f"{family}/{law.name}/{n_widths}", draw, draws)
        _add(by_family, (family, str(n_widths)), scores)
        _add(by_law, (law.name,), scores)
    title = "Curves and seeds of the dense sweeps"
    tables = (
        _table(f"{title}: by family", ("family", "widths"), by_family),
        _table(f"{title}: by law", ("law",), by_law),
    )
    return "\n".join(tables)


def _scores(key: str, draw: Draw, draws: range) -> dict[int, Score]:
    seed = zlib.crc32(key.encode())
    return scored(draw(np.random.default_rng((seed, i))) for i in draws)


def _add(into: Cells, key: tuple[str, ...], scores: dict[int, Score]) -> None:
    sums = into.setdefault(key, {d: Score() for d in BEYOND})
    for doublings, score in scores.items():
        sums[doublings].add(score)


def _table(title: str, names: Sequence[str], scores: Cells) -> str:
    columns = [
        *names,
        "beyond",
        "ladders",
        "optimum held",
        "length, octaves",
        "bound holds",
        "PREDICTED",
        "could be",
        "wrong",
        "own widest missed",
    ]
    total: Cells = {}
    for by_doublings in scores.values():
        _add(total, ("all", *[""] * (len(names) - 1)), by_doublings)
    rows = [
        [*key, f"+{doublings}", *_cells(score)]
        for key, by_doublings in {**total, **scores}.items()
        for doublings, score in by_doublings.items()
    ]
    return markdown(title, columns, rows)


def _cells(score: Score) -> list[str]:
    return [
        str(score.ladders),
        _share(score.optimum_held, score.optimum),
        f"{np.median(score.lengths):.2f}" if score.lengths else "–",
        _share(score.held, score.with_bound),
        _share(score.predicted, score.ladders, bare=True),
        _share(score.good, score.ladders, bare=True),
        _share(score.wrong, score.ladders),
        _share(score.refused, score.ladders, bare=True),
    ]


def _share(k: int, n: int, *, bare: bool = False) -> str:
    if not n:
        return "–"
    if bare:
        return f"{100 * k / n:.0f}"
    low = float(special.betaincinv(k, n - k + 1, 0.025)) if k else 0.0
    high = float(special.betaincinv(k + 1, n - k, 0.975)) if k < n else 1.0
    return f"{100 * k / n:.1f} ({100 * low:.0f}-{100 * high:.0f})"


if __name__ == "__main__":
    main()
