"""Parameter groups: what goes into the optimizer, through every wrapper."""

import copy
import json

import pytest
import torch
from torch import nn

from mutransfer.proxies import mup
from tests.proxies.mup.small_dit import ROLES, build, build_plain, plan

CLOSE = {"rtol": 1e-5, "atol": 0.0}


class Wrapped(nn.Module):
    """What DistributedDataParallel does to names."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module


def compiled(module: nn.Module) -> nn.Module:
    """What torch.compile does to names, without the compiler."""
    return torch.compile(module, backend="eager")


def initialized(width=64, **options):
    model, a_plan = build(width), plan(width, **options)
    mup.init_(model, a_plan)
    return model, a_plan


def described(groups):
    return [{key: value for key, value in g.items() if key != "params"} for g in groups]


def test_groups_hold_every_parameter_once_with_its_own_values():
    model, a_plan = initialized()
    groups = mup.param_groups(model, a_plan, lr=0.1, weight_decay=0.2, eps=1e-9)
    assert sorted(name for group in groups for name in group["param_names"]) == sorted(ROLES)
    parameters = dict(model.named_parameters())
    for group in groups:
        for name, parameter in zip(group["param_names"], group["params"], strict=True):
            row = a_plan["params"][name]
            assert parameter is parameters[name]
            assert group["lr"] == 0.1 * row["lr_mult"]
            assert group["weight_decay"] == (0.2 * row["wd_mult"] if row["decay"] else 0)
            assert group["eps"] == 1e-9 * row["eps_mult"]
    assert {group["name"] for group in groups} == {"input", "output", "vector", "scalar", "hidden"}


def test_tensors_of_equal_role_and_multipliers_share_a_group_at_base_width_too():
    names = []
    for width in (16, 64):
        model, a_plan = initialized(width)
        groups = mup.param_groups(model, a_plan, lr=0.1)
        names.append({group["name"]: group["param_names"] for group in groups})
        assert len(names[-1]) == len(groups)
    assert names[0] == names[1]  # code that picks groups by name picks the same at every width


def test_adamw_takes_the_groups_and_keeps_their_keys():
    model, a_plan = initialized()
    optimizer = torch.optim.AdamW(mup.param_groups(model, a_plan, lr=0.1))
    for group in optimizer.param_groups:
        assert {"name", "lr_mult", "grad_mult", "param_names"} <= group.keys()
    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5)
    del scheduler
    for group in optimizer.param_groups:
        assert group["lr"] == 0.05 * group["lr_mult"]


@pytest.mark.parametrize(
    "wrap",
    [
        copy.deepcopy,
        Wrapped,
        compiled,
        lambda model: Wrapped(compiled(model)),
        lambda model: compiled(Wrapped(model)),
    ],
    ids=["deepcopy", "DDP", "compile", "DDP of compile", "compile of DDP"],
)
def test_wrappers_change_nothing(wrap):
    model, a_plan = initialized()
    read_back = json.loads(json.dumps(a_plan))
    expected = described(mup.param_groups(model, a_plan, lr=0.1))
    assert described(mup.param_groups(wrap(model), read_back, lr=0.1)) == expected


def test_blocks_compiled_one_by_one_change_nothing():
    model, a_plan = initialized()
    expected = described(mup.param_groups(model, a_plan, lr=0.1))
    model.blocks[0] = compiled(model.blocks[0])
    assert "blocks.0._orig_mod.attn.qkv.weight" in dict(model.named_parameters())
    assert described(mup.param_groups(model, a_plan, lr=0.1)) == expected


def test_a_wrapped_model_is_initialized_like_a_bare_one():
    torch.manual_seed(0)
    model = build(64)
    wrapped = Wrapped(compiled(copy.deepcopy(model)))
    a_plan = plan(64)
    mup.init_(model, a_plan)
    mup.init_(wrapped, a_plan)
    for own, other in zip(model.parameters(), wrapped.parameters(), strict=True):
        assert torch.equal(own, other)


def test_copies_of_a_model_keep_the_readout_multiplier():
    model, _ = initialized()
    assert copy.deepcopy(model).final.readout.input_mult == 1 / 4


def test_parameters_and_plan_must_match_both_ways():
    model, a_plan = initialized()
    model.extra = nn.Linear(2, 2)
    with pytest.raises(mup.PlanError, match=r"extra\.weight"):
        mup.param_groups(model, a_plan, lr=0.1)
    for parameter in model.extra.parameters():
        parameter.requires_grad_(False)
    mup.param_groups(model, a_plan, lr=0.1)
    del model.label_table
    with pytest.raises(mup.PlanError, match=r"label_table\.weight"):
        mup.param_groups(model, a_plan, lr=0.1)


def test_frozen_parameters_are_left_out():
    model, a_plan = initialized()
    model.label_table.weight.requires_grad_(False)
    names = [n for g in mup.param_groups(model, a_plan, lr=0.1) for n in g["param_names"]]
    assert set(ROLES) - set(names) == {"label_table.weight"}


def test_a_readout_without_its_multiplier_is_refused():
    with pytest.raises(mup.PlanError, match="init_"):
        mup.param_groups(build(64), plan(64), lr=0.1)


def with_gradients(builder, a_plan):
    torch.manual_seed(0)
    model = builder(64)
    mup.init_(model, a_plan)
    model(
        torch.randn(4, 1, 8, 8), torch.rand(4), {"label": torch.arange(4)}
    ).square().mean().backward()
    return model, mup.param_groups(model, a_plan, lr=0.1)


def test_the_norm_divides_by_grad_mult_and_clipping_scales_all_alike():
    model, groups = with_gradients(build_plain, plan(64, build_plain))
    gradients = {name: p.grad.clone() for name, p in model.named_parameters()}
    readout = gradients.pop("final.readout.weight")
    squares = sum(g.double().square().sum() for g in gradients.values())
    expected = (squares + (readout.double() / 4).square().sum()).sqrt()
    torch.testing.assert_close(mup.grad_norm(groups).item(), expected.item(), **CLOSE)
    limit = expected.item() / 3
    before = mup.clip_grad_norm_(groups, limit)
    torch.testing.assert_close(before.item(), expected.item(), **CLOSE)
    torch.testing.assert_close(mup.grad_norm(groups).item(), limit, rtol=1e-4, atol=0)
    torch.testing.assert_close(model.final.readout.weight.grad, readout / 3, rtol=1e-4, atol=1e-9)


def test_a_norm_below_the_limit_is_left_alone():
    model, groups = with_gradients(build, plan(64))
    before = [p.grad.clone() for p in model.parameters()]
    mup.clip_grad_norm_(groups, 1e6)
    for parameter, gradient in zip(model.parameters(), before, strict=True):
        assert torch.equal(parameter.grad, gradient)


def test_without_gradients_the_norm_is_zero():
    model, a_plan = initialized()
    assert mup.grad_norm(mup.param_groups(model, a_plan, lr=0.1)) == 0
