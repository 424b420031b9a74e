"""Laws of the plan on the DiT, whose modules declare their std."""

import copy
import json
import math

import pytest
import torch
from torch import nn

from mutransfer.proxies import models, mup
from mutransfer.proxies.batch import DataInfo
from mutransfer.proxies.config.model import DiTConfig

MODEL = DiTConfig(depth=2, head_dim=8, base_width=16, patch_size=4, zero_readout=False)
INFO = DataInfo(shape=(1, 8, 8), n_classes=10)

ROLES = {
    "patch_embed.weight": "input",
    "patch_embed.bias": "vector",
    "time_embed.fc1.weight": "input",
    "time_embed.fc1.bias": "vector",
    "time_embed.fc2.weight": "hidden",
    "time_embed.fc2.bias": "vector",
    "label_table.weight": "input",
    **{
        f"blocks.{block}.{layer}.{kind}": "hidden" if kind == "weight" else "vector"
        for block in (0, 1)
        for layer in ("modulation", "attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
        for kind in ("weight", "bias")
    },
    "final.modulation.weight": "hidden",
    "final.modulation.bias": "vector",
    "final.readout.weight": "output",
    "final.readout.bias": "scalar",
}


def build(width: int) -> nn.Module:
    return models.build(MODEL, width, INFO)


def build_plain(width: int) -> nn.Module:
    """The same model with an ordinary Linear for its readout, of the same weights."""
    model = build(width)
    old = model.final.readout
    model.final.readout = nn.Linear(old.in_features, old.out_features)
    model.final.readout.weight, model.final.readout.bias = old.weight, old.bias
    model.final.readout.param_std = old.param_std
    return model


def seeded(builder, width: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return builder(width)


def plan(width, builder=build, **options):
    return mup.plan(builder, base_width=16, width=width, **options)


def test_roles_are_those_written_by_hand():
    rows = plan(32)["params"]
    assert {name: row["role"] for name, row in rows.items()} == ROLES


def test_a_plan_is_plain_data_and_survives_json():
    made = plan(64, output_mult=2.0, init_std=0.5)
    assert json.loads(json.dumps(made)) == made
    assert (made["format"], made["arm"], made["width_mult"]) == (1, "mup", 4.0)


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
        n for n, role in ROLES.items() if role not in ("vector", "scalar")
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


@pytest.mark.parametrize("arm", ["mup", "sp"])
def test_at_base_width_nothing_changes_bit_for_bit(arm):
    untouched, model = seeded(build, 16), seeded(build, 16)
    mup.init_(model, plan(16, arm=arm))
    for own, other in zip(model.parameters(), untouched.parameters(), strict=True):
        assert torch.equal(own, other)
    assert model.final.readout.input_mult == 1.0


def test_away_from_base_width_the_readout_alone_is_rescaled():
    untouched, model = seeded(build, 64), seeded(build, 64)
    mup.init_(model, plan(64))
    pairs = zip(model.named_parameters(), untouched.parameters(), strict=True)
    changed = [name for (name, own), other in pairs if not torch.equal(own, other)]
    assert changed == ["final.readout.weight"]
    ratio = model.final.readout.weight / untouched.final.readout.weight
    torch.testing.assert_close(ratio, torch.full_like(ratio, 2.0))


def test_init_hps_scale_their_roles_and_no_constants():
    options = {"init_std": 2.0, "init_std_hidden": 3.0, "init_std_input": 5.0}
    untouched, model = seeded(build, 16), seeded(build, 16)
    mup.init_(model, plan(16, **options, init_std_vector=7.0))
    factors = {"hidden": 6.0, "input": 10.0, "output": 1.0, "vector": 1.0, "scalar": 1.0}
    for (name, own), other in zip(model.named_parameters(), untouched.parameters(), strict=True):
        torch.testing.assert_close(own, other * factors[ROLES[name]])


def test_initializing_twice_is_an_error_and_not_a_second_scaling():
    model = build(64)
    mup.init_(model, plan(64))
    with pytest.raises(mup.PlanError, match="once"):
        mup.init_(copy.deepcopy(model), plan(64))


def test_a_plan_of_another_width_or_model_is_refused():
    with pytest.raises(mup.PlanError, match=r"patch_embed\.weight.*\[32, 16\]"):
        mup.init_(build(64), plan(32))
    with pytest.raises(mup.PlanError, match="label_table"):
        mup.init_(nn.Linear(2, 2), plan(32))


def batches(n):
    rng = torch.Generator().manual_seed(1)
    for _ in range(n):
        image = torch.randn(8, 1, 8, 8, generator=rng, dtype=torch.float64)
        time = torch.rand(8, generator=rng, dtype=torch.float64) * 1000
        yield image, time, {"label": torch.randint(11, (8,), generator=rng)}


def losses(builder, width, *, clip=mup.clip_grad_norm_, changes=None, steps=12, **options):
    """Losses of a few AdamW steps with weight decay, a large ε and clipping at every step."""
    made = plan(width, builder, output_mult=2.0, **options)
    made["params"]["final.readout.weight"].update(changes or {})
    model = seeded(builder, width)
    mup.init_(model, made)
    model.double()
    groups = mup.param_groups(model, made, lr=0.01, weight_decay=0.5, eps=1e-3)
    optimizer = torch.optim.AdamW(groups)
    found = []
    for image, time, condition in batches(steps):
        loss = torch.square(model(image, time, condition) - image).mean()
        loss.backward()
        assert clip(optimizer.param_groups, 0.05) > 0.05, "clipping is active"
        optimizer.step()
        optimizer.zero_grad()
        found.append(loss.item())
    return torch.tensor(found, dtype=torch.float64)


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


def test_forms_and_arms_are_one_at_base_width():
    options = {"steps": 4}
    assert torch.equal(losses(build, 16, **options), losses(build, 16, arm="sp", **options))
    assert not torch.equal(losses(build, 32, **options), losses(build, 32, arm="sp", **options))


def test_table_has_a_row_for_people_per_parameter():
    rows = mup.table(plan(64))
    assert [row["name"] for row in rows] == list(ROLES)
    assert rows[0]["role"] == "input" and rows[0]["lr_mult"] == 1.0
