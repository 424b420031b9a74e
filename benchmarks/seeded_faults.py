"""μP mistakes planted one at a time, and which detector sees each: the table of the README.

Detectors are scored alone. Two run before every sweep: the coordinate check, and the invariants of
models at initialization, which do not use the rule table. The third, roles against names written by
hand, runs in the tests. `python benchmarks/seeded_faults.py [--families dit …] [--repeats 40]`;
with `--quick` the coordinate check, which takes nearly all of the time, is left out.
"""

import argparse
import dataclasses
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd
import torch
from torch import nn

sys.path.append(str(Path(__file__).resolve().parent.parent))

from benchmarks.planted import FAULTS, Fault, Plan

from mutransfer.analysis.verdict.coordcheck import Check, judge
from mutransfer.proxies import training
from mutransfer.proxies.checks import coordcheck, invariants
from mutransfer.proxies.checks.invariants import BrokenLaw
from mutransfer.proxies.config.data import DigitsConfig, OpenmojiConfig
from mutransfer.proxies.config.model import MODEL_CONFIGS, ModelConfig
from mutransfer.proxies.config.trial import HPs, TrainConfig, TrialConfig

BASE, WIDTHS, STEPS, SEEDS = 32, (32, 64, 128, 256), 4, 4
DEPTH = {"dit": 2, "uvit": 3, "pixart": 2, "mmdit": 2}


def model_of(family: str) -> ModelConfig:
    """The correct model of a family."""
    options = {"depth": DEPTH[family], "head_dim": 16, "base_width": BASE, "patch_size": 4}
    return MODEL_CONFIGS[family](**options)


def trial_of(
    family: str, fault: Fault | None, arm: str, width: int, seed: int, lr: float
) -> TrialConfig:
    """The training that a check measures."""
    model = model_of(family)
    if fault is not None and fault.config is not None:
        model = fault.config(model, width)
    captioned = family in ("pixart", "mmdit")
    data = OpenmojiConfig(val_draws=1) if captioned else DigitsConfig(val_draws=1)
    return TrialConfig(
        model=model,
        data=(fault and fault.data) or data,
        train=TrainConfig(
            steps=STEPS + 4, batch_size=16, n_val=1, eps=fault.eps if fault else 1e-12
        ),
        hps=HPs(lr=lr, weight_decay=0.1),
        width=width,
        arm=arm,
        seed=seed,
    )


def faulty_plan(config: TrialConfig, fault: Fault | None) -> Plan:
    """The plan of a trial with the fault in it."""
    # The head dim shows in no shape, and a plan is of widths that its base width can be built of.
    fixed = dataclasses.replace(config.model, head_dim=16)
    plan = PLAN(dataclasses.replace(config, model=fixed))
    if fault is not None and fault.plan is not None:
        fault.plan(plan, plan["width_mult"])
    return plan


PLAN, BUILD = training.plan, training.build


def start_of(family: str, fault: Fault | None) -> coordcheck.StartRun:
    """Begin the runs of a check of a model with a fault."""

    def build(config: TrialConfig) -> nn.Module:
        model = BUILD(config)
        if fault is not None and fault.model is not None:
            fault.model(model, config.width / BASE)
        return model

    def start(arm: Any, width: int, seed: int, lr: float) -> coordcheck.CheckRun:
        with (
            mock.patch.object(training, "plan", lambda config: faulty_plan(config, fault)),
            mock.patch.object(training, "build", build),
        ):
            run = coordcheck.of_trial(trial_of(family, fault, arm, width, seed, lr))
        if fault is not None and fault.optimizer is not None:
            fault.optimizer(run.optimizer, width / BASE)
        return run

    return start


def check(family: str, fault: Fault | None, lr: float, first_seed: int = 0) -> Check:
    """The coordinate check of a model with a fault, or of a correct one."""
    sizes = coordcheck.measure(
        start_of(family, fault),
        widths=WIDTHS,
        seeds=range(first_seed, first_seed + SEEDS),
        steps=STEPS,
        lr=lr,
    )
    return judge(pd.DataFrame([vars(size) for size in sizes]))


def lr_of(family: str) -> float:
    """The learning rate of a family's checks."""
    return coordcheck.choose_lr(
        start_of(family, None), base_width=BASE, steps=STEPS, log2_lrs=range(-4, -15, -1)
    )


def wrong_roles(family: str, fault: Fault | None) -> list[str]:
    """Parameters whose role is not that of the names written by hand in the tests."""
    from tests.proxies.family_cases import ROLES

    plan = faulty_plan(trial_of(family, fault, "mup", WIDTHS[-1], 0, 0.01), fault)
    by_hand = ROLES[family]
    rows = plan["params"].items()
    return [name for name, row in rows if row["role"] != by_hand.get(name, row["role"])]


def broken_invariants(family: str, fault: Fault | None, seed: int = 0) -> list[BrokenLaw]:
    """The laws that models of base width and of the widest one break at initialization."""
    start = start_of(family, fault)
    return invariants.broken_laws(start, base_width=BASE, width=WIDTHS[-1], lr=2.0**-7, seed=seed)


@dataclass(frozen=True, kw_only=True)
class Score:
    """Which detectors see a fault; `named` is what the coordinate check named first.

    `by_check` is None where that check was not run.
    """

    fault: Fault
    by_check: bool | None
    named: str
    by_roles: bool
    by_invariants: bool

    @property
    def is_caught(self) -> bool:
        """Whether something sees it that runs before every sweep; the roles do not."""
        return bool(self.by_check) or self.by_invariants

    def __str__(self) -> str:
        """The row of the table."""
        flags = (self.fault.acts, self.by_check, self.by_roles, self.by_invariants)
        acts, check_, roles, laws = ({True: "yes", False: "–", None: "?"}[flag] for flag in flags)
        name = f"{self.fault.name} (new)" if self.fault.is_new else self.fault.name
        words = (self.fault.family, name, acts, check_, self.named, laws, roles)
        return f"| {' | '.join(words)} |"


def score(fault: Fault, lr: float | None) -> Score:
    """Score every detector on a fault; without an LR all but the coordinate check."""
    findings = () if lr is None else check(fault.family, fault, lr).findings
    named = next(iter(findings), None)
    return Score(
        fault=fault,
        by_check=None if lr is None else bool(findings),
        named=str(named.parameter or named.trend.name) if named else "",
        by_roles=bool(wrong_roles(fault.family, fault)),
        by_invariants=bool(broken_invariants(fault.family, fault)),
    )


def summary(scores: list[Score]) -> str:
    """The counts, and what was missed with the reason."""
    of_acting = [s for s in scores if s.fault.acts]
    of_new = [s for s in scores if s.fault.is_new]
    lines = [
        f"coordinate check alone: {sum(bool(s.by_check) for s in of_acting)} of {len(of_acting)} "
        "faults that act (if it was run)",
        f"invariants alone: {sum(s.by_invariants for s in scores)} of {len(scores)}",
        f"caught before a sweep, by either: {sum(s.is_caught for s in scores)} of {len(scores)}; "
        f"of the new, planted after the invariants were written: "
        f"{sum(s.is_caught for s in of_new)} of {len(of_new)}",
        "",
        "| not caught | by | reason |",
        "|---|---|---|",
    ]
    for s in scores:
        if not s.is_caught:
            by = "invariants" if s.by_check is None else "anything"
            lines.append(f"| {s.fault.name} | {by} | {s.fault.why} |")
        elif s.fault.acts and s.by_check is False:
            lines.append(f"| {s.fault.name} | coordinate check | {s.fault.why} |")
    return "\n".join(lines)


def false_alarms(families: list[str], lrs: dict[str, float | None], repeats: int) -> list[str]:
    """What correct models failed by, in checks and invariants with seeds of their own."""
    alarms = []
    for i in range(repeats):
        family, seed = families[i % len(families)], 100 + SEEDS * i
        lr = lrs[family]
        findings = () if lr is None else check(family, None, lr, first_seed=seed).findings
        if findings:
            alarms.append(f"{family}: {findings[0]}")
        elif laws := broken_invariants(family, None, seed):
            alarms.append(f"{family}: {laws[0]}")
    return alarms


def main() -> None:
    """Score the detectors, count false alarms, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", nargs="*", default=list(DEPTH))
    parser.add_argument("--repeats", type=int, default=40, help="checks of correct models")
    parser.add_argument("--faults", nargs="*", help="only these faults")
    parser.add_argument("--quick", action="store_true", help="without the coordinate check")
    args = parser.parse_args()
    torch.set_num_threads(1)
    started = time.monotonic()
    lrs = {family: None if args.quick else lr_of(family) for family in args.families}
    print("| family | fault | acts | coordinate check | first named | invariants | roles (tests) |")
    print("|---|---|---|---|---|---|---|")
    scores = []
    for fault in FAULTS:
        if fault.family in lrs and (not args.faults or fault.name in args.faults):
            scores.append(score(fault, lrs[fault.family]))
            print(scores[-1], flush=True)
    print(f"\n{summary(scores)}\n")
    false = false_alarms(args.families, lrs, args.repeats)
    print(
        f"false alarms: {len(false)} of {args.repeats} repeats of both, correct models",
        *false,
        sep="\n",
    )
    for family in args.families:
        assert not wrong_roles(family, None), wrong_roles(family, None)
    print(f"{time.monotonic() - started:.0f} s, torch {torch.__version__}, one thread")


if __name__ == "__main__":
    main()
