"""False alarms of the gate on correct models: the zoo of the tests, member by member, seed by seed.

`python -m benchmarks.false_alarms [--repeats 2] [--seeds 2] [--members …]` runs invariants and
coordinate check as before a sweep, at widths 32 to 256, and prints what they find; exit code 1 if
that is anything. The same models under SP are the control, of which it must find something. What is
flawed (`zoo_checks.FLAWED`) must be found too. Two seeds are the fewest that the check accepts.
"""

import argparse
import sys
import time
from collections.abc import Mapping

import pandas as pd
import torch
from tests.proxies import modules, zoo_checks
from tests.proxies.checks import test_coordcheck_multi_query as multi_query
from tests.proxies.zoo_inputs import FORWARDS

from mutransfer.analysis.verdict.coordcheck import Check, judge
from mutransfer.proxies.checks import coordcheck, invariants
from mutransfer.words import Arm

BASE, WIDTHS, STEPS = zoo_checks.BASE, (32, 64, 128, 256), 4
FIRST_SEED, SEEDS_APART = 1000, 20  # seeds that no test has
MEMBERS: Mapping[str, coordcheck.StartRun] = {
    **{name: zoo_checks.start_of(name) for name in FORWARDS},
    **{name: modules.start_of(case) for name, case in modules.CASES.items() if name != "timm ViT"},
    "multi-query attention": multi_query.start_with(),
}


def lr_of(start: coordcheck.StartRun) -> float:
    """The learning rate that the gate takes."""
    return coordcheck.choose_lr(start, base_width=BASE, steps=STEPS, log2_lrs=range(-3, -15, -1))


def checked(start: coordcheck.StartRun, lr: float, seeds: range, arm: Arm = "mup") -> Check:
    """The coordinate check of one repeat."""
    rows = coordcheck.measure(start, widths=WIDTHS, seeds=seeds, steps=STEPS, lr=lr, arm=arm)
    return judge(pd.DataFrame(map(vars, rows)), arm=arm)


def alarms(
    start: coordcheck.StartRun, lr: float, first_seed: int, n_seeds: int
) -> tuple[list[str], float]:
    """What the gate finds in one repeat, and the slope that its check would detect."""
    laws = invariants.broken_laws(start, base_width=BASE, width=WIDTHS[-1], lr=lr, seed=first_seed)
    check = checked(start, lr, range(first_seed, first_seed + n_seeds))
    return [*map(str, laws), *map(str, check.findings)], check.detectable


def main() -> None:
    """Run the repeats and print a row for each member."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=2, help="of each member")
    parser.add_argument("--seeds", type=int, default=2, help="of each check")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--members", nargs="*", default=list(MEMBERS))
    args = parser.parse_args()
    torch.set_num_threads(1)
    started, n_alarms, n_right = time.monotonic(), 0, 0
    print(
        "| member | LR | slope that is detected | SP | alarms |\n|---|---|---|---|---|", flush=True
    )
    for name in args.members:
        start = MEMBERS[name]
        lr, found, detectable = lr_of(start), [], 0.0
        for i in range(args.repeats):
            texts, detectable = alarms(start, lr, args.first_seed + SEEDS_APART * i, args.seeds)
            is_flawed = name in zoo_checks.FLAWED
            n_right += not is_flawed
            n_alarms += bool(texts) != is_flawed
            found += texts
        in_sp = checked(start, lr, range(args.seeds), "sp").findings
        n_alarms += not in_sp
        words = f"{len(found)}: {found[0]}" if found else "0"
        if name in zoo_checks.FLAWED:
            words = f"must be refused ({zoo_checks.FLAWED[name]}): {words}"
        sp = f"{len(in_sp)} found" if in_sp else "NOT SEEN"
        print(f"| {name} | {lr:g} | {detectable:.2f} | {sp} | {words} |", flush=True)
    print(
        f"\n{n_alarms} wrong; {n_right} repeats of correct models; "
        f"{time.monotonic() - started:.0f} s, "
        f"torch {torch.__version__}, one thread"
    )
    sys.exit(1 if n_alarms else 0)


if __name__ == "__main__":
    main()
