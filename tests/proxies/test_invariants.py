"""Laws that newborn models of two widths keep, found without the rule table behind their plan."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mutransfer.proxies import mup
from mutransfer.proxies.checks import coordcheck, invariants
from mutransfer.proxies.checks.attention import attentions_of
from mutransfer.proxies.checks.newborn import newborn, response
from tests.proxies.modules import BASE, CASES, start_of

WIDE, LR, HEADS = 8 * BASE, 2**-7, 2


def scaled_logits(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    return (scale * (q @ k.mT)).softmax(-1) @ v


def scaled_query(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    return torch.einsum("bhtl,bhld->bhtd", ((q * scale) @ k.transpose(2, 3)).softmax(-1), v)


def divided(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    logits = torch.einsum("bhtd,bhld->bhtl", q, k) / (1 / scale)
    mask = torch.ones(logits.shape[-2:], dtype=torch.bool).tril()
    return logits.masked_fill(~mask, float("-inf")).float().softmax(-1) @ v


def added(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    B, H, T, _ = q.shape
    bias = torch.zeros(B * H, T, T)
    logits = torch.baddbmm(bias, q.flatten(0, 1), k.flatten(0, 1).mT, alpha=scale)
    return logits.softmax(-1).unflatten(0, (B, H)) @ v


def both_scaled(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    root = scale**0.5
    return ((q * root) @ (k.mul(root)).mT).softmax(-1) @ v


def fused(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, scale=scale)


WAYS = (scaled_logits, scaled_query, divided, added, both_scaled, fused)


@pytest.mark.parametrize("attend", WAYS)
def test_head_dim_and_scale_are_seen_however_attention_is_written(attend):
    q, k, v = torch.randn(3, 2, 3, 5, 16)
    (found,) = attentions_of(lambda: "here", lambda: attend(q, k, v, 0.3))
    assert (found.module, found.head_dim) == ("here", 16)
    assert found.scale == pytest.approx(0.3, rel=1e-6)


def test_a_softmax_that_is_no_attention_is_left_alone():
    router = nn.Linear(8, 4)
    assert attentions_of(lambda: "", lambda: router(torch.randn(3, 8)).softmax(-1)) == []


class Model(nn.Module):
    """Attention and a residual MLP; each option is a mistake."""

    def __init__(
        self, width: int, *, power: float = -1.0, is_outside: bool = False, twice: bool = False,
        xavier: bool = False, gain: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.m, self.power, self.twice = width / BASE, power, twice
        self.is_outside = is_outside
        self.stem, self.qkv = nn.Linear(5, width), nn.Linear(width, 3 * width)
        self.inner = nn.Linear(width, width)
        self.gain = nn.Parameter(torch.randn(width)) if gain else None
        self.head = nn.Linear(width, 3) if is_outside else mup.Readout(width, 3)
        nn.init.zeros_(self.head.weight)
        self.is_xavier = xavier

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        qkv = self.qkv(x).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        scale = qkv.shape[-1] ** self.power
        mixed = scaled_logits(*qkv, scale).transpose(1, 2).flatten(2)
        x = F.layer_norm(x + F.relu(self.inner(mixed)), x.shape[-1:])
        if self.twice:
            x = x / self.m
        out = self.head(x)
        return out / self.m if self.is_outside else out


def start_with(plan_change=None, arm=None, **options):
    """Begin runs of the model, with a mistake of its own or one in its plan."""

    def build(width: int) -> nn.Module:
        return Model(width, **options)

    def start(given: mup.Arm, width: int, seed: int, lr: float) -> coordcheck.Run:
        plan = mup.plan(build, base_width=BASE, width=width, arm=arm or given)
        if options.get("is_outside"):  # the output rule with a multiplier: LR as it is
            plan["params"]["head.weight"].update(lr_mult=1.0, wd_mult=1.0, eps_mult=1.0)
        if plan_change:
            plan_change(plan["params"], width / BASE)
        torch.manual_seed(seed)
        model = build(width)
        mup.init_(model, plan, seed=seed)
        if options.get("xavier"):
            nn.init.xavier_normal_(model.stem.weight)
        groups = mup.param_groups(model, plan, lr=lr, weight_decay=0.1)
        x = torch.randn(4, 6, 5, generator=torch.Generator().manual_seed(0))
        return coordcheck.Run(
            model=model,
            optimizer=torch.optim.AdamW(groups),
            plan=plan,
            take_step=lambda: None,
            probe=lambda: model(x),
        )

    return start


def broken(start) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in invariants.broken(start, base_width=BASE, width=WIDE, lr=LR):
        found[one.name] = f"{found.get(one.name, '')}{one}\n"
    return found


def set_to(name: str, **powers: float):
    def change(rows, m):
        rows[name].update({key: m**power for key, power in powers.items()})

    return change


def test_a_correct_model_breaks_nothing_and_sp_breaks_the_laws():
    assert broken(start_with()) == {}
    names = broken(start_with(arm="sp")).keys()
    assert {"inner.weight", "qkv.weight", "head.weight"} <= names and "stem.weight" not in names


MISTAKES = {
    "head dim grows, 1/√d": ({"power": -0.5}, None, "(model)", "head dim grows"),
    "multiplier twice": ({"twice": True}, None, "head.weight", "width^-1.00"),
    "bias under the multiplier": ({"is_outside": True}, None, "head.bias", "bias included"),
    "Xavier": ({"xavier": True}, None, "stem.weight", "size at birth"),
    "hidden LR": ({}, set_to("inner.weight", lr_mult=-0.5), "inner.weight", "width^-0.50"),
    "input LR": ({}, set_to("stem.weight", lr_mult=-1), "stem.weight", "taken for a hidden"),
    "decay": ({}, set_to("inner.weight", wd_mult=0), "inner.weight", "LR × weight decay"),
    "bias decayed": ({}, set_to("inner.bias", decay=0), "inner.bias", "is decayed"),
    "base width": (
        {}, lambda rows, m: rows["inner.weight"].update(lr_mult=2 / m, wd_mult=m / 2),
        "inner.weight", "2 times the base LR",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("options", "change", "name", "text"), MISTAKES.values(), ids=MISTAKES)
def test_each_mistake_is_found_alone_and_named(options, change, name, text):
    found = broken(start_with(change, **options))
    assert found.keys() == {name}, found
    assert text in found[name] and "usual cause" in found[name]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_foreign_modules_keep_the_laws_and_sp_does_not(case):
    start = start_of(case)
    assert broken(start) == {}
    assert broken(lambda arm, *rest: start("sp", *rest))


def test_an_optimizer_that_lacks_a_tensor_is_named():
    def start(arm, width, seed, lr):
        run = start_with()(arm, width, seed, lr)
        for group in run.optimizer.param_groups:
            group["params"] = [p for p in group["params"] if p is not run.model.stem.bias]
        return run

    assert "no group has it" in broken(start)["stem.bias"]


def test_eps_is_small_or_falls_with_width():
    def start_of_eps(eps: float, power: float):
        def start(arm, width, seed, lr):
            run = start_with()(arm, width, seed, lr)
            for group in run.optimizer.param_groups:
                group["eps"] = eps * (width / BASE) ** power
            return run

        return start

    assert broken(start_of_eps(1e-10, 0)) == {} == broken(start_of_eps(1e-8, -1))
    assert "ε is 1e-08" in broken(start_of_eps(1e-8, 0))["inner.weight"]


def test_responses_are_those_of_an_aligned_change():
    """By hand: a readout moves by its multiplier times the L1 norm of what it reads."""
    run = start_with()("mup", WIDE, 0, LR)
    found = newborn(run, WIDE)
    read = []
    run.model.head.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    run.probe()
    sums = read[0].abs().sum(-1) * BASE / WIDE
    moved = response(found, "head.weight", found.look.outputs["(model)"])
    assert moved == pytest.approx(sums.mean().item(), rel=0.05)
    assert response(found, "head.bias", found.look.outputs["(model)"]) == 1.0
    assert math.isclose(found.tensors["inner.weight"].lr, LR * BASE / WIDE)
