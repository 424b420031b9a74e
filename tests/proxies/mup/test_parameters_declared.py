"""Roles that the user declares by patterns of parameter names."""

import pytest
import torch
from torch import nn

from mutransfer.proxies import mup
from mutransfer.proxies.errors import ConfigError
from mutransfer.proxies.mup.parameters import declarations

NAMES = ("mixer", "head.weight", "head.bias")


def test_the_last_pattern_that_matches_counts():
    declared = {"*": "vector", "head.*": "scalar", "head.w*": "hidden@1"}
    assert declarations(declared, NAMES) == {
        "mixer": ("vector", None, False),
        "head.weight": ("hidden", 1, False),
        "head.bias": ("scalar", None, False),
    }


def test_an_own_init_is_declared_beside_the_role():
    declared = {"mixer": "output@0, own init", "head.weight": "hidden,own init"}
    assert declarations(declared, NAMES) == {
        "mixer": ("output", 0, True),
        "head.weight": ("hidden", None, True),
    }


@pytest.mark.parametrize(
    ("declared", "text"),
    [
        ({"mixers": "hidden"}, "a pattern matches some parameter; got none"),
        ({"mixer": "hiden"}, "one of input, hidden, .*got hiden"),
        ({"mixer": "hidden@x"}, "got hidden@x"),
        ({"mixer": "hidden, no init"}, "got hidden, no init"),
        ({"mixers": "hidden", "mixer": "hiden"}, "got none(.|\n)*got hiden"),
    ],
)
def test_a_pattern_without_a_match_or_with_an_unknown_role_is_refused(declared, text):
    with pytest.raises(ConfigError, match=text):
        declarations(declared, NAMES)


class Raw(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.mixer = nn.Parameter(torch.randn(width, 3 * width))


def test_the_declared_axis_is_the_one_that_is_summed_over_by_default_the_last():
    for role, fan_in in (("hidden", 48), ("hidden@1", 48), ("hidden@0", 16)):
        plan = mup.plan(Raw, base_width=8, width=16, roles={"mixer": role})
        row = plan["params"]["mixer"]
        assert (row["role"], row["fan_in"], row["lr_mult"]) == ("hidden", fan_in, 0.5)
