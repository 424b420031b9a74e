"""μP mistakes planted one at a time, and which detector sees each: the table of the README.

Three detectors run before a sweep, each scored alone: the coordinate check; the roles against
names written by hand; and invariants of the plan against the shapes, which know nothing of the
rule table. `python benchmarks/seeded_faults.py [--families dit …] [--repeats 40]`
"""

import argparse
import dataclasses
import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pandas as pd
import torch
from torch import nn

sys.path.append(str(Path(__file__).resolve().parent.parent))

from analysis import coordinates
from proxies import coordcheck, trial
from proxies.config import (
    MODEL_CONFIGS,
    DigitsConfig,
    HPs,
    ModelConfig,
    TrainConfig,
    TrialConfig,
)
from proxies.data_config import OpenmojiConfig

BASE, WIDTHS, STEPS, SEEDS = 32, (32, 64, 128, 256), 4, 4
DEPTH = {"dit": 2, "uvit": 3, "pixart": 2, "mmdit": 2}
Plan = dict[str, Any]
EditPlan = Callable[[Plan, float], object]
EditModel = Callable[[nn.Module, float], object]
EditConfig = Callable[[ModelConfig, int], ModelConfig]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A mistake in one place: the plan, the model as built, its options, or the training.

    `acts` says whether it changes activations or updates in a few steps, so that a coordinate
    check can be asked to see it.
    """

    family: str
    name: str
    acts: bool
    plan: EditPlan | None = None
    model: EditModel | None = None
    config: EditConfig | None = None
    eps: float = 1e-12


def rows(plan: Plan, role: str | None = None, part: str = "") -> list[dict[str, Any]]:
    """The plan's rows of a role whose names hold a text."""
    return [
        row
        for name, row in plan["params"].items()
        if part in name and (role is None or row["role"] == role)
    ]


def put(role: str | None, part: str = "", **power: float) -> EditPlan:
    """Set entries of some rows to powers of m."""

    def edit(plan: Plan, m: float) -> None:
        for row in rows(plan, role, part):
            for key, exponent in power.items():
                row[key] = m**exponent

    return edit


def std_times(role: str | None, part: str, power: float) -> EditPlan:
    """Multiply the init std of some rows by a power of m."""

    def edit(plan: Plan, m: float) -> None:
        for row in rows(plan, role, part):
            if row["init_std"] is not None:
                row["init_std"] *= m**power

    return edit


def called(role: str, part: str, **power: float) -> EditPlan:
    """Give some rows another role and its rule."""

    def edit(plan: Plan, m: float) -> None:
        for row in rows(plan, None, part):
            row["role"] = role
        put(role, part, **power)(plan, m)

    return edit


def both(*edits: EditPlan) -> EditPlan:
    """Make several edits."""

    def edit(plan: Plan, m: float) -> None:
        for one in edits:
            one(plan, m)

    return edit


def scaled(path: str, power: float, *, is_output: bool = False) -> EditModel:
    """Multiply what goes into a module, or comes out of it, by a power of m."""

    def edit(model: nn.Module, m: float) -> None:
        module = model.get_submodule(path)
        if is_output:
            module.register_forward_hook(lambda _module, _inputs, out: out * m**power)
        else:
            module.register_forward_pre_hook(
                lambda _module, inputs: (inputs[0] * m**power, *inputs[1:])
            )

    return edit


def query_scaled(path: str, power: float) -> EditModel:
    """Multiply the queries that a qkv Linear makes by a power of m."""

    def edit(model: nn.Module, m: float) -> None:
        def hook(_module: nn.Module, _inputs: object, out: torch.Tensor) -> torch.Tensor:
            q, k, v = out.chunk(3, dim=-1)
            return torch.cat([q * m**power, k, v], dim=-1)

        model.get_submodule(path).register_forward_hook(hook)

    return edit


def bias_scaled(path: str) -> EditModel:
    """Divide the bias of a readout by m, as a multiplier on its output does."""

    def edit(model: nn.Module, m: float) -> None:
        module = model.get_submodule(path)
        module.register_forward_hook(lambda module, _inputs, out: out - (1 - 1 / m) * module.bias)

    return edit


def mixed_base(plan: Plan, m: float) -> None:
    """Learning rates divided by n / 64 where the model was initialized for n / 32."""
    for row in rows(plan, "hidden"):
        row["lr_mult"], row["wd_mult"] = 2 / m, m / 2


def growing_heads(config: ModelConfig, width: int) -> ModelConfig:
    """Two heads at every width."""
    return dataclasses.replace(config, head_dim=width // 2)


def nonzero(config: ModelConfig, width: int) -> ModelConfig:
    """A readout that begins at random."""
    return dataclasses.replace(config, zero_readout=False)


def decayed_vectors(plan: Plan, m: float) -> None:
    """Decay biases like weights."""
    for row in rows(plan, "vector"):
        row["decay"] = True


LR1 = {"lr_mult": 0.0, "wd_mult": 0.0}
LR_M = {"lr_mult": -1.0, "wd_mult": 1.0}
FAULTS: tuple[Fault, ...] = (
    Fault(family="dit", name="hidden LR not divided", acts=True, plan=put("hidden", **LR1)),
    Fault(family="dit", name="hidden LR / √m", acts=True, plan=put("hidden", lr_mult=-0.5)),
    Fault(family="dit", name="multiplier missing", acts=True, plan=put("output", input_mult=0.0)),
    Fault(family="dit", name="multiplier √m", acts=True, plan=put("output", input_mult=-0.5)),
    Fault(family="dit", name="multiplier twice", acts=True, model=scaled("final.readout", -1.0)),
    Fault(family="dit", name="readout LR / m as well", acts=True, plan=put("output", **LR_M)),
    Fault(
        family="dit",
        name="unscaled non-zero readout",
        acts=True,
        config=nonzero,
        plan=put("output", input_mult=0.0),
    ),
    Fault(
        family="dit", name="hidden init not scaled", acts=True, plan=std_times("hidden", "", 0.5)
    ),
    Fault(
        family="dit", name="one MLP's init not scaled", acts=True,
        plan=std_times("hidden", "blocks.1.mlp.fc2", 0.5),
    ),
    Fault(
        family="dit", name="embedding taken for hidden", acts=True,
        plan=both(called("hidden", "label_table", **LR_M), std_times(None, "label_table", -0.5)),
    ),
    Fault(
        family="dit", name="patch embedding's LR / m", acts=True,
        plan=called("hidden", "patch_embed.weight", **LR_M),
    ),
    Fault(family="dit", name="input LR × m", acts=True, plan=put("input", lr_mult=1.0)),
    Fault(family="dit", name="biases' LR / m", acts=True, plan=put("vector", lr_mult=-1.0)),
    Fault(
        family="dit", name="modulation taken for input", acts=True,
        plan=called("input", "modulation.weight", **LR1),
    ),
    Fault(
        family="dit", name="one block forgotten", acts=True,
        plan=both(put("hidden", "blocks.1", **LR1), std_times("hidden", "blocks.1", 0.5)),
    ),
    Fault(
        family="dit", name="label table's std / √n", acts=True,
        plan=std_times(None, "label_table", -0.5),
    ),
    Fault(
        family="dit", name="logits × √m", acts=True, model=query_scaled("blocks.0.attn.qkv", 0.5)
    ),
    Fault(
        family="dit", name="logits / m", acts=True, model=query_scaled("blocks.0.attn.qkv", -1.0)
    ),
    Fault(family="dit", name="head dim grows, 1/√d", acts=True, config=growing_heads),
    Fault(family="dit", name="ε of 1e-3", acts=True, eps=1e-3),
    Fault(family="dit", name="decay not scaled", acts=False, plan=put("hidden", wd_mult=0.0)),
    Fault(family="dit", name="biases decayed", acts=False, plan=decayed_vectors),
    Fault(family="dit", name="base width mixed up", acts=False, plan=mixed_base),
    Fault(
        family="dit", name="bias under the multiplier", acts=True,
        model=bias_scaled("final.readout"),
    ),
    Fault(
        family="uvit", name="time MLP's first layer taken for input", acts=True,
        config=lambda config, width: dataclasses.replace(config, mlp_time_embed=True),
        plan=both(
            called("input", "time_token.fc1.weight", **LR1),
            std_times(None, "time_token.fc1.weight", 0.5),
        ),
    ),
    Fault(
        family="uvit", name="long skip taken for input", acts=True,
        plan=called("input", "skip.weight", **LR1),
    ),
    Fault(
        family="uvit", name="positions' std / √n", acts=True, plan=std_times(None, "pos_TD", -0.5)
    ),
    Fault(
        family="pixart", name="scale-shift tables' std / √n", acts=True,
        plan=std_times("vector", "table", -0.5),
    ),
    Fault(
        family="pixart", name="shared modulation's LR not divided", acts=True,
        plan=called("input", "modulation.weight", **LR1),
    ),
    Fault(
        family="mmdit", name="caption stream forgotten", acts=True,
        plan=put("hidden", ".caption.", **LR1),
    ),
    Fault(
        family="mmdit", name="caption embedding taken for hidden", acts=True,
        plan=called("hidden", "caption_embed.weight", **LR_M),
    ),
)  # fmt: skip


def model_of(family: str) -> ModelConfig:
    """The correct model of a family."""
    options = {"depth": DEPTH[family], "head_dim": 16, "base_width": BASE, "patch_size": 4}
    return MODEL_CONFIGS[family](**options)


def trial_of(
    family: str, fault: Fault | None, arm: str, width: int, seed: int, lr: float
) -> TrialConfig:
    """The training that is looked into."""
    model = model_of(family)
    if fault is not None and fault.config is not None:
        model = fault.config(model, width)
    captioned = family in ("pixart", "mmdit")
    return TrialConfig(
        model=model,
        data=OpenmojiConfig(val_draws=1) if captioned else DigitsConfig(val_draws=1),
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


PLAN, BUILD = trial.plan, trial.build


def start_of(family: str, fault: Fault | None) -> coordcheck.Start:
    """Begin the runs of a check of a model with a fault."""

    def build(config: TrialConfig) -> nn.Module:
        model = BUILD(config)
        if fault is not None and fault.model is not None:
            fault.model(model, config.width / BASE)
        return model

    def start(arm: Any, width: int, seed: int, lr: float) -> coordcheck.Run:
        with (
            mock.patch.object(trial, "plan", lambda config: faulty_plan(config, fault)),
            mock.patch.object(trial, "build", build),
        ):
            return coordcheck.of_trial(trial_of(family, fault, arm, width, seed, lr))

    return start


def check(family: str, fault: Fault | None, lr: float, first_seed: int = 0) -> coordinates.Check:
    """The coordinate check of a model with a fault, or of a correct one."""
    sizes = coordcheck.measure(
        start_of(family, fault),
        widths=WIDTHS,
        seeds=range(first_seed, first_seed + SEEDS),
        steps=STEPS,
        lr=lr,
    )
    return coordinates.judge(pd.DataFrame([vars(size) for size in sizes]))


def lr_of(family: str) -> float:
    """The learning rate of a family's checks."""
    return coordcheck.choose_lr(
        start_of(family, None), base_width=BASE, steps=STEPS, log2_lrs=range(-4, -15, -1)
    )


def wrong_roles(family: str, fault: Fault | None) -> list[str]:
    """Parameters whose role is not that of the names written by hand in the tests."""
    from tests.proxies.family_cases import ROLES

    plan = faulty_plan(trial_of(family, fault, "mup", WIDTHS[-1], 0, 0.01), fault)
    known = ROLES[family]
    return [n for n, row in plan["params"].items() if n in known and row["role"] != known[n]]


def broken_invariants(family: str, fault: Fault | None) -> list[str]:
    """What the plans at two widths break of the laws that shapes alone imply."""
    narrow, wide = (
        faulty_plan(trial_of(family, fault, "mup", w, 0, 0.01), fault) for w in (BASE, WIDTHS[-1])
    )
    found = []
    for name, row in wide["params"].items():
        base = narrow["params"][name]
        if any(base[key] != 1.0 for key in ("lr_mult", "wd_mult", "eps_mult", "input_mult")):
            found.append(f"{name}: a multiplier at base width")
        found += [f"{name}: {text}" for text in broken(base, row, WIDTHS[-1] / BASE)]
    if fault is not None and fault.eps > 1e-10:
        found.append("ε above 1e-10")
    return found


def broken(base: dict[str, Any], row: dict[str, Any], m: float) -> Iterator[str]:
    """What one tensor breaks: its number of growing dimensions says how it is to scale."""
    n_growing = sum(a != b for a, b in zip(base["shape"], row["shape"], strict=True))
    fan_in_grows = row["fan_in"] != base["fan_in"]
    divided = n_growing == 2
    lr = 1 / m if divided or fan_in_grows else 1.0
    if not math.isclose(row["lr_mult"] * row["input_mult"], lr):
        yield "learning rate"
    if row["decay"] and not math.isclose(row["lr_mult"] * row["wd_mult"], 1):
        yield "learning rate × weight decay"
    if row["decay"] and len(row["shape"]) < 2:
        yield "a decayed vector"
    if row["init_std"] is not None and base["init_std"] is not None:
        wanted = m**-0.5 if divided else 1.0
        if not math.isclose(row["init_std"] / base["init_std"], wanted, rel_tol=1e-3):
            yield "init std"


def main() -> None:
    """Score the detectors, count false alarms, print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", nargs="*", default=list(DEPTH))
    parser.add_argument("--repeats", type=int, default=40, help="checks of correct models")
    args = parser.parse_args()
    torch.set_num_threads(1)
    started = time.monotonic()
    lrs = {family: lr_of(family) for family in args.families}
    print("| family | fault | acts | coordinate check | first named | roles | invariants |")
    print("|---|---|---|---|---|---|---|")
    seen, asked, caught = 0, 0, 0
    faults = [fault for fault in FAULTS if fault.family in args.families]
    for fault in faults:
        result = check(fault.family, fault, lrs[fault.family])
        by_check = result.verdict == "FAIL"
        named = (
            str(result.findings[0].parameter or result.findings[0].trend.name) if by_check else ""
        )
        by_roles = bool(wrong_roles(fault.family, fault))
        by_invariants = bool(broken_invariants(fault.family, fault))
        words = [("–", "yes")[b] for b in (fault.acts, by_check, by_roles, by_invariants)]
        line = [fault.family, fault.name, words[0], words[1], named, *words[2:]]
        print(f"| {' | '.join(line)} |", flush=True)
        asked, seen = asked + fault.acts, seen + (fault.acts and by_check)
        caught += by_check or by_roles or by_invariants
    print(f"\ncoordinate check: {seen} of {asked} faults that act; any: {caught} of {len(faults)}")
    false = []
    for i in range(args.repeats):
        family = args.families[i % len(args.families)]
        result = check(family, None, lrs[family], first_seed=100 + SEEDS * i)
        if result.verdict == "FAIL":
            false.append(f"{family}: {result.findings[0]}")
    print(
        f"false alarms: {len(false)} of {args.repeats} checks of correct models", *false, sep="\n"
    )
    for family in args.families:
        assert not wrong_roles(family, None), wrong_roles(family, None)
        assert not broken_invariants(family, None), broken_invariants(family, None)
    print(f"{time.monotonic() - started:.0f} s, torch {torch.__version__}, one thread")


if __name__ == "__main__":
    main()
