"""The role of every tensor of every family, against lists written by hand."""

import dataclasses

import pytest

from mutransfer.proxies import mup
from tests.proxies.family_cases import BASE, FAMILIES, MODELS, ROLES, builder


def rows(family, width=4 * BASE, **options):
    changes = options.pop("changes", {})
    made = mup.plan(builder(family, **changes), base_width=BASE, width=width, **options)
    return made["params"]


@pytest.mark.parametrize("family", FAMILIES)
def test_roles_are_those_written_by_hand(family):
    assert {name: row["role"] for name, row in rows(family).items()} == ROLES[family]


@pytest.mark.parametrize("family", FAMILIES)
def test_no_module_of_a_family_needs_to_be_measured(family, monkeypatch):
    monkeypatch.setattr("mutransfer.proxies.mup.roles._measure", lambda *_: pytest.fail("measured"))
    assert len(rows(family)) == len(ROLES[family])


@pytest.mark.parametrize("family", FAMILIES)
def test_only_hidden_weights_have_a_scaled_lr_and_only_heads_a_multiplier(family):
    for name, row in rows(family).items():
        assert row["lr_mult"] == (0.25 if ROLES[family][name] == "hidden" else 1.0), name
        assert row["input_mult"] == (0.25 if ROLES[family][name] == "output" else 1.0), name
        assert row["decay"] == (ROLES[family][name] in ("input", "hidden", "output")), name


def test_a_long_skip_sums_over_twice_the_width_with_the_multiplier_of_the_width():
    row = rows("uvit")["second.0.skip.weight"]
    assert (row["fan_in"], row["lr_mult"]) == (8 * BASE, 0.25)
    assert row["init_std"] == pytest.approx((8 * BASE) ** -0.5)


@pytest.mark.parametrize("arm", ["mup", "sp"])
def test_vectors_that_are_drawn_keep_their_std_at_every_width(arm):
    for width in (BASE, 8 * BASE):
        assert rows("uvit", width, arm=arm)["pos_TD"]["init_std"] == 0.02
        assert rows("pixart", width, arm=arm)["blocks.1.table_6D"]["init_std"] == 0.02
        assert rows("pixart", width, arm=arm)["final.table_2D"]["init_std"] == 0.02
    assert rows("pixart", init_std_vector=3.0)["final.table_2D"]["init_std"] == pytest.approx(0.06)


def test_one_std_of_the_embedders_falls_in_hidden_matrices_alone():
    found = rows("pixart")
    for name in ("time_embed.fc1", "caption.fc1"):
        assert found[f"{name}.weight"]["init_std"] == 0.02
    for name in ("time_embed.fc2", "modulation", "caption.fc2"):
        assert found[f"{name}.weight"]["init_std"] == pytest.approx(0.01)
    free = rows("pixart", changes={"embedder_std": None})
    assert free["modulation.weight"]["init_std"] == pytest.approx((4 * BASE) ** -0.5)


def test_zeros_and_gains_stay_as_they_are_made():
    zero = {"adaln": "zero", "zero_readout": True}
    found = rows("mmdit", init_std=2.0, changes=zero)
    for name in ("blocks.0.caption.modulation.weight", "final.readout.weight"):
        assert found[name]["init_std"] is None
    for name in ("blocks.0.image.q_norm.weight", "blocks.1.caption.k_norm.weight"):
        assert (found[name]["init_std"], found[name]["init_mult"]) == (None, 1.0)
    zero = {"zero_cross_attention": True}
    assert rows("pixart", changes=zero)["blocks.0.cross.proj.weight"]["init_std"] is None


@pytest.mark.parametrize("family", FAMILIES)
def test_the_lists_are_of_models_with_every_tensor(family):
    """A role that no list has would escape the tests: options only take tensors away."""
    flags = [
        f.name for f in dataclasses.fields(MODELS[family]) if f.type == "bool" or f.type is bool
    ]
    for flag in flags:
        changes = {flag: not getattr(MODELS[family], flag)}
        assert rows(family, changes=changes).keys() <= ROLES[family].keys()
