"""Initialization scales the modules' own draws to the plan's std, and changes nothing at m = 1."""

import copy
import math

import pytest
import torch
from torch import nn

from mutransfer.proxies import mup
from tests.proxies.mup.small_dit import ROLES, build, plan, seeded
from tests.proxies.mup.torch_layers import ROLES as LAYER_ROLES
from tests.proxies.mup.torch_layers import WIDE, Layers, initialized


@pytest.mark.parametrize("arm", ["mup", "sp"])
def test_at_base_width_a_dit_does_not_change_in_a_bit(arm):
    untouched, model = seeded(build, 16), seeded(build, 16)
    mup.init_(model, plan(16, arm=arm))
    for own, other in zip(model.parameters(), untouched.parameters(), strict=True):
        assert torch.equal(own, other)
    assert model.final.readout.input_mult == 1.0


@pytest.mark.parametrize("arm", ["mup", "sp"])
def test_at_base_width_torch_layers_do_not_change_in_a_bit(arm):
    model, untouched, _ = initialized(WIDE, arm=arm)
    for own, other in zip(model.parameters(), untouched.parameters(), strict=True):
        assert torch.equal(own, other)


def test_away_from_base_width_the_readout_alone_is_rescaled():
    untouched, model = seeded(build, 64), seeded(build, 64)
    mup.init_(model, plan(64))
    pairs = zip(model.named_parameters(), untouched.parameters(), strict=True)
    changed = [name for (name, own), other in pairs if not torch.equal(own, other)]
    assert changed == ["final.readout.weight"]
    ratio = model.final.readout.weight / untouched.final.readout.weight
    torch.testing.assert_close(ratio, torch.full_like(ratio, 2.0))


def test_init_hps_scale_their_roles_and_no_constants():
    options = {"init_std": 2.0, "init_std_hidden": 3.0, "init_std_input": 5.0}
    untouched, model = seeded(build, 16), seeded(build, 16)
    mup.init_(model, plan(16, **options, init_std_vector=7.0))
    factors = {"hidden": 6.0, "input": 10.0, "output": 1.0, "vector": 1.0, "scalar": 1.0}
    for (name, own), other in zip(model.named_parameters(), untouched.parameters(), strict=True):
        torch.testing.assert_close(own, other * factors[ROLES[name]])


def test_initializing_twice_is_an_error_and_not_a_second_scaling():
    model = build(64)
    mup.init_(model, plan(64))
    with pytest.raises(mup.PlanError, match="once"):
        mup.init_(copy.deepcopy(model), plan(64))


def test_a_plan_of_another_width_or_model_is_refused():
    with pytest.raises(mup.PlanError, match=r"patch_embed\.weight.*\[32, 16\]"):
        mup.init_(build(64), plan(32))
    with pytest.raises(mup.PlanError, match="label_table"):
        mup.init_(nn.Linear(2, 2), plan(32))


def test_wider_every_random_tensor_has_the_std_of_its_role():
    model, untouched, plan = initialized(256)
    base = {name: (p.std().item(), p.numel()) for name, p in Layers(WIDE).named_parameters()}
    factors = {"hidden": 1 / 2, "input": 1, "vector": 1, "scalar": 1, "output": 1}
    kept = {"gain", "qk_gain", "norm.weight", "norm.bias", "frozen"}
    kept |= {"attention.in_proj_bias", "attention.out_proj.bias"}  # initialized to zero
    for (name, own), other in zip(model.named_parameters(), untouched.parameters(), strict=True):
        if name in kept:
            assert torch.equal(own, other), name
            continue
        is_plain_output = LAYER_ROLES[name] == "output" and not name.startswith("readout")
        factor = 1 / 4 if is_plain_output else factors[LAYER_ROLES[name]]
        row = plan["params"][name]
        # A measured std of n draws has a relative error of about 1 / sqrt(2 n).
        std, n_base = base[name]
        assert row["init_std"] == pytest.approx(std * factor, rel=4 / math.sqrt(n_base)), name
        rel = 4 / math.sqrt(own.numel())
        assert own.std().item() == pytest.approx(row["init_std"], rel=rel), name
        ratio = own / other
        torch.testing.assert_close(ratio, torch.full_like(ratio, ratio.flatten()[0].item()))


def test_sp_keeps_the_modules_own_draws_times_the_hp():
    model, untouched, _ = initialized(256, arm="sp", init_std_hidden=3.0)
    for (name, own), other in zip(model.named_parameters(), untouched.parameters(), strict=True):
        factor = 3.0 if LAYER_ROLES.get(name) == "hidden" else 1.0
        torch.testing.assert_close(own, other * factor, rtol=1e-6, atol=0)


def test_init_hps_act_alike_at_and_beyond_base_width():
    for width in (WIDE, 256):
        plain, doubled = initialized(width)[0], initialized(width, init_std=2.0)[0]
        for (name, single), double in zip(
            plain.named_parameters(), doubled.parameters(), strict=True
        ):
            factor = 2.0 if LAYER_ROLES.get(name) in ("hidden", "input") else 1.0
            torch.testing.assert_close(double, single * factor, rtol=1e-6, atol=0)


def test_nothing_is_drawn_so_a_model_follows_the_seed_that_it_was_built_with():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    plan = mup.plan(Layers, base_width=WIDE, width=128)
    assert torch.equal(torch.get_rng_state(), before)
    models = [seeded_layers(seed) for seed in (0, 0, 1)]
    before = torch.get_rng_state()
    for model in models:
        mup.init_(model, plan)
    assert torch.equal(torch.get_rng_state(), before)
    first, second, third = (model.inner.weight for model in models)
    assert torch.equal(first, second) and not torch.equal(first, third)


def seeded_layers(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return Layers(128)


def test_a_model_without_values_is_refused_with_the_right_order():
    plan = mup.plan(Layers, base_width=WIDE, width=128)
    with torch.device("meta"):
        model = Layers(128)
    with pytest.raises(mup.PlanError, match=r"on the meta device.*to_empty.*then call init_"):
        mup.init_(model, plan)


def test_a_plan_from_before_own_draws_were_recorded_still_reaches_its_std():
    plan = mup.plan(Layers, base_width=WIDE, width=256)
    for row in plan["params"].values():
        del row["own_std"], row["own_init"]
    torch.manual_seed(1)
    model = Layers(256)
    mup.init_(model, plan)
    rms = model.inner.weight.square().mean().sqrt().item()
    assert rms == pytest.approx(plan["params"]["inner.weight"]["init_std"], rel=1e-5)
