"""What a coordinate check measures: outputs, changes, logits, weights, updates."""

import math

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mutransfer.analysis.verdict import coordcheck
from mutransfer.proxies import mup
from mutransfer.proxies.checks import coordcheck as checks_coordcheck
from mutransfer.proxies.checks.forward import LOGITS, outputs_of


class Attends(nn.Module):
    """Attention by hand or fused, with logits scaled by 1/√(head dim)."""

    def __init__(self, width: int, *, is_fused: bool) -> None:
        super().__init__()
        self.q, self.k = nn.Linear(width, width), nn.Linear(width, width)
        self.is_fused = is_fused

    def forward(self, x):
        q, k = self.q(x).unsqueeze(1), self.k(x).unsqueeze(1)
        if self.is_fused:
            return F.scaled_dot_product_attention(q, k, k).squeeze(1)
        return ((q @ k.mT / math.sqrt(q.shape[-1])).softmax(-1) @ k).squeeze(1)


def test_logits_are_seen_alike_in_fused_and_in_plain_attention():
    x, models = torch.randn(2, 3, 8), [Attends(8, is_fused=f) for f in (True, False)]
    models[1].load_state_dict(models[0].state_dict())
    found = [outputs_of(model, lambda model=model: model(x)) for model in models]
    expected = models[0].q(x) @ models[0].k(x).mT / math.sqrt(8)
    for outputs in found:
        name = f"(model).{LOGITS}"
        torch.testing.assert_close(outputs[name][0], expected.flatten(), rtol=1e-5, atol=1e-6)
    assert found[0].keys() == found[1].keys() == {"q", "k", "(model)", name}


def test_torchs_transformer_shows_its_modules_in_evaluation_mode_too():
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
    found = outputs_of(layer, lambda: layer(torch.randn(2, 3, 8)))
    assert {"linear1", "linear2", "self_attn", "norm1", f"self_attn.{LOGITS}"} <= found.keys()
    assert layer.training


@pytest.mark.parametrize("shape", [(5, 40), (40, 5), (16, 16)])
def test_the_spectral_norm_is_the_largest_singular_value(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    exact = torch.linalg.matrix_norm(matrix, ord=2).item()
    assert checks_coordcheck.spectral_norm(matrix) == pytest.approx(exact, rel=0.03)
    assert checks_coordcheck.spectral_norm(torch.zeros(shape)) == 0.0


def start_of(trial_of, **changes):
    def start(arm, width, seed, lr):
        model = {"head_dim": 16, "base_width": 32, "patch_size": 4, "depth": 1}
        config = trial_of(**model, arm=arm, width=width, seed=seed, lr=lr, steps=5, **changes)
        return checks_coordcheck.of_trial(config)

    return start


def test_sizes_are_those_of_the_models_own_weights_and_outputs(trial_of):
    run = start_of(trial_of)("mup", 64, 0, 2**-7)
    born = {name: p.detach().clone() for name, p in run.model.named_parameters()}
    found = list(checks_coordcheck.sizes(run, steps=3))
    last = {(kind, name): size for step, kind, name, _, size in found if step in (0, 3)}
    weight = run.model.blocks[0].mlp.fc1.weight
    update = torch.linalg.matrix_norm(weight - born["blocks.0.mlp.fc1.weight"], ord=2).item()
    assert last["update", "blocks.0.mlp.fc1.weight"] == pytest.approx(update / 2, rel=0.03)
    assert last["weight", "blocks.0.mlp.fc1.weight"] == pytest.approx(1.0, rel=0.05)
    bias = run.model.blocks[0].mlp.fc1.bias.detach()
    assert last["update", "blocks.0.mlp.fc1.bias"] == pytest.approx(
        bias.square().mean().sqrt().item()
    )
    assert last["change", "(model)"] == pytest.approx(last["output", "(model)"])  # born zero


def test_the_learning_rate_changes_the_median_module_by_at_most_half(trial_of):
    start = start_of(trial_of)
    lr = checks_coordcheck.choose_lr(start, base_width=32, steps=4, log2_lrs=range(-3, -15, -1))
    ratios = []
    for candidate in (lr, 2 * lr):
        rows = pd.DataFrame(
            checks_coordcheck.sizes(start("mup", 32, 0, candidate), 4),
            columns=["step", "kind", "name", "role", "size"],
        )
        table = rows[rows["step"] == 4].pivot(index="name", columns="kind", values="size")
        ratio = (table["change"] / table["output"])[table["change"] > 0]
        ratios.append(sorted(ratio)[len(ratio) // 2])
    assert ratios[0] <= checks_coordcheck.CHANGED < ratios[1]


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

        return checks_coordcheck.Run(
            model=model, optimizer=optimizer, plan=plan, take_step=step, probe=lambda: model(x)
        )

    lr = checks_coordcheck.choose_lr(start, base_width=32, steps=4, log2_lrs=range(-3, -15, -1))
    shape = {"widths": (32, 64, 128, 256), "steps": 4, "lr": lr}
    rows = [
        vars(size)
        for arm in ("mup", "sp")
        for size in checks_coordcheck.measure(start, seeds=range(4), arm=arm, **shape)
    ]
    check = coordcheck.judge(pd.DataFrame(rows))
    assert check.verdict == ("PASS" if parameter is None else "FAIL")
    if parameter is not None:
        assert check.findings[0].parameter == parameter
