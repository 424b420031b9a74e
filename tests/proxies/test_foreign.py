"""The plan on modules that are not ours: roles by building twice, std by measuring once."""

import math

import pytest
import torch
from torch import nn

from mutransfer.proxies import mup

WIDE = 64  # many entries at base width, so that a measured std is exact to a few percent


class Foreign(nn.Module):
    """Layers with torch's own inits, most of which depend on width."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, width, 4)
        self.table = nn.Embedding(50, width)
        self.attention = nn.MultiheadAttention(width, 4)
        self.norm = nn.LayerNorm(width)
        self.up = nn.ConvTranspose2d(width, 2 * width, 2)
        self.depthwise = nn.Conv2d(width, width, 3, groups=width)
        self.register = nn.Parameter(0.02 * torch.randn(1, 4, width))
        self.gain = nn.Parameter(1 + 0.01 * torch.randn(width))
        self.qk_gain = nn.Parameter(torch.ones(8))
        self.frozen = nn.Parameter(torch.randn(width, width), requires_grad=False)
        self.inner = nn.Linear(width, 4 * width)
        self.head = nn.Linear(width, 7)
        self.readout = mup.Readout(width, 7)
        self.out_conv = nn.Conv2d(width, 3, 1)
        self.refine = nn.Conv2d(3, 3, 3)


ROLES = {
    "register": "vector",
    "gain": "vector",
    "qk_gain": "scalar",
    "stem.weight": "input",
    "stem.bias": "vector",
    "table.weight": "input",
    "attention.in_proj_weight": "hidden",
    "attention.in_proj_bias": "vector",
    "attention.out_proj.weight": "hidden",
    "attention.out_proj.bias": "vector",
    "norm.weight": "vector",
    "norm.bias": "vector",
    "up.weight": "hidden",
    "up.bias": "vector",
    "depthwise.weight": "input",
    "depthwise.bias": "vector",
    "inner.weight": "hidden",
    "inner.bias": "vector",
    "head.weight": "output",
    "head.bias": "scalar",
    "readout.weight": "output",
    "readout.bias": "scalar",
    "out_conv.weight": "output",
    "out_conv.bias": "scalar",
    "refine.weight": "scalar",
    "refine.bias": "scalar",
}


def made(width: int, builder=Foreign, **options):
    """A newborn model, its untouched twin, and its plan."""
    plan = mup.plan(builder, base_width=WIDE, width=width, **options)
    twins = []
    for _ in range(2):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            twins.append(builder(width))
    mup.init_(twins[0], plan)
    return twins[0], twins[1], plan


def test_roles_are_those_written_by_hand():
    rows = mup.plan(Foreign, base_width=WIDE, width=WIDE)["params"]
    assert {name: row["role"] for name, row in rows.items()} == ROLES


def test_fan_in_is_what_the_layer_sums_over():
    rows = mup.plan(Foreign, base_width=WIDE, width=128)["params"]
    fan_ins = {name: rows[name]["fan_in"] for name in ("stem.weight", "table.weight", "up.weight")}
    assert fan_ins == {"stem.weight": 3 * 16, "table.weight": 50, "up.weight": 128 * 4}
    assert rows["inner.weight"]["fan_in"] == 128
    assert rows["depthwise.weight"]["fan_in"] == 9


@pytest.mark.parametrize("arm", ["mup", "sp"])
def test_at_base_width_nothing_changes_bit_for_bit(arm):
    model, untouched, _ = made(WIDE, arm=arm)
    for own, other in zip(model.parameters(), untouched.parameters(), strict=True):
        assert torch.equal(own, other)


def test_wider_every_random_tensor_has_the_std_of_its_role():
    model, untouched, plan = made(256)
    base = {name: (p.std().item(), p.numel()) for name, p in Foreign(WIDE).named_parameters()}
    factors = {"hidden": 1 / 2, "input": 1, "vector": 1, "scalar": 1, "output": 1}
    kept = {"gain", "qk_gain", "norm.weight", "norm.bias", "frozen"}
    kept |= {"attention.in_proj_bias", "attention.out_proj.bias"}  # zero at birth
    for (name, own), other in zip(model.named_parameters(), untouched.parameters(), strict=True):
        if name in kept:
            assert torch.equal(own, other), name
            continue
        is_plain_output = ROLES[name] == "output" and not name.startswith("readout")
        factor = 1 / 4 if is_plain_output else factors[ROLES[name]]
        row = plan["params"][name]
        # A measured std of n draws has a relative error of about 1 / sqrt(2 n).
        std, n_base = base[name]
        assert row["init_std"] == pytest.approx(std * factor, rel=4 / math.sqrt(n_base)), name
        rel = 4 / math.sqrt(own.numel())
        assert own.std().item() == pytest.approx(row["init_std"], rel=rel), name
        assert not torch.equal(own, other), name


def test_the_readout_alone_gets_the_multiplier():
    model, _, plan = made(256, output_mult=2.0)
    assert model.readout.input_mult == plan["params"]["readout.weight"]["input_mult"] == 0.5
    assert plan["params"]["head.weight"]["lr_mult"] == 0.5
    x = torch.randn(3, 256)
    expected = 0.5 * x @ model.readout.weight.T + model.readout.bias
    torch.testing.assert_close(model.readout(x), expected)


def test_sp_keeps_the_modules_own_draws_times_the_hp():
    model, untouched, _ = made(256, arm="sp", init_std_hidden=3.0)
    for (name, own), other in zip(model.named_parameters(), untouched.parameters(), strict=True):
        factor = 3.0 if ROLES.get(name) == "hidden" else 1.0
        torch.testing.assert_close(own, other * factor, rtol=1e-6, atol=0)


def test_init_hps_act_alike_at_and_beyond_base_width():
    for width in (WIDE, 256):
        plain, doubled = made(width)[0], made(width, init_std=2.0)[0]
        for (name, one), two in zip(plain.named_parameters(), doubled.parameters(), strict=True):
            factor = 2.0 if ROLES.get(name) in ("hidden", "input") else 1.0
            torch.testing.assert_close(two, one * factor, rtol=1e-6, atol=0)


def test_draws_follow_the_seed_and_leave_the_global_stream_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    plan = mup.plan(Foreign, base_width=WIDE, width=128)
    assert torch.equal(torch.get_rng_state(), before)
    models = [Foreign(128) for _ in range(3)]
    before = torch.get_rng_state()
    for model, seed in zip(models, (0, 0, 1), strict=True):
        mup.init_(model, plan, seed)
    assert torch.equal(torch.get_rng_state(), before)
    first, second, third = (model.inner.weight for model in models)
    assert torch.equal(first, second) and not torch.equal(first, third)


class Raw(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.mixer = nn.Parameter(torch.randn(width, width))


class Tied(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(10, width)
        self.head = nn.Linear(width, 10, bias=False)
        self.head.weight = self.table.weight


class Deeper(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(width // 4))


@pytest.mark.parametrize(
    ("builder", "text"), [(Raw, "mixer"), (Tied, r"head\.weight"), (Deeper, r"layers\.")]
)
def test_what_has_no_role_is_an_error_that_names_it(builder, text):
    with pytest.raises(mup.PlanError, match=text):
        mup.plan(builder, base_width=8, width=16)


def test_tensors_tied_in_the_same_use_are_one_parameter():
    def build(width):
        model = nn.Sequential(nn.Linear(width, width), nn.Linear(width, width))
        model[1].weight = model[0].weight
        return model

    assert list(mup.plan(build, base_width=8, width=16)["params"]) == [
        "0.weight",
        "0.bias",
        "1.bias",
    ]
