"""Roles that shapes tell, and those that they do not: listed at once, as a block to fill in."""

import pytest
import torch
from ruamel.yaml import YAML
from torch import nn

from mutransfer.proxies import mup
from mutransfer.proxies.errors import ConfigError

BASE, WIDTH = 8, 32


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.router = nn.Parameter(torch.randn(4, width))  # F.linear(x, router)
        self.experts = nn.Parameter(torch.randn(4, width, 2 * width))  # x @ experts[e]
        self.fc = nn.Linear(width, width)


class Raw(nn.Module):
    """Parameters that a module uses by itself; their shapes do not say how."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width) for _ in range(2))
        self.head = nn.Parameter(torch.randn(5, width))  # a functional readout
        self.table = nn.Parameter(torch.randn(6, width))  # scale and shift
        self.stem = nn.Parameter(torch.randn(7, width))  # x @ stem
        self.gain = nn.Parameter(torch.ones(width, 1))  # of weight normalization


UNKNOWN = {
    "head": ("vector", "output@1", "input@0"),
    "table": ("vector", "output@1", "input@0"),
    "stem": ("vector", "output@1", "input@0"),
    "gain": ("vector", "output@0"),
    "blocks.*.router": ("vector", "output@1", "input@0"),
    "blocks.*.experts": ("hidden@1", "hidden@2"),
}
RIGHT = {
    "head": "output@1",
    "table": "vector",
    "stem": "input@0",
    "gain": "vector",
    "blocks.*.router": "output@1",
    "blocks.*.experts": "hidden@1",
}


def block_of(error: BaseException) -> dict[str, str]:
    return YAML(typ="safe").load("roles:" + str(error).partition("\nroles:")[2])["roles"]


def test_all_that_cannot_be_known_is_listed_at_once_as_a_block_of_yaml():
    with pytest.raises(mup.PlanError, match=r"\[5, 8\] → \[5, 16\] in a Raw") as caught:
        mup.plan(Raw, base_width=BASE, width=WIDTH)
    block = block_of(caught.value)
    assert {name: tuple(text.split(" | ")) for name, text in block.items()} == UNKNOWN
    with pytest.raises(ConfigError, match=r"one of input, hidden"):  # pasted without a choice
        mup.plan(Raw, base_width=BASE, width=WIDTH, roles=block)


def test_the_words_of_the_block_are_accepted_and_say_what_is_summed_over():
    rows = mup.plan(Raw, base_width=BASE, width=WIDTH, roles=RIGHT)["params"]
    by_role = {name: (row["role"], row["fan_in"], row["lr_mult"]) for name, row in rows.items()}
    assert by_role["head"] == ("output", 32, 1 / 4)
    assert by_role["table"] == ("vector", 1, 1) == by_role["gain"]
    assert by_role["stem"] == ("input", 7, 1)
    assert by_role["blocks.1.router"] == ("output", 32, 1 / 4)
    assert by_role["blocks.1.experts"] == ("hidden", 32, 1 / 4)
    other = RIGHT | {"blocks.*.experts": "hidden@2"}
    rows = mup.plan(Raw, base_width=BASE, width=WIDTH, roles=other)["params"]
    assert rows["blocks.0.experts"]["fan_in"] == 64


@pytest.mark.parametrize("name", UNKNOWN)
def test_every_word_of_the_block_is_accepted(name):
    for word in UNKNOWN[name]:
        rows = mup.plan(Raw, base_width=BASE, width=WIDTH, roles=RIGHT | {name: word})["params"]
        assert word.partition("@")[0] in {row["role"] for row in rows.values()}


@pytest.mark.parametrize(
    ("roles", "text"),
    [
        ({"blocks.*.experts": "hidden@0"}, r"blocks.1.experts: .*hidden@0.*hidden@1 or hidden@2"),
        ({"head": "hidden@0"}, r"head: .*grows.*declare hidden@1"),
        ({"table": "vector", "head": "output@2"}, r"head: an axis after @ is one of 0 to 1"),
    ],
)
def test_a_declared_role_that_does_not_fit_its_tensor_is_refused(roles, text):
    with pytest.raises(mup.PlanError, match=text):
        mup.plan(Raw, base_width=BASE, width=WIDTH, roles=RIGHT | roles)


class Broadcast(nn.Module):
    """What can only be added or a gain, and what its module says."""

    param_roles = {"said": "vector"}  # noqa: RUF012

    def __init__(self, width: int) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, 5, width))
        self.layer_scale = nn.Parameter(torch.ones(width, 1, 1))
        self.gain = nn.Parameter(torch.ones(width))
        self.said = nn.Parameter(torch.randn(6, width))


def test_what_broadcasts_over_a_stream_is_a_vector_and_a_module_may_say_it_itself():
    rows = mup.plan(Broadcast, base_width=BASE, width=WIDTH)["params"]
    assert {row["role"] for row in rows.values()} == {"vector"}
    assert mup.plan(Broadcast, base_width=BASE, width=WIDTH, roles={"said": "output@1"})
