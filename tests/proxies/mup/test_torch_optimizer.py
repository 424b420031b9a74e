"""The optimizer of a plan in one call; Muon with AdamW as one optimizer."""

import copy

import pytest
import torch

from mutransfer.proxies import mup
from tests.proxies.mup.small_dit import ROLES, build, plan

NAMES = ("adamw", "adam", "lion", "sgd", "muon")


def made(name, width=64, seed=0, **options):
    torch.manual_seed(seed)
    a_plan = plan(width, optimizer=name)
    model = build(width)
    mup.init_(model, a_plan)
    return model, mup.optimizer(model, a_plan, lr=2**-6, **options)


def step(model, optimizer, seed=0):
    rng = torch.Generator().manual_seed(seed)
    x, t = torch.randn(4, 1, 8, 8, generator=rng), torch.rand(4, generator=rng)
    (model(x, t, {"label": torch.arange(4)}) - x).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()


@pytest.mark.parametrize("name", NAMES)
def test_each_optimizer_trains_every_tensor_by_its_plan(name):
    model, optimizer = made(name)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    names = [n for group in optimizer.param_groups for n in group["param_names"]]
    assert sorted(names) == sorted(ROLES)
    for _ in range(3):
        step(model, optimizer)
    mup.check_lrs(optimizer, plan(64, optimizer=name))
    still = [n for n, p in model.named_parameters() if torch.equal(p, before[n])]
    assert still == []


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_optimizer_goes_on_bit_for_bit(name):
    model, optimizer = made(name)
    step(model, optimizer)
    weights, state = copy.deepcopy(model.state_dict()), copy.deepcopy(optimizer.state_dict())
    step(model, optimizer, seed=1)
    again, other = made(name, seed=5)
    again.load_state_dict(weights)
    other.load_state_dict(state)
    step(again, other, seed=1)
    for own, resumed in zip(model.parameters(), again.parameters(), strict=True):
        assert torch.equal(own, resumed)
    fresh, new = made(name, seed=5)
    fresh.load_state_dict(weights)
    step(fresh, new, seed=1)  # the control: without the state it goes on otherwise
    stateless = name == "lion"  # the sign of the first momentum is that of the gradient
    pairs = zip(model.parameters(), fresh.parameters(), strict=True)
    assert stateless or not all(torch.equal(a, b) for a, b in pairs)


def test_muon_trains_hidden_matrices_as_torch_does_and_adamw_the_rest():
    model, optimizer = made("muon", weight_decay=0.1, adamw_lr=2**-9, adamw_weight_decay=0.0)
    other = copy.deepcopy(model)
    by_role = {name: p for name, p in other.named_parameters()}
    hidden = [p for name, p in by_role.items() if ROLES[name] == "hidden"]
    rest = [p for name, p in by_role.items() if ROLES[name] != "hidden"]
    lr, wd = 2**-6 / 2, 0.1 * 2  # √m at width 64, base width 16
    options = {"adjust_lr_fn": "match_rms_adamw", "momentum": 0.95}
    parts = [
        torch.optim.Muon(hidden, lr=lr, weight_decay=wd, **options),
        torch.optim.AdamW(rest, lr=2**-9, weight_decay=0.0, eps=1e-12),
    ]
    step(model, optimizer)
    for part in parts[:1]:
        step(other, part)
    other.zero_grad()
    for (name, p), q in zip(model.named_parameters(), other.parameters(), strict=True):
        if ROLES[name] == "hidden":
            torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-7)
    algorithms = {group["name"]: group["algorithm"] for group in optimizer.param_groups}
    assert algorithms.pop("hidden") == "muon" and set(algorithms.values()) == {"adamw"}
    assert {g["base_lr"] for g in optimizer.param_groups} == {2**-6, 2**-9}


def test_a_scheduler_acts_on_both_parts():
    _, optimizer = made("muon")
    scheduler = mup.scheduler(optimizer, steps=10, schedule="wsd", decay_frac=1.0)
    optimizer.step()
    scheduler.step()
    assert all(
        group["lr"] == pytest.approx(0.9 * 2**-6 * group["lr_mult"])
        for group in optimizer.param_groups
    )


def test_a_scheduler_that_sets_absolute_lrs_is_seen_between_the_parts():
    _, optimizer = made("muon")
    with pytest.raises(mup.PlanError, match="absolute LRs"):
        mup.check_scheduler(
            lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 100, eta_min=1e-4),
            optimizer,
            steps=100,
        )


@pytest.mark.parametrize("name", NAMES)
def test_param_groups_of_another_optimizer_are_those_of_its_own_plan(name):
    model, a_plan = build(64), plan(64)
    mup.init_(model, a_plan)
    keys = ("lr", "weight_decay", "eps", "algorithm", "param_names")
    groups = [
        mup.param_groups(model, one, lr=0.1, weight_decay=0.2, optimizer=optimizer)
        for one, optimizer in ((a_plan, name), (plan(64, optimizer=name), None))
    ]
    own, other = ([[g.get(k) for k in keys] for g in side] for side in groups)
    assert own == other


POWERS = {  # of m, of hidden, input and vector, readout with multiplier: docs/optimizers.md
    "adamw": (-1, 0, 0),
    "lion": (-1, 0, 0),
    "sgd": (0, 1, 1),
    "muon": (-0.5, 0, 0),
}


@pytest.mark.parametrize(("name", "powers"), POWERS.items())
def test_the_powers_of_width_are_those_of_the_table(name, powers):
    rows = plan(64, optimizer=name)["params"]
    of = ("blocks.0.mlp.fc1.weight", "label_table.weight", "final.readout.weight")
    assert [rows[n]["lr_mult"] for n in of] == pytest.approx([4.0**p for p in powers])
    for row in rows.values():  # the time scale of weight decay is constant
        assert row["lr_mult"] * row["wd_mult"] == pytest.approx(1)


@pytest.mark.parametrize("power", [-1.0, -0.5, 0.5])
def test_decay_and_the_lr_of_hidden_matrices_have_powers_of_their_own(power):
    rule = mup.OptimizerRule(name="muon", hidden_lr_power=power, decay_power=-1)
    rows = plan(64, optimizer=rule)["params"]
    hidden = rows["blocks.0.mlp.fc1.weight"]
    assert hidden["lr_mult"] == pytest.approx(4**power)
    assert hidden["lr_mult"] * hidden["wd_mult"] == pytest.approx(1 / 4)
    assert rows["label_table.weight"]["wd_mult"] == 1


def test_independent_decay_shrinks_by_itself_whatever_the_lr_is():
    rule = mup.OptimizerRule(decay="independent")
    model, a_plan = build(64), plan(64, optimizer=rule)
    mup.init_(model, a_plan)
    for lr in (0.1, 0.001):
        for group in mup.param_groups(model, a_plan, lr=lr, weight_decay=1e-4):
            shrinks = group["name"] not in ("vector", "scalar")
            wanted = pytest.approx(1e-4 if shrinks else 0.0)
            assert group["lr"] * group["weight_decay"] == wanted


@pytest.mark.parametrize("name", ["adafactor", "soap", "shampoo", "lamb"])
def test_an_optimizer_without_a_rule_is_refused_by_name(name):
    with pytest.raises(mup.PlanError, match=rf"there are rules for .*; got '{name}'"):
        plan(64, optimizer=name)


def test_adam_with_weight_decay_is_refused():
    with pytest.raises(mup.PlanError, match="does not scale with width"):
        made("adam", weight_decay=0.1)
