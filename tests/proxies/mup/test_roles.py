"""The role of every tensor, inferred from shapes at several widths, against lists by hand."""

import dataclasses

import pytest
import torch
from torch import nn

from mutransfer.proxies import mup
from tests.proxies.family_cases import BASE, FAMILIES, MODELS, ROLES, builder
from tests.proxies.mup.small_dit import ROLES as DIT_ROLES
from tests.proxies.mup.small_dit import plan
from tests.proxies.mup.torch_layers import ROLES as LAYER_ROLES
from tests.proxies.mup.torch_layers import WIDE, Layers


def rows(family, **changes):
    plan = mup.plan(builder(family, **changes), base_width=BASE, width=4 * BASE)
    return plan["params"]


def test_roles_of_a_dit_are_those_written_by_hand():
    assert {name: row["role"] for name, row in plan(32)["params"].items()} == DIT_ROLES


def test_roles_of_torch_layers_are_those_written_by_hand():
    rows = mup.plan(Layers, base_width=WIDE, width=WIDE)["params"]
    assert {name: row["role"] for name, row in rows.items()} == LAYER_ROLES


@pytest.mark.parametrize("family", FAMILIES)
def test_roles_of_a_family_are_those_written_by_hand(family):
    assert {name: row["role"] for name, row in rows(family).items()} == ROLES[family]


@pytest.mark.parametrize("family", FAMILIES)
def test_no_module_of_a_family_needs_to_be_measured(family, monkeypatch):
    monkeypatch.setattr(
        "mutransfer.proxies.mup.roles.own_inits", lambda *_: pytest.fail("measured")
    )
    assert len(rows(family)) == len(ROLES[family])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_lists_are_of_models_with_every_tensor(family):
    """A tensor in no list would escape the tests: other options only remove tensors."""
    flags = [
        f.name for f in dataclasses.fields(MODELS[family]) if f.type == "bool" or f.type is bool
    ]
    for flag in flags:
        changes = {flag: not getattr(MODELS[family], flag)}
        assert rows(family, **changes).keys() <= ROLES[family].keys()


def test_fan_in_is_what_the_layer_sums_over():
    rows = mup.plan(Layers, base_width=WIDE, width=128)["params"]
    fan_ins = {name: rows[name]["fan_in"] for name in ("stem.weight", "table.weight", "up.weight")}
    assert fan_ins == {"stem.weight": 3 * 16, "table.weight": 50, "up.weight": 128 * 4}
    assert rows["inner.weight"]["fan_in"] == 128
    assert rows["depthwise.weight"]["fan_in"] == 9


class Raw(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.mixer = nn.Parameter(torch.randn(width, width))


class Deeper(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(width // 4))


@pytest.mark.parametrize(("builder", "text"), [(Raw, "mixer"), (Deeper, r"layers\.")])
def test_a_tensor_without_a_role_is_an_error_that_names_it(builder, text):
    with pytest.raises(mup.PlanError, match=text):
        mup.plan(builder, base_width=8, width=16)


class LateGrowth(nn.Module):
    """A matrix whose input is cut off below a width of 24."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.head = nn.Linear(max(width, 24), 3)


def test_a_dimension_that_grows_only_beyond_twice_the_base_width_is_refused():
    with pytest.raises(mup.PlanError, match=r"head\.weight: a dimension grows at every width"):
        mup.plan(LateGrowth, base_width=8, width=32)
    assert (
        mup.plan(LateGrowth, base_width=24, width=32)["params"]["head.weight"]["role"] == "output"
    )


class ReadsValues(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        rates = [rate.item() for rate in torch.linspace(0, 0.1, 3)]
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in rates)


class Lazy(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.LazyLinear(width), nn.Linear(width, width)


class Broken(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        raise RuntimeError("a fault of the module's own")


@pytest.mark.parametrize(
    ("builder", "error", "text"),
    [
        (ReadsValues, mup.PlanError, r"build\(8\) is called on the meta device.*\.item\(\)"),
        (Lazy, mup.PlanError, r"lazy modules.*first\.weight, first\.bias.*nn\.Linear instead"),
        (Broken, RuntimeError, "of the module's own"),
    ],
)
def test_a_constructor_that_needs_values_or_has_no_shapes_is_refused_in_our_words(
    builder, error, text
):
    with pytest.raises(error, match=text):
        mup.plan(builder, base_width=8, width=16)
