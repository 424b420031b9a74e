"""Names of parameters without wrappers, and tensors that several modules share."""

import pytest
from torch import nn

from mutransfer.proxies import mup
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


def test_a_tensor_tied_across_different_uses_is_an_error_unless_its_role_is_declared():
    with pytest.raises(mup.PlanError, match=r"head\.weight"):
        mup.plan(Tied, base_width=8, width=16)
    plan = mup.plan(Tied, base_width=8, width=16, roles={"table.weight": "input"})
    assert plan["params"]["table.weight"]["role"] == "input"


def test_a_plain_name_has_no_part_of_a_wrapper():
    for name in ("module._orig_mod.blocks.0.fc.weight", "blocks._orig_mod.0.module.fc.weight"):
        assert plain_name(name) == "blocks.0.fc.weight"
    assert plain_name("modules.0.weight") == "modules.0.weight"
