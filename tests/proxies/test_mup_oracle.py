"""The plan against microsoft/mup, on the DiT: init, output, effective LR and WD, training."""

import warnings

import pytest
import torch
from torch import nn

from proxies import mup
from tests.proxies.test_mup import ROLES, batches, build, seeded

with warnings.catch_warnings():
    # Its plotting part imports seaborn and pandas in deprecated ways.
    warnings.simplefilter("ignore")
    import mup as microsoft

LR, WD = 0.01, 0.1


def build_oracle(width: int) -> nn.Module:
    model = build(width)
    old = model.final.readout
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.final.readout = microsoft.MuReadout(old.in_features, old.out_features)
    model.final.readout.weight, model.final.readout.bias = old.weight, old.bias
    return model


def oracle(width: int, weight_decay: float):
    model = seeded(build_oracle, width)
    microsoft.set_base_shapes(model, seeded(build_oracle, 16), delta=seeded(build_oracle, 32))
    model.double()
    optimizer = microsoft.MuAdamW(
        list(model.parameters()), lr=LR, weight_decay=weight_decay, eps=1e-12
    )
    return model, optimizer


def ours(width: int, weight_decay: float, **options):
    model = seeded(build, width)
    plan = mup.plan(build, base_width=16, width=width, **options)
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


@pytest.mark.parametrize("width", [16, 32, 128])
def test_init_and_output_agree(width):
    model, other = ours(width, WD)[0], oracle(width, WD)[0]
    for own, theirs in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(own, theirs, rtol=1e-6, atol=0)
    inputs = next(batches(1))
    torch.testing.assert_close(model(*inputs), other(*inputs), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("width", [16, 32, 128])
def test_effective_lr_and_weight_decay_agree(width):
    found, expected = effective(*ours(width, WD)), effective(*oracle(width, WD))
    for name, role in ROLES.items():
        assert found[name][0] == pytest.approx(expected[name][0], rel=1e-12), name
        # microsoft/mup decays vectors as well; here, they are not decayed.
        wanted = 0.0 if role in ("vector", "scalar") else expected[name][1]
        assert found[name][1] == pytest.approx(wanted, rel=1e-12), name


def trained(made):
    model, optimizer = made
    for image, time, condition in batches(6):
        torch.square(model(image, time, condition) - image).mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return model(*next(batches(1))).detach()


def test_training_agrees_under_mup_and_not_under_sp():
    expected = trained(oracle(64, 0.0))
    torch.testing.assert_close(trained(ours(64, 0.0)), expected, rtol=1e-5, atol=1e-6)
    assert (trained(ours(64, 0.0, arm="sp")) - expected).abs().max() > 0.01
