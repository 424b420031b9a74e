"""Mistakes with a model, optimizer, scheduler or trainer of one's own, one at a time.

Each has the detector that must say so, and the same thing made right, of which it must say nothing.
`python -m benchmarks.planted_own` prints the table.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import lr_scheduler as torch_lr

from mutransfer.analysis.verdict.coordcheck import judge
from mutransfer.proxies import mup
from mutransfer.proxies.checks import coordcheck, invariants
from mutransfer.proxies.config.model import DiTConfig
from mutransfer.proxies.config.trial import HPs, TrainConfig, TrialConfig
from mutransfer.proxies.mup.plan import Plan
from mutransfer.sweep.results.export import valid_for

BASE, WIDTHS, STEPS, SEEDS, VOCAB, FIXED = 32, (32, 64, 128, 256), 4, 3, 50, 1024
LR = 2.0**-7
Detector = Literal["plan", "param_groups", "invariants", "coordinate check", "check_lrs", "export"]
Build = Callable[[int], nn.Module]
# Applied to a model after `init_`, or to its plan, with the width multiplier.
EditModel = Callable[[nn.Module, float], object]
EditPlan = Callable[[Plan, float], object]


@dataclass(frozen=True, kw_only=True)
class OwnFault:
    """A mistake; `found(True)` is what its detector says of it, `found(False)` of the right way."""

    kind: str
    name: str
    by: Detector
    found: Callable[[bool], list[str]]


class Block(nn.Module):
    """A residual MLP under a fused modulation, whose gate rows begin at zero."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.modulation = nn.Linear(width, 2 * width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        with torch.no_grad():
            self.modulation.weight[width:] = 0

    def forward(self, x: Tensor) -> Tensor:
        """Return x and its gated branch."""
        scale, gate = self.modulation(x).chunk(2, dim=-1)
        branch = self.down(F.relu(self.up(F.layer_norm(x, x.shape[-1:]) * (1 + scale))))
        return x + (0.1 + gate) * branch


class Words(nn.Module):
    """A table with a padding row, a block, and a head that may share the table."""

    def __init__(self, width: int, *, tied: type[nn.Linear] | None = None) -> None:
        super().__init__()
        self.table = nn.Embedding(VOCAB, width, padding_idx=0)
        self.block = Block(width)
        self.head = (tied or mup.Readout)(width, VOCAB, bias=False)
        if tied:
            self.head.weight = self.table.weight
        else:
            nn.init.zeros_(self.head.weight)

    def forward(self, words: Tensor) -> Tensor:
        """Return logits of shape (…, VOCAB)."""
        x = self.block(self.table(words))
        return self.head(F.layer_norm(x, x.shape[-1:]))


class Concat(nn.Module):
    """A layer that reads a growing input beside `FIXED` features."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem, self.mixed = nn.Linear(8, width), nn.Linear(FIXED + width, width)
        self.head = mup.Readout(width, 8)
        nn.init.zeros_(self.head.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the shape of x, (…, 8)."""
        features = torch.cos(x[..., :1] * torch.arange(1, FIXED + 1))
        return self.head(F.relu(self.mixed(torch.cat([features, self.stem(x)], dim=-1))))


class Routed(nn.Module):
    """Stacked experts behind a router, all of them raw parameters."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Linear(8, width)
        self.router = nn.Parameter(torch.randn(4, width) / width**0.5)
        self.up = nn.Parameter(torch.randn(4, width, 2 * width) / width**0.5)
        self.down = nn.Parameter(torch.randn(4, 2 * width, width) / (2 * width) ** 0.5)
        self.head = mup.Readout(width, 8)
        nn.init.zeros_(self.head.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Return a tensor of the shape of x, (…, 8)."""
        x = F.layer_norm(self.stem(x), self.router.shape[-1:])
        shares = F.linear(x, self.router).softmax(-1)
        hidden = F.relu(torch.einsum("...n,enh->...eh", x, self.up))
        mixed = torch.einsum("...e,...eh,ehn->...n", shares, hidden, self.down)
        return self.head(F.layer_norm(x + mixed, x.shape[-1:]))


ROUTED = {"router": "output@1", "up": "hidden@1", "down": "hidden@1"}


def start_of(
    build: Build,
    *,
    roles: Mapping[str, str] | None = None,
    model_edit: EditModel | None = None,
    plan_edit: EditPlan | None = None,
    make: Callable[[list[dict[str, Any]]], torch.optim.Optimizer] = torch.optim.AdamW,
) -> coordcheck.StartRun:
    """Begin the runs of a check, with a mistake in the model, its plan or its optimizer."""

    def start(arm: Any, width: int, seed: int, lr: float) -> coordcheck.CheckRun:
        plan = mup.plan(build, base_width=BASE, width=width, roles=roles, arm=arm)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = build(width)
            mup.init_(model, plan)
            if model_edit:
                model_edit(model, width / BASE)
        if plan_edit:
            plan_edit(plan, width / BASE)
        optimizer = make(mup.param_groups(model, plan, lr=lr))
        data = torch.Generator().manual_seed(seed)
        words = torch.randint(1, VOCAB, (16, 6), generator=data)
        x = words if isinstance(model, Words) else torch.randn(16, 6, 8, generator=data)
        y = torch.randn(model(x).shape, generator=data)

        def step() -> None:
            optimizer.zero_grad()
            F.mse_loss(model(x), y).backward()
            optimizer.step()

        return coordcheck.CheckRun(
            model=model, optimizer=optimizer, plan=plan, take_step=step, probe=lambda: model(x)
        )

    return start


def laws(start: coordcheck.StartRun) -> list[str]:
    """What the invariants say."""
    broken = invariants.broken_laws(start, base_width=BASE, width=WIDTHS[-1], lr=LR)
    return [str(law) for law in broken]


def findings(start: coordcheck.StartRun) -> list[str]:
    """What the coordinate check finds."""
    lr = coordcheck.choose_lr(start, base_width=BASE, steps=STEPS, log2_lrs=range(4, -15, -1))
    rows = coordcheck.measure(start, widths=WIDTHS, seeds=range(SEEDS), steps=STEPS, lr=lr)
    return [str(finding) for finding in judge(pd.DataFrame(map(vars, rows))).findings]


def gate(
    detector: Callable[[coordcheck.StartRun], list[str]],
    build: Build,
    *,
    roles: Mapping[str, str] | None = None,
    wrong: Mapping[str, Any],
) -> Callable[[bool], list[str]]:
    """Ask a detector of the gate, with the wrong options of `start_of` or without them."""
    right = {"roles": roles}
    return lambda is_wrong: detector(
        start_of(build, **(right | dict(wrong) if is_wrong else right))
    )


def refusal(ask: Callable[[], object]) -> list[str]:
    """Return the text of a `PlanError`; nothing where there is none."""
    try:
        with warnings.catch_warnings():  # torch's, of a scheduler before the first step
            warnings.simplefilter("ignore")
            ask()
    except mup.PlanError as error:
        return [str(error)]
    return []


def redrawn(part: str) -> EditModel:
    """Draw a matrix anew from N(0, std²) wider than base width: what is zero in it is lost."""

    @torch.no_grad()
    def edit(model: nn.Module, m: float) -> None:
        weight = model.get_parameter(part)
        if m > 1:
            weight.normal_(std=weight.square().mean().sqrt().item())

    return edit


def by_width(name: str) -> EditPlan:
    """Divide an LR by m = n / n0 whatever the tensor itself reads."""

    def edit(plan: Plan, m: float) -> None:
        plan["params"][name].update(lr_mult=1 / m, wd_mult=m)

    return edit


def without_multiplier(model: nn.Module, m: float) -> None:
    """Lose the multiplier of a readout, as a copy of its weight into a plain Linear does."""
    model.get_submodule("head").input_mult = 1.0


def unmultiplied(plan: Plan, m: float) -> None:
    """Say so in the plan too, so that `param_groups` has nothing to compare."""
    plan["params"]["table.weight"]["input_mult"] = 1.0


def tied(head: type[nn.Linear]) -> Build:
    """Words whose head of a class shares the table."""
    return lambda width: Words(width, tied=head)


def tied_plan(is_wrong: bool) -> list[str]:
    """Plan a table that a plain Linear shares, or a readout."""
    head = nn.Linear if is_wrong else mup.Readout
    return refusal(lambda: mup.plan(tied(head), base_width=BASE, width=128))


def tied_groups(is_wrong: bool) -> list[str]:
    """Ask for the groups of a tied readout without its multiplier, or with it."""
    edit = without_multiplier if is_wrong else None
    start = start_of(tied(mup.Readout), model_edit=edit)
    return refusal(lambda: start("mup", 128, 0, LR))


def declared(is_wrong: bool) -> list[str]:
    """Plan raw parameters without their roles, or with them."""
    roles = None if is_wrong else ROUTED
    return refusal(lambda: mup.plan(Routed, base_width=BASE, width=128, roles=roles))


def optimizer_of(make: Callable[..., torch.optim.Optimizer] = torch.optim.AdamW) -> Any:
    """Return an optimizer over the groups of AdamW at four times the base width."""
    plan = mup.plan(Words, base_width=BASE, width=4 * BASE)
    model = Words(4 * BASE)
    mup.init_(model, plan)
    return make(mup.param_groups(model, plan, lr=LR), lr=LR)


def scheduled(wrong: Callable[[Any], Any], right: Callable[[Any], Any]) -> Callable[[bool], list]:
    """Ask `check_lrs` after each of 20 steps under a scheduler."""

    def run(is_wrong: bool) -> None:
        optimizer = optimizer_of()
        scheduler = (wrong if is_wrong else right)(optimizer)
        for _ in range(20):
            optimizer.step()
            scheduler.step()
            mup.check_lrs(optimizer)

    return lambda is_wrong: refusal(lambda: run(is_wrong))


def other_class(make: Callable[..., torch.optim.Optimizer]) -> Callable[[bool], list]:
    """Ask `check_lrs` of an optimizer of another class than its groups are for."""
    return lambda is_wrong: refusal(
        lambda: mup.check_lrs(optimizer_of(make if is_wrong else torch.optim.AdamW))
    )


def exported(is_wrong: bool) -> list[str]:
    """Compare what an export says of a trainer's schedule and loss with what the trainer did."""
    config = TrialConfig(
        model=DiTConfig(depth=1, head_dim=16, base_width=BASE, patch_size=4),
        train=TrainConfig(steps=8, batch_size=4, schedule="cosine"), hps=HPs(lr=LR), width=BASE,
    )  # fmt: skip
    did = {"schedule": "wsd", "loss": "huber"}
    told = valid_for(config, None if is_wrong else did)
    return [f"{key}: {told.get(key)}, not {did[key]}" for key in did if told.get(key) != did[key]]


def sgd(groups: Any, **options: Any) -> torch.optim.Optimizer:
    """Return SGD with momentum, over whatever groups."""
    return torch.optim.SGD(groups, momentum=0.9, **options)


def one_cycle(is_wrong: bool) -> list[str]:
    """Ask under OneCycleLR with one peak for all groups, or with a list."""
    return scheduled(
        lambda o: torch_lr.OneCycleLR(o, LR, total_steps=40),
        lambda o: torch_lr.OneCycleLR(
            o, [LR * g["lr_mult"] for g in o.param_groups], total_steps=40
        ),
    )(is_wrong)


def cosine(is_wrong: bool) -> list[str]:
    """Ask under a cosine to an absolute LR, or to zero."""
    return scheduled(
        lambda o: torch_lr.CosineAnnealingLR(o, 20, eta_min=LR / 20),
        lambda o: torch_lr.CosineAnnealingLR(o, 20),
    )(is_wrong)


def _fault(kind: str, name: str, by: Detector, found: Callable[[bool], list[str]]) -> OwnFault:
    return OwnFault(kind=kind, name=name, by=by, found=found)


FAULTS: tuple[OwnFault, ...] = (
    _fault("init", "padding row redrawn", "invariants",
           gate(laws, Words, wrong={"model_edit": redrawn("table.weight")})),
    _fault("init", "zero gates redrawn", "invariants",
           gate(laws, Words, wrong={"model_edit": redrawn("block.modulation.weight")})),
    _fault("fan-in", "LR by n / n0", "invariants",
           gate(laws, Concat, wrong={"plan_edit": by_width("mixed.weight")})),
    _fault("fan-in", "LR by n / n0, trained", "coordinate check",
           gate(findings, Concat, wrong={"plan_edit": by_width("mixed.weight")})),
    _fault("tie", "plain Linear on a table", "plan", tied_plan),
    _fault("tie", "multiplier lost after the plan", "param_groups", tied_groups),
    _fault("tie", "multiplier lost in the plan too", "invariants",
           gate(laws, tied(mup.Readout),
                wrong={"model_edit": without_multiplier, "plan_edit": unmultiplied})),
    _fault("raw parameter", "no roles given", "plan", declared),
    _fault("raw parameter", "stacked experts taken for vectors", "invariants",
           gate(laws, Routed, roles=ROUTED, wrong={"roles": ROUTED | {"up": "vector"}})),
    _fault("raw parameter", "router taken for a vector", "coordinate check",
           gate(findings, Routed, roles=ROUTED, wrong={"roles": ROUTED | {"router": "vector"}})),
    _fault("scheduler", "OneCycleLR with one number", "check_lrs", one_cycle),
    _fault("scheduler", "cosine to eta_min", "check_lrs", cosine),
    _fault("optimizer", "SGD with the groups of AdamW", "check_lrs", other_class(sgd)),
    _fault("optimizer", "Adafactor with the groups of AdamW", "check_lrs",
           other_class(torch.optim.Adafactor)),
    _fault("optimizer", "SGD with the groups of AdamW, invariants", "invariants",
           gate(laws, Words, wrong={"make": sgd})),
    _fault("optimizer", "SGD with the groups of AdamW, trained", "coordinate check",
           gate(findings, Words, wrong={"make": sgd})),
    _fault("trainer", "the spec's settings taken for the trainer's", "export", exported),
)  # fmt: skip


def main() -> None:
    """Print each fault, its detector, and what that says with it and without."""
    torch.set_num_threads(1)
    print("| kind | fault | detector | caught | correct one passes |\n|---|---|---|---|---|")
    for fault in FAULTS:
        caught, alarms = fault.found(True), fault.found(False)
        words = ("yes" if caught else "NO", "yes" if not alarms else f"NO: {alarms[0]}")
        print(f"| {fault.kind} | {fault.name} | {fault.by} | {words[0]} | {words[1]} |", flush=True)


if __name__ == "__main__":
    main()
