"""Names of parameters without wrappers, and tensors that several modules share."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mutransfer.proxies import mup
from mutransfer.proxies.checks import coordcheck, invariants
from mutransfer.proxies.mup.parameters import plain_name


class Tied(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(10, width)
        self.head = nn.Linear(width, 10, bias=False)
        self.head.weight = self.table.weight


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


def test_a_tensor_tied_across_different_uses_is_an_error_that_says_how_to_tie_it():
    with pytest.raises(mup.PlanError, match=r"table\.weight.*head\.weight.*mup\.Readout and tie"):
        mup.plan(Tied, base_width=8, width=16)
    plan = mup.plan(Tied, base_width=8, width=16, roles={"table.weight": "input"})
    assert plan["params"]["table.weight"]["role"] == "input"


class TiedReadout(nn.Module):
    """A language model whose readout is its table."""

    def __init__(self, width: int, *, is_reversed: bool = False) -> None:
        super().__init__()
        if is_reversed:
            self.head = mup.Readout(width, 12, bias=False)
        self.table = nn.Embedding(12, width)
        self.inner = nn.Linear(width, width)
        if not is_reversed:
            self.head = mup.Readout(width, 12, bias=False)
        self.head.weight = self.table.weight

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.table(tokens)
        return self.head(F.layer_norm(x + F.relu(self.inner(x)), x.shape[-1:]))


@pytest.mark.parametrize("is_reversed", [False, True])
def test_a_table_that_a_readout_shares_trains_as_an_input_under_the_readouts_multiplier(
    is_reversed,
):
    def build(width: int) -> nn.Module:
        return TiedReadout(width, is_reversed=is_reversed)

    plan = mup.plan(build, base_width=8, width=32, output_mult=2.0)
    name = "head.weight" if is_reversed else "table.weight"
    assert len(plan["params"]) == 3
    row = plan["params"][name]
    assert (row["role"], row["lr_mult"], row["wd_mult"], row["input_mult"]) == ("input", 1, 1, 0.5)
    assert (row["fan_in"], row["init_std"]) == (12, row["own_std"])
    model = build(32)
    untouched = model.table.weight.clone()
    with pytest.raises(mup.PlanError, match=f"{name}: the plan's multiplier is 0.5; got 1.0"):
        mup.param_groups(model, plan, lr=0.1)
    mup.init_(model, plan)
    assert torch.equal(model.table.weight, untouched) and model.head.input_mult == 0.5
    assert len(mup.param_groups(model, plan, lr=0.1)) == 3
    x = torch.randn(2, 32)
    torch.testing.assert_close(model.head(x), 0.5 * x @ untouched.T)


def test_two_readouts_that_share_a_weight_both_get_the_multiplier():
    def build(width: int) -> nn.Module:
        model = nn.ModuleList(mup.Readout(width, 3) for _ in range(2))
        model[1].weight = model[0].weight
        return model

    plan, model = mup.plan(build, base_width=8, width=32), build(32)
    mup.init_(model, plan)
    assert [head.input_mult for head in model] == [0.25, 0.25]
    assert plan["params"]["0.weight"]["role"] == "output"


def started_with(multiplies: bool):
    def start(arm, width, seed, lr):
        plan = mup.plan(TiedReadout, base_width=32, width=width)
        torch.manual_seed(seed)
        model = TiedReadout(width)
        mup.init_(model, plan)
        optimizer = torch.optim.AdamW(mup.param_groups(model, plan, lr=lr))
        if not multiplies:
            model.head.input_mult = 1.0
        tokens = torch.arange(12)[None]
        return coordcheck.CheckRun(
            model=model,
            optimizer=optimizer,
            plan=plan,
            take_step=lambda: None,
            probe=lambda: model(tokens),
        )

    return start


def test_the_invariants_see_a_tied_readout_without_its_multiplier():
    def broken(multiplies: bool) -> list[str]:
        start = started_with(multiplies)
        laws = invariants.broken_laws(start, base_width=32, width=256, lr=0.01)
        return [f"{law.name}: {law.cause}" for law in laws]

    assert broken(True) == []
    assert broken(False) == ["table.weight: a readout without multiplier 1/m or LR/m"]


def test_a_plain_name_has_no_part_of_a_wrapper():
    for name in ("module._orig_mod.blocks.0.fc.weight", "blocks._orig_mod.0.module.fc.weight"):
        assert plain_name(name) == "blocks.0.fc.weight"
    assert plain_name("modules.0.weight") == "modules.0.weight"
