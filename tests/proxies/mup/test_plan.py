"""Rows of a plan follow the table of rules, and both forms of the output rule train alike."""

import json
import math

import pytest
import torch

from mutransfer.proxies import mup
from tests.proxies.family_cases import BASE, FAMILIES, ROLES, builder
from tests.proxies.mup.small_dit import ROLES as DIT_ROLES
from tests.proxies.mup.small_dit import build, build_plain, plan, seeded


def test_a_plan_is_plain_data_and_survives_json():
    a_plan = plan(64, output_mult=2.0, init_std=0.5)
    assert json.loads(json.dumps(a_plan)) == a_plan
    assert (a_plan["format"], a_plan["arm"], a_plan["width_mult"]) == (1, "mup", 4.0)


def test_rows_follow_table_8_and_the_weight_decay_rule():
    rows = plan(64, output_mult=2.0)["params"]
    mults = ("lr_mult", "wd_mult", "eps_mult", "grad_mult", "input_mult")

    def of(name):
        return tuple(rows[name][mult] for mult in mults)

    assert of("blocks.0.attn.qkv.weight") == (1 / 4, 4, 1, 1, 1)
    assert of("patch_embed.weight") == (1, 1, 1, 1, 1)
    assert of("final.readout.weight") == (1, 1, 1, 1, 2 / 4)
    assert of("final.readout.bias") == (1, 1, 1, 1, 1)
    assert rows["blocks.0.attn.qkv.weight"]["init_std"] == pytest.approx(1 / math.sqrt(64))
    assert rows["final.readout.weight"]["init_std"] == 1 / math.sqrt(16)
    assert rows["label_table.weight"]["init_std"] == 1.0
    assert [n for n, row in rows.items() if row["decay"]] == [
        n for n, role in DIT_ROLES.items() if role not in ("vector", "scalar")
    ]


def test_a_plain_readout_follows_the_form_without_multiplier():
    row = plan(64, build_plain, output_mult=2.0)["params"]["final.readout.weight"]
    assert row["init_std"] == 1 / math.sqrt(16) * 2 / 4
    assert (row["lr_mult"], row["wd_mult"], row["eps_mult"]) == (0.5, 2, 2)
    assert (row["grad_mult"], row["input_mult"]) == (2, 1)


def test_sp_changes_only_what_a_practitioner_would():
    rows = plan(64, arm="sp", output_mult=2.0)["params"]
    for row in rows.values():
        assert (row["lr_mult"], row["wd_mult"], row["eps_mult"]) == (1, 1, 1)
    assert rows["final.readout.weight"]["init_std"] == 1 / math.sqrt(64)
    assert rows["final.readout.weight"]["input_mult"] == 2.0


def test_scaled_eps_falls_with_width_under_mup_alone():
    def eps_mults(**options):
        return {row["eps_mult"] for row in plan(64, scale_eps=True, **options)["params"].values()}

    assert eps_mults() == {1 / 4}
    assert eps_mults(arm="sp") == {1}
    plain = plan(64, build_plain, scale_eps=True)["params"]["final.readout.weight"]
    assert plain["eps_mult"] == 1, "4 for its form, 1/4 for its width"


def rows(family, width=4 * BASE, **options):
    changes = options.pop("changes", {})
    a_plan = mup.plan(builder(family, **changes), base_width=BASE, width=width, **options)
    return a_plan["params"]


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
    of_pixart = rows("pixart")
    for name in ("time_embed.fc1", "caption.fc1"):
        assert of_pixart[f"{name}.weight"]["init_std"] == 0.02
    for name in ("time_embed.fc2", "modulation", "caption.fc2"):
        assert of_pixart[f"{name}.weight"]["init_std"] == pytest.approx(0.01)
    free = rows("pixart", changes={"embedder_std": None})
    assert free["modulation.weight"]["init_std"] == pytest.approx((4 * BASE) ** -0.5)


def test_zeros_and_gains_stay_as_they_are_made():
    zero = {"adaln": "zero", "zero_readout": True}
    of_mmdit = rows("mmdit", init_std=2.0, changes=zero)
    for name in ("blocks.0.caption.modulation.weight", "final.readout.weight"):
        assert of_mmdit[name]["init_std"] is None
    for name in ("blocks.0.image.q_norm.weight", "blocks.1.caption.k_norm.weight"):
        assert (of_mmdit[name]["init_std"], of_mmdit[name]["init_mult"]) == (None, 1.0)
    zero = {"zero_cross_attention": True}
    assert rows("pixart", changes=zero)["blocks.0.cross.proj.weight"]["init_std"] is None


def batches(n):
    rng = torch.Generator().manual_seed(1)
    for _ in range(n):
        image = torch.randn(8, 1, 8, 8, generator=rng, dtype=torch.float64)
        time = torch.rand(8, generator=rng, dtype=torch.float64) * 1000
        yield image, time, {"label": torch.randint(11, (8,), generator=rng)}


def losses(builder, width, *, clip=mup.clip_grad_norm_, changes=None, steps=12, **options):
    """Losses of a few AdamW steps with weight decay, a large ε and clipping at every step."""
    a_plan = plan(width, builder, output_mult=2.0, **options)
    a_plan["params"]["final.readout.weight"].update(changes or {})
    model = seeded(builder, width)
    mup.init_(model, a_plan)
    model.double()
    groups = mup.param_groups(model, a_plan, lr=0.01, weight_decay=0.5, eps=1e-3)
    optimizer = torch.optim.AdamW(groups)
    values = []
    for image, time, condition in batches(steps):
        loss = torch.square(model(image, time, condition) - image).mean()
        loss.backward()
        assert clip(optimizer.param_groups, 0.05) > 0.05, "clipping is active"
        optimizer.step()
        optimizer.zero_grad()
        values.append(loss.item())
    return torch.tensor(values, dtype=torch.float64)


def plain_clip(groups, max_norm):
    parameters = [p for group in groups for p in group["params"]]
    return torch.nn.utils.clip_grad_norm_(parameters, max_norm)


def test_both_forms_of_the_output_rule_train_alike():
    torch.testing.assert_close(losses(build, 64), losses(build_plain, 64), rtol=1e-9, atol=0)


@pytest.mark.parametrize(
    "change",
    [
        {"clip": plain_clip},
        {"changes": {"eps_mult": 1.0}},
        {"changes": {"wd_mult": 1.0}},
        {"changes": {"lr_mult": 1.0}},
    ],
    ids=["torch's clip", "eps", "weight decay", "lr"],
)
def test_the_forms_differ_when_one_part_of_the_rule_is_left_out(change):
    gap = (losses(build, 64) - losses(build_plain, 64, **change)).abs().max()
    assert gap > 1e-5


def test_forms_and_arms_are_equal_at_base_width():
    options = {"steps": 4}
    assert torch.equal(losses(build, 16, **options), losses(build, 16, arm="sp", **options))
    assert not torch.equal(losses(build, 32, **options), losses(build, 32, arm="sp", **options))


def test_the_table_has_a_row_per_parameter():
    rows = mup.table(plan(64))
    assert [row["name"] for row in rows] == list(DIT_ROLES)
    assert rows[0]["role"] == "input" and rows[0]["lr_mult"] == 1.0
