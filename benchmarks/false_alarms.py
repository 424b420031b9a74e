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
from dataclasses import dataclass

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


def checked(start: coordcheck.StartRun, lr: float, seeds: range, arm: Arm = "mup") -> Check:
    """The coordinate check of one repeat."""
    rows = coordcheck.measure(start, widths=WIDTHS, seeds=seeds, steps=STEPS, lr=lr, arm=arm)
    return judge(pd.DataFrame(map(vars, rows)), arm=arm)


@dataclass(frozen=True, kw_only=True)
class Score:
    """The repeats of one member.

    `alarms`: what each repeat found; `in_sp`: findings under SP; `detectable`: the slope that the
    last check would have detected.
    """

    name: str
    lr: float
    alarms: tuple[list[str], ...]
    in_sp: int
    detectable: float

    @property
    def n_wrong(self) -> int:
        """Repeats with a false alarm, or of a flawed member without one; one more if SP passes."""
        is_flawed = self.name in zoo_checks.FLAWED
        return sum(bool(texts) != is_flawed for texts in self.alarms) + (not self.in_sp)

    def __str__(self) -> str:
        """The row of the table."""
        found = [text for texts in self.alarms for text in texts]
        words = f"{len(found)}: {found[0]}" if found else "0"
        if self.name in zoo_checks.FLAWED:
            words = f"must be refused ({zoo_checks.FLAWED[self.name]}): {words}"
        sp = f"{self.in_sp} found" if self.in_sp else "NOT SEEN"
        n = len(self.alarms)
        return f"| {self.name} | {n} | {self.lr:g} | {self.detectable:.2f} | {sp} | {words} |"


def score(name: str, *, repeats: int, n_seeds: int, first_seed: int) -> Score:
    """Run the repeats of a member, and its control with the first seeds."""
    start, alarms, detectable = MEMBERS[name], [], 0.0
    lr = coordcheck.choose_lr(start, base_width=BASE, steps=STEPS, log2_lrs=range(-3, -15, -1))
    for i in range(repeats):
        seed = first_seed + SEEDS_APART * i
        laws = invariants.broken_laws(start, base_width=BASE, width=WIDTHS[-1], lr=lr, seed=seed)
        check = checked(start, lr, range(seed, seed + n_seeds))
        alarms.append([*map(str, laws), *map(str, check.findings)])
        detectable = check.detectable
    in_sp = checked(start, lr, range(first_seed, first_seed + n_seeds), "sp")
    return Score(
        name=name, lr=lr, alarms=tuple(alarms), in_sp=len(in_sp.findings), detectable=detectable
    )


def main() -> None:
    """Run the repeats and print a row for each member."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=2, help="of each member")
    parser.add_argument("--seeds", type=int, default=2, help="of each check")
    parser.add_argument("--first-seed", type=int, default=FIRST_SEED)
    parser.add_argument("--members", nargs="*", default=list(MEMBERS))
    args = parser.parse_args()
    torch.set_num_threads(1)
    started, scores = time.monotonic(), []
    print("| member | repeats | LR | slope that is detected | SP | alarms |")
    print("|---|---|---|---|---|---|", flush=True)
    for name in args.members:
        options = {"n_seeds": args.seeds, "first_seed": args.first_seed}
        scores.append(score(name, repeats=args.repeats, **options))
        print(scores[-1], flush=True)
    n_right = sum(len(s.alarms) for s in scores if s.name not in zoo_checks.FLAWED)
    n_wrong = sum(s.n_wrong for s in scores)
    print(
        f"\n{n_wrong} wrong; {n_right} repeats of correct models; "
        f"{time.monotonic() - started:.0f} s, torch {torch.__version__}, one thread"
    )
    sys.exit(1 if n_wrong else 0)


if __name__ == "__main__":
    main()
