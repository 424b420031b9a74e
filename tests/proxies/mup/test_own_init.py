"""The laws of a module's own draws, and the structure that a factor keeps, at every width."""

import math

import pytest
import torch
from torch import nn

from mutransfer.proxies import mup
from mutransfer.proxies.mup.own_init import MATRIX_LAWS

BASE, WIDTHS = 64, (64, 128, 256)


def tensor(width: int, draw) -> nn.Linear:
    layer = nn.Linear(width, width, bias=False)
    draw(layer.weight)
    return layer


@torch.no_grad()
def gated(weight: torch.Tensor) -> None:
    """A fused adaLN whose gate rows are zero: the block is the identity at initialization."""
    nn.init.normal_(weight, std=0.02)
    weight[: len(weight) // 3] = 0


@torch.no_grad()
def diagonal_blocks(weight: torch.Tensor) -> None:
    nn.init.zeros_(weight)
    for i in range(0, len(weight), 16):
        nn.init.orthogonal_(weight[i : i + 16, i : i + 16])


class Structured(nn.Module):
    """One tensor of each kind of structure that a redraw from N(0, std²) would lose."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(20, width, padding_idx=3)
        self.gates = tensor(width, gated)
        self.orthogonal = tensor(width, nn.init.orthogonal_)
        self.identity = tensor(width, nn.init.eye_)
        self.blocks = tensor(width, diagonal_blocks)
        self.truncated = tensor(
            width, lambda w: nn.init.trunc_normal_(w, std=0.02, a=-0.04, b=0.04)
        )
        self.uniform = tensor(width, nn.init.xavier_uniform_)
        self.dirac = nn.Conv1d(width, width, 3, bias=False)
        nn.init.dirac_(self.dirac.weight)
        n_heads = width // 16
        self.A_log = nn.Parameter(torch.arange(1, n_heads + 1).float().log())
        self.dt_bias = nn.Parameter(torch.rand(n_heads) + 1)
        angles = torch.arange(8)[:, None] * torch.arange(width) / width
        self.positions = nn.Parameter(angles.sin()[None])
        self.linear = nn.Linear(width, width)


def structured(width: int, seed: int = 0) -> tuple[nn.Module, nn.Module, mup.plan]:
    plan = mup.plan(Structured, base_width=BASE, width=width)
    pair = []
    for _ in range(2):
        torch.manual_seed(seed)
        pair.append(Structured(width))
    mup.init_(pair[0], plan)
    return pair[0], pair[1], plan


@pytest.mark.parametrize("width", WIDTHS)
def test_every_tensor_is_its_modules_own_draw_times_one_factor(width):
    model, untouched, _ = structured(width)
    for (name, own), other in zip(model.named_parameters(), untouched.parameters(), strict=True):
        assert torch.equal(own == 0, other == 0), name
        ratios = (own / other)[other != 0]
        torch.testing.assert_close(ratios, ratios[0].expand_as(ratios), rtol=1e-6, atol=0)


EXACT = ("identity", "dirac", "orthogonal", "uniform", "blocks", "A_log", "dt_bias", "positions")


@pytest.mark.parametrize("width", WIDTHS)
def test_what_follows_the_rule_already_keeps_its_bits(width):
    model, untouched, _ = structured(width)
    others = dict(untouched.named_parameters())
    kept = {n for n, p in model.named_parameters() if torch.equal(p, others[n])}
    exact = {n for n in others if n.startswith(EXACT)}
    assert kept >= exact | {"linear.weight", "table.weight"}
    if width > BASE:  # the control: the others are scaled
        assert {"gates.weight", "truncated.weight", "linear.bias"} & kept == set()


def test_a_constant_std_falls_with_the_root_of_the_fan_in_and_keeps_its_shape():
    model, _, plan = structured(256)
    rows = plan["params"]
    assert rows["gates.weight"]["own_init"] == rows["truncated.weight"]["own_init"] == "constant"
    assert model.gates.weight[86:].std().item() == pytest.approx(0.01, rel=0.02)
    assert (model.gates.weight[: 256 // 3] == 0).all()
    rms = model.truncated.weight.square().mean().sqrt()
    assert (model.truncated.weight.abs().max() / rms).item() == pytest.approx(2.27, rel=0.01)
    assert (model.table.weight[3] == 0).all()
    assert model.linear.bias.abs().max().item() == pytest.approx(1 / 8, rel=0.02)  # as at width 64


def drawn_by(draw, shape):
    class Module(nn.Module):
        def __init__(self, width: int) -> None:
            super().__init__()
            n_out, n_in = (width if n is None else n for n in shape)
            self.layer = nn.Linear(n_in, n_out, bias=False)
            draw(self.layer.weight)

    return mup.plan(Module, base_width=BASE, width=8 * BASE)["params"]["layer.weight"]


W = None
LAWS = {
    "GPT-2": (lambda w: nn.init.normal_(w, std=0.02), (W, W), "constant", 8**-0.5),
    "LeCun": (lambda w: nn.init.normal_(w, std=w.shape[1] ** -0.5), (W, W), "1/√fan_in", 1.0),
    "Kaiming, fan_out": (
        lambda w: nn.init.kaiming_normal_(w, mode="fan_out"), (W, 48), "1/√fan_out", 8**0.5),
    "Xavier": (nn.init.xavier_normal_, (W, 48), "Xavier", math.sqrt((48 + 512) / (48 + 64))),
    "orthogonal": (nn.init.orthogonal_, (W, 96), "1/√max", math.sqrt(512 / 96)),
    "1/width": (
        lambda w: nn.init.normal_(w, std=1 / w.shape[1]), (W, W), "1/fan_in", math.sqrt(8)),
    "head": (lambda w: nn.init.normal_(w, std=0.02), (10, W), "constant", 1 / 8),
    "table": (lambda w: nn.init.normal_(w, std=w.shape[0] ** -0.5), (W, 30), "1/√fan_out", 8**0.5),
}  # fmt: skip


@pytest.mark.parametrize(("draw", "shape", "law", "factor"), LAWS.values(), ids=LAWS)
def test_the_law_of_an_init_is_found_and_the_factor_is_exact(draw, shape, law, factor):
    """By hand: the rule's std over the law's, both relative to base width."""
    row = drawn_by(draw, shape)
    assert row["own_init"] == law
    assert row["init_std"] / row["own_std"] == pytest.approx(factor, rel=1e-12)


def test_an_init_of_no_known_law_is_measured_and_the_plan_says_so():
    def odd(weight):
        nn.init.normal_(weight, std=len(weight) ** -0.25)

    assert "1/√√fan_in" not in MATRIX_LAWS
    row = drawn_by(odd, (W, W))
    assert (row["own_init"], row["own_std"]) == ("measured", None)

    class Odd(nn.Linear):
        def __init__(self, width: int) -> None:
            super().__init__(width, width, bias=False)
            odd(self.weight)

    plan, model = mup.plan(Odd, base_width=BASE, width=1024), Odd(1024)
    mup.init_(model, plan)
    rms = model.weight.square().mean().sqrt().item()
    assert rms == pytest.approx(BASE**-0.25 / 4, rel=0.02)


class NoisyIdentity(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(width, width, bias=False)
        with torch.no_grad():
            self.layer.weight.copy_(torch.eye(width) + 0.02 * torch.randn(width, width))


class RightNoise(NoisyIdentity):
    """The noise shrinks as the rule asks, so that no factor is needed."""

    def __init__(self, width: int) -> None:
        super().__init__(width)
        with torch.no_grad():
            self.layer.weight.copy_(torch.eye(width) + torch.randn(width, width) / width**0.5)


def test_a_constant_plus_noise_is_refused_unless_the_noise_follows_the_rule_or_it_is_declared():
    with pytest.raises(mup.PlanError, match=r"a constant plus noise.*layer\.weight.*own init"):
        mup.plan(NoisyIdentity, base_width=BASE, width=2 * BASE)
    roles = {"layer.weight": "hidden, own init"}
    declared = mup.plan(NoisyIdentity, base_width=BASE, width=2 * BASE, roles=roles)
    base = mup.plan(NoisyIdentity, base_width=BASE, width=BASE)
    right = mup.plan(RightNoise, base_width=BASE, width=2 * BASE)
    for plan in (declared, base, right):
        row = plan["params"]["layer.weight"]
        assert (row["own_init"], row["init_std"], row["init_mult"]) == ("kept", None, 1.0)


class Unfinished(nn.Linear):
    def __init__(self, width: int) -> None:
        super().__init__(width, width)
        with torch.no_grad():
            self.weight.fill_(math.nan)


def test_a_tensor_that_is_not_filled_is_named():
    with pytest.raises(mup.PlanError, match=r"weight: .*finite numbers"):
        mup.plan(Unfinished, base_width=BASE, width=2 * BASE)


@pytest.mark.parametrize("arm", ["mup", "sp"])
def test_a_base_hp_scales_what_is_random_and_no_constant(arm):
    plans = [
        mup.plan(Structured, base_width=BASE, width=256, init_std=scale, arm=arm)
        for scale in (1.0, 3.0)
    ]
    models = []
    for plan in plans:
        torch.manual_seed(0)
        models.append(Structured(256))
        mup.init_(models[-1], plan)
    constant = ("identity", "dirac", "A_log", "dt_bias", "positions", "linear.bias")
    for (name, one), three in zip(
        models[0].named_parameters(), models[1].parameters(), strict=True
    ):
        factor = 1.0 if name.startswith(constant) else 3.0
        torch.testing.assert_close(three, one * factor, rtol=1e-6, atol=0)
