"""The plan against microsoft/mup, on every family: init, output, effective LR and WD, training."""

import warnings

import pytest
import torch
from torch import nn

from mutransfer.proxies import mup
from mutransfer.proxies.mup.modules import Readout
from tests.proxies.family_cases import (
    BASE,
    FAMILIES,
    ROLES,
    batches,
    builder,
    loss_of,
    outputs,
    seeded,
)

with warnings.catch_warnings():
    # Its plotting part imports seaborn and pandas in deprecated ways.
    warnings.simplefilter("ignore")
    import mup as microsoft


LR, WD = 0.01, 0.1

WIDTHS = (BASE, 2 * BASE, 8 * BASE)

every_family = pytest.mark.parametrize("family", FAMILIES)


def oracle_builder(family: str):
    def build(width: int) -> nn.Module:
        model = builder(family)(width)
        for path, old in list(model.named_modules()):
            if isinstance(old, Readout):
                model.set_submodule(path, as_mu_readout(old))
        return model

    return build


def as_mu_readout(old: Readout) -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        new = microsoft.MuReadout(old.in_features, old.out_features)
    new.weight, new.bias = old.weight, old.bias
    return new


def oracle(family: str, width: int, weight_decay: float):
    build = oracle_builder(family)
    model = seeded(build, width)
    microsoft.set_base_shapes(model, seeded(build, BASE), delta=seeded(build, 2 * BASE))
    model.double()
    optimizer = microsoft.MuAdamW(
        list(model.parameters()), lr=LR, weight_decay=weight_decay, eps=1e-12
    )
    return model, optimizer


def ours(family: str, width: int, weight_decay: float, **options):
    build = builder(family)
    model = seeded(build, width)
    plan = mup.plan(build, base_width=BASE, width=width, **options)
    mup.init_(model, plan)
    model.double()
    groups = mup.param_groups(model, plan, lr=LR, weight_decay=weight_decay)
    return model, torch.optim.AdamW(groups)


def effective(model, optimizer):
    names = {id(p): name for name, p in model.named_parameters()}
    return {
        names[id(p)]: (group["lr"], group["weight_decay"])
        for group in optimizer.param_groups
        for p in group["params"]
    }


@every_family
@pytest.mark.parametrize("width", WIDTHS)
def test_init_and_output_agree(family, width):
    model, other = ours(family, width, WD)[0], oracle(family, width, WD)[0]
    theirs = dict(other.named_parameters())
    for name, own in model.named_parameters():
        torch.testing.assert_close(own, theirs[name], rtol=1e-6, atol=0)
    inputs = next(batches(1))
    for own, their in zip(outputs(model, *inputs), outputs(other, *inputs), strict=True):
        torch.testing.assert_close(own, their, rtol=1e-6, atol=1e-8)


@every_family
@pytest.mark.parametrize("width", WIDTHS)
def test_effective_lr_and_weight_decay_agree(family, width):
    own = effective(*ours(family, width, WD))
    expected = effective(*oracle(family, width, WD))
    for name, role in ROLES[family].items():
        assert own[name][0] == pytest.approx(expected[name][0], rel=1e-12), name
        # microsoft/mup decays vectors as well; here, they are not decayed.
        expected_wd = 0.0 if role in ("vector", "scalar") else expected[name][1]
        assert own[name][1] == pytest.approx(expected_wd, rel=1e-12), name


def trained(pair):
    model, optimizer = pair
    for batch, t in batches(6):
        loss_of(model, batch, t).backward()
        optimizer.step()
        optimizer.zero_grad()
    return outputs(model, *next(batches(1)))[0].detach()


@every_family
def test_training_agrees_under_mup_and_not_under_sp(family):
    expected = trained(oracle(family, 4 * BASE, 0.0))
    own = trained(ours(family, 4 * BASE, 0.0))
    torch.testing.assert_close(own, expected, rtol=1e-5, atol=1e-6)
    assert (trained(ours(family, 4 * BASE, 0.0, arm="sp")) - expected).abs().max() > 0.01


@every_family
def test_at_base_width_both_arms_are_the_unchanged_model_bit_for_bit(family):
    untouched = seeded(builder(family), BASE)
    pairs = {arm: ours(family, BASE, WD, arm=arm) for arm in ("mup", "sp")}
    for model, _ in pairs.values():
        for own, other in zip(model.parameters(), untouched.double().parameters(), strict=True):
            assert torch.equal(own, other)
    mup_output, sp_output = (trained(pair) for pair in pairs.values())
    assert torch.equal(mup_output, sp_output)
    mup_output, sp_output = (trained(ours(family, 2 * BASE, WD, arm=arm)) for arm in ("mup", "sp"))
    assert not torch.equal(mup_output, sp_output)
