"""What a coordinate check measures: outputs, changes, logits, weights, updates."""

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mutransfer.analysis.verdict.coordcheck import judge
from mutransfer.proxies import mup
from mutransfer.proxies.checks import coordcheck


@pytest.mark.parametrize("shape", [(5, 40), (40, 5), (16, 16)])
def test_the_spectral_norm_is_the_largest_singular_value(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    exact = torch.linalg.matrix_norm(matrix, ord=2).item()
    assert coordcheck.spectral_norm(matrix) == pytest.approx(exact, rel=0.03)
    assert coordcheck.spectral_norm(torch.zeros(shape)) == 0.0


def start_of(trial_of, **changes):
    def start(arm, width, seed, lr):
        model = {"head_dim": 16, "base_width": 32, "patch_size": 4, "depth": 1}
        config = trial_of(**model, arm=arm, width=width, seed=seed, lr=lr, steps=5, **changes)
        return coordcheck.of_trial(config)

    return start


def test_sizes_are_those_of_the_models_own_weights_and_outputs(trial_of):
    run = start_of(trial_of)("mup", 64, 0, 2**-7)
    at_init = {name: p.detach().clone() for name, p in run.model.named_parameters()}
    measured = list(coordcheck.sizes(run, steps=3))
    last = {(kind, name): size for step, kind, name, _, size in measured if step in (0, 3)}
    weight = run.model.blocks[0].mlp.fc1.weight
    update = torch.linalg.matrix_norm(weight - at_init["blocks.0.mlp.fc1.weight"], ord=2).item()
    assert last["update", "blocks.0.mlp.fc1.weight"] == pytest.approx(update / 2, rel=0.03)
    assert last["weight", "blocks.0.mlp.fc1.weight"] == pytest.approx(1.0, rel=0.05)
    bias = run.model.blocks[0].mlp.fc1.bias.detach()
    assert last["update", "blocks.0.mlp.fc1.bias"] == pytest.approx(
        bias.square().mean().sqrt().item()
    )
    assert last["change", "(model)"] == pytest.approx(
        last["output", "(model)"]
    )  # zero at initialization


def test_the_learning_rate_changes_the_median_module_by_at_most_half(trial_of):
    start = start_of(trial_of)
    lr = coordcheck.choose_lr(start, base_width=32, steps=4, log2_lrs=range(-3, -15, -1))
    ratios = []
    for candidate in (lr, 2 * lr):
        rows = pd.DataFrame(
            coordcheck.sizes(start("mup", 32, 0, candidate), 4),
            columns=["step", "kind", "name", "role", "size"],
        )
        table = rows[rows["step"] == 4].pivot(index="name", columns="kind", values="size")
        ratio = (table["change"] / table["output"])[table["change"] > 0]
        ratios.append(sorted(ratio)[len(ratio) // 2])
    assert ratios[0] <= coordcheck.CHANGED < ratios[1]


class Sum(nn.Module):
    """A residual MLP; `fault` forgets one rule of μP."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem, self.inner = nn.Linear(7, width), nn.Linear(width, width)
        self.readout = mup.Readout(width, 3)
        nn.init.zeros_(self.readout.weight)

    def forward(self, x):
        x = self.stem(x)
        return self.readout(x + F.relu(self.inner(x)))


@pytest.mark.parametrize("make", [torch.optim.AdamW, torch.optim.SGD, torch.optim.Rprop])
def test_updates_are_those_of_the_weights_whatever_the_optimizer_keeps(make):
    torch.manual_seed(0)
    plan = mup.plan(Sum, base_width=32, width=32)
    model, before = Sum(32), {}
    mup.init_(model, plan)
    optimizer = make(model.parameters(), lr=0.1)
    x = torch.randn(8, 7)

    def step():
        before.update({name: p.detach().clone() for name, p in model.named_parameters()})
        model(x).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()

    with torch.no_grad():
        model.readout.weight.normal_()
    run = coordcheck.CheckRun(
        model=model, optimizer=optimizer, plan=plan, take_step=step, probe=lambda: model(x)
    )
    sizes = {
        name: size for step_, kind, name, _, size in coordcheck.sizes(run, 1) if kind == "update"
    }
    moved = model.stem.weight.detach() - before["stem.weight"]
    exact = torch.linalg.matrix_norm(moved, ord=2).item() * (7 / 32) ** 0.5
    assert sizes["stem.weight"] == pytest.approx(exact, rel=0.03) and exact > 0


def test_a_weight_that_only_decays_is_not_trained():
    squares = {"trained": 1.0, "by rounding": 1e-13, "by nothing": 0.0, "nan": float("nan")}
    assert coordcheck._trained(squares) == {"trained", "nan"}


@pytest.mark.parametrize(
    ("role", "change", "parameter"),
    [
        (None, {}, None),
        ("hidden", {"lr_mult": 1.0}, "inner.weight"),
        ("input", {"lr_mult": 0.25}, "stem.weight"),
        ("output", {"input_mult": 1.0}, "readout.weight"),
    ],
)
def test_a_forgotten_rule_is_found_and_the_parameter_named(role, change, parameter):
    """The negative control is the first case: nothing forgotten, nothing found."""

    def start(arm, width, seed, lr):
        plan = mup.plan(Sum, base_width=32, width=width, arm=arm)
        for row in plan["params"].values():
            if row["role"] == role and width > 32 and arm == "mup":
                key, value = next(iter(change.items()))
                row[key] = 32 / width if value != 1.0 else 1.0
        torch.manual_seed(seed)
        model = Sum(width)
        mup.init_(model, plan, seed=seed)
        optimizer = torch.optim.AdamW(mup.param_groups(model, plan, lr=lr))
        x, y = torch.randn(2, 32, 7, generator=torch.Generator().manual_seed(seed))[:, :, :7]

        def step():
            optimizer.zero_grad()
            (model(x) - y[:, :3]).square().mean().backward()
            optimizer.step()

        return coordcheck.CheckRun(
            model=model, optimizer=optimizer, plan=plan, take_step=step, probe=lambda: model(x)
        )

    lr = coordcheck.choose_lr(start, base_width=32, steps=4, log2_lrs=range(-3, -15, -1))
    shape = {"widths": (32, 64, 128, 256), "steps": 4, "lr": lr}
    rows = [
        vars(size)
        for arm in ("mup", "sp")
        for size in coordcheck.measure(start, seeds=range(4), arm=arm, **shape)
    ]
    check = judge(pd.DataFrame(rows))
    assert check.verdict == ("PASS" if parameter is None else "FAIL")
    if parameter is not None:
        assert check.findings[0].parameter == parameter
