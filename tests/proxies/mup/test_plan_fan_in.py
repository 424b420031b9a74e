"""Multipliers follow a tensor's own fan-in, not the width: against microsoft/mup, by training."""

import math
import warnings

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mutransfer.proxies import mup
from mutransfer.proxies.checks import coordcheck, invariants
from mutransfer.proxies.mup.parameters import fan_in, fan_out, owners

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mup as microsoft

BASE, FIXED = 64, 1024


class Concatenated(nn.Module):
    """A matrix that reads a fixed condition beside the stream, and one of a rounded size."""

    def __init__(self, width: int) -> None:
        super().__init__()
        rounded = (width * 8 // 3 + 31) // 32 * 32  # as SwiGLU's hidden size is
        self.stem = nn.Linear(5, width)
        self.mix = nn.Linear(FIXED + width, width)
        self.up, self.down = nn.Linear(width, rounded), nn.Linear(rounded, width)
        self.pooled = nn.Linear(FIXED + width, 3)
        self.readout = mup.Readout(FIXED + width, 3)
        self.register_buffer("condition", torch.linspace(-1, 1, FIXED))

    def forward(self, x: Tensor) -> Tensor:
        condition = self.condition.expand(len(x), FIXED)
        h = self.mix(torch.cat([condition, self.stem(x)], dim=1))
        h = torch.cat([condition, h + self.down(F.silu(self.up(h)))], dim=1)
        return self.readout(h) + self.pooled(h)


def ratio(name: str, width: int) -> float:
    model, base = owners(Concatenated(width)), owners(Concatenated(BASE))
    return fan_in(model[name]) / fan_in(base[name])


@pytest.mark.parametrize("width", [BASE, 2 * BASE, 8 * BASE])
def test_lr_and_decay_are_those_of_microsoft_mup_for_every_fan_in(width):
    model = Concatenated(width)
    microsoft.set_base_shapes(
        model, Concatenated(BASE), delta=Concatenated(2 * BASE), do_assert=False
    )
    plan = mup.plan(Concatenated, base_width=BASE, width=width)
    names = {id(p): name for name, p in model.named_parameters()}
    groups = microsoft.MuAdamW(list(model.parameters()), lr=1.0, weight_decay=1.0).param_groups
    theirs = {names[id(p)]: group for group in groups for p in group["params"]}
    for name in ("stem.weight", "mix.weight", "up.weight", "down.weight", "readout.weight"):
        row, their = plan["params"][name], theirs[name]
        assert row["lr_mult"] == pytest.approx(their["lr"], rel=1e-12), name
        assert row["wd_mult"] == pytest.approx(their["weight_decay"], rel=1e-12), name
    mix = plan["params"]["mix.weight"]
    assert mix["lr_mult"] == pytest.approx((FIXED + BASE) / (FIXED + width))


def test_each_quantity_is_a_power_of_the_own_fan_in():
    width = 8 * BASE
    rows = mup.plan(Concatenated, base_width=BASE, width=width)["params"]
    base_rows = mup.plan(Concatenated, base_width=BASE, width=BASE)["params"]
    for name in ("mix.weight", "up.weight", "down.weight"):
        b, row = ratio(name, width), rows[name]
        assert (row["lr_mult"], row["wd_mult"], row["fan_in_mult"]) == (1 / b, b, b), name
        std = base_rows[name]["init_std"] / math.sqrt(b)
        assert row["init_std"] == pytest.approx(std, rel=1e-12), name
    assert len({ratio(name, width) for name in ("mix.weight", "up.weight", "down.weight")}) == 3
    b = (FIXED + width) / (FIXED + BASE)
    assert rows["readout.weight"]["input_mult"] == 1 / b
    pooled = rows["pooled.weight"]
    assert (pooled["lr_mult"], pooled["wd_mult"], pooled["grad_mult"]) == (1 / b, b, b)
    assert pooled["init_std"] == pytest.approx(base_rows["pooled.weight"]["init_std"] / b)


def test_the_own_fan_out_ratio_is_in_the_plan_too():
    rows = mup.plan(Concatenated, base_width=BASE, width=8 * BASE)["params"]
    rounded = fan_out(owners(Concatenated(8 * BASE))["up.weight"])
    assert rows["up.weight"]["fan_out_mult"] == rounded / 192 != 8
    assert rows["up.bias"]["fan_out_mult"] == rounded / 192
    assert rows["mix.weight"]["fan_out_mult"] == rows["stem.weight"]["fan_out_mult"] == 8
    assert rows["pooled.weight"]["fan_out_mult"] == rows["pooled.bias"]["fan_out_mult"] == 1


def start_with(lr_mult_of_mix=None):
    def start(arm, width, seed, lr):
        plan = mup.plan(Concatenated, base_width=BASE, width=width, arm=arm)
        if lr_mult_of_mix is not None:
            mult = lr_mult_of_mix(width / BASE)
            plan["params"]["mix.weight"].update(lr_mult=mult, wd_mult=1 / mult)
        torch.manual_seed(seed)
        model = Concatenated(width)
        mup.init_(model, plan)
        optimizer = torch.optim.AdamW(mup.param_groups(model, plan, lr=lr, weight_decay=0.1))
        x = torch.randn(16, 5, generator=torch.Generator().manual_seed(seed))

        def step():
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()

        return coordcheck.CheckRun(
            model=model, optimizer=optimizer, plan=plan, take_step=step, probe=lambda: model(x)
        )

    return start


RATES = {"own": None, "n/n0": lambda m: 1 / m, "undivided": lambda m: 1.0}


def slope_of_the_update(start) -> float:
    """Of √(fan_in / fan_out) · ‖ΔW‖₂ of the concatenated matrix after two steps, per doubling."""
    widths = (BASE, 16 * BASE)
    measured = []
    for width in widths:
        rows = list(coordcheck.sizes(start("mup", width, 0, 2**-8), 2))
        measured += [s for step, k, name, _, s in rows if (step, k, name) == (2, "update", MIX)]
    return math.log2(measured[1] / measured[0]) / 4


MIX = "mix.weight"


def test_the_effect_of_an_update_is_flat_in_width_by_the_own_fan_in_alone():
    slopes = {name: slope_of_the_update(start_with(rate)) for name, rate in RATES.items()}
    assert abs(slopes["own"]) < 0.1
    assert slopes["n/n0"] < -0.5 and slopes["undivided"] > 0.15, slopes


def test_the_invariants_accept_the_own_fan_in_alone():
    def broken(rate) -> set[str]:
        start, wide = start_with(rate), 16 * BASE
        return {b.name for b in invariants.broken_laws(start, base_width=BASE, width=wide, lr=0.01)}

    assert broken(RATES["own"]) == set()
    assert broken(RATES["n/n0"]) == broken(RATES["undivided"]) == {MIX}


class Transposed(nn.Module):
    """Transposed convolutions: of all channels, of groups, and of each channel by itself."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.whole = nn.ConvTranspose2d(width, 2 * width, 2)
        self.grouped = nn.ConvTranspose2d(width, 2 * width, 2, groups=4)
        self.depthwise = nn.ConvTranspose2d(width, width, 2, groups=width)


def test_a_transposed_convolution_sums_over_the_channels_of_a_group():
    rows = mup.plan(Transposed, base_width=BASE, width=2 * BASE)["params"]
    names = ("whole.weight", "grouped.weight", "depthwise.weight")
    assert [rows[name]["fan_in"] for name in names] == [2 * BASE * 4, BASE // 2 * 4, 4]
    assert [rows[name]["role"] for name in names] == ["hidden", "hidden", "input"]
    assert [rows[name]["lr_mult"] for name in names] == [0.5, 0.5, 1.0]
