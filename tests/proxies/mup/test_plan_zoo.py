"""Plans of what people really train: groups as microsoft/mup, the structure of the init kept."""

import re
import warnings

import pandas as pd
import pytest
import torch

from mutransfer.analysis.verdict.coordcheck import judge
from mutransfer.proxies import mup
from mutransfer.proxies.checks import coordcheck, invariants
from tests.proxies.zoo import ZOO, Member
from tests.proxies.zoo_checks import BASE, seeded, start_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mup as microsoft

WIDTHS, WIDE = (32, 64, 128), 128
FAST = {"PixArt", "Llama, tied", "DINOv2, SwiGLU", "GPT-2", "timm ViT"}
GATED = ("Llama", "Llama, tied", "Llama, two kv heads", "ViT", "timm ViT")
PLANNED = {name: member for name, member in ZOO.items() if member.refusal is None}


def marked(names) -> list:
    """The members of these names; those that are not in `FAST` are in the slow suite."""
    slow = pytest.mark.slow
    return [pytest.param(ZOO[n], id=n, marks=() if n in FAST else slow) for n in names]


every_member = pytest.mark.parametrize("member", marked(PLANNED))


def planned(member: Member, width: int) -> mup.plan:
    return mup.plan(member.build, base_width=BASE, width=width, roles=member.roles)


def test_the_zoo_is_large_enough():
    assert len(PLANNED) >= 25


@every_member
def test_learning_rates_and_decays_are_those_of_microsoft_mup(member):
    """It decays vectors, and wants a readout of its own, so that the output is left out."""
    for width in WIDTHS:
        model = member.build(width)
        microsoft.set_base_shapes(
            model,
            member.build(BASE),
            delta=member.build(2 * BASE),
            do_assert=False,
            rescale_params=False,
        )
        names = {id(p): name for name, p in model.named_parameters()}
        groups = microsoft.MuAdamW(list(model.parameters()), lr=0.1, weight_decay=0.2).param_groups
        theirs = {names[id(p)]: (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}
        for name, row in planned(member, width)["params"].items():
            if row["role"] == "output":
                continue
            lr, decay = theirs[name]
            assert 0.1 * row["lr_mult"] == pytest.approx(lr, rel=1e-12), name
            if row["decay"]:
                assert 0.2 * row["wd_mult"] == pytest.approx(decay, rel=1e-12), name


@every_member
def test_init_multiplies_each_tensor_by_one_factor_and_by_none_at_base_width(member):
    n_scaled = 0
    for width in (BASE, WIDE):
        model, untouched = seeded(member, width), seeded(member, width)
        plan = planned(member, width)
        mup.init_(model, plan)
        for (name, own), other in zip(
            model.named_parameters(), untouched.parameters(), strict=True
        ):
            assert torch.equal(own == 0, other == 0), name
            if torch.equal(own, other):
                continue
            assert width > BASE, name
            ratios = (own / other)[other != 0]
            torch.testing.assert_close(ratios, ratios[0].expand_as(ratios), rtol=1e-5, atol=0)
            n_scaled += 1
        assert plan["params"].keys() == dict(model.named_parameters()).keys()
        assert mup.param_groups(model, plan, lr=0.1)
    assert n_scaled > 0, "something in every one of them depends on width in another way"


@every_member
def test_wider_each_random_matrix_has_the_size_of_the_rule(member):
    """Measured on the models themselves: hidden 1/√b, output 1/b or a multiplier, else constant."""
    model, base, plan = seeded(member, WIDE, 1), seeded(member, BASE, 2), planned(member, WIDE)
    mup.init_(model, plan)
    at_base = dict(base.named_parameters())
    for name, own in model.named_parameters():
        row = plan["params"][name]
        if row["own_init"] == "kept" or at_base[name].numel() < 500:
            continue
        powers = {"hidden": -0.5, "output": -1.0 if row["input_mult"] == 1 else 0.0}
        wanted = row["fan_in_mult"] ** powers.get(row["role"], 0.0)
        found = (own.square().mean() / at_base[name].square().mean()).sqrt().item()
        assert found == pytest.approx(wanted, rel=6 / at_base[name].numel() ** 0.5), name


@pytest.mark.parametrize("member", marked(n for n in ZOO if ZOO[n].refusal))
def test_what_has_no_plan_is_refused_for_a_stated_reason(member):
    with pytest.raises(mup.PlanError, match=member.refusal):
        planned(member, WIDE)


@pytest.mark.parametrize("member", marked(n for n in ZOO if ZOO[n].roles))
def test_what_is_declared_is_what_is_asked_for(member):
    """The block of the message names the tensors that the zoo declares, and offers their roles."""
    with pytest.raises(mup.PlanError, match="roles:") as caught:
        mup.plan(member.build, base_width=BASE, width=WIDE)
    offered = re.findall(r"^  '(.*)': (.*?)  #", str(caught.value), re.MULTILINE)
    assert offered
    accepted = {role for role in member.roles.values()}
    assert all(accepted & set(words.split(" | ")) for _, words in offered), offered


@pytest.mark.slow
@pytest.mark.parametrize("name", GATED)
@pytest.mark.parametrize("first_seed", [0, 10])
def test_the_gate_passes_a_right_model_and_sp_fails_it(name, first_seed):
    """The others of the zoo: `python -m benchmarks.false_alarms`."""
    start = start_of(name)
    assert invariants.broken_laws(start, base_width=BASE, width=256, lr=0.01, seed=first_seed) == []
    lr = coordcheck.choose_lr(start, base_width=BASE, steps=4, log2_lrs=range(-4, -15, -1))
    rows = [
        vars(size)
        for arm, n in (("mup", 4), ("sp", 2))
        for size in coordcheck.measure(
            start,
            widths=(32, 64, 128, 256),
            seeds=range(first_seed, first_seed + n),
            steps=4,
            lr=lr,
            arm=arm,
        )
    ]
    check = judge(pd.DataFrame(rows))
    assert check.verdict == "PASS", "\n".join(map(str, check.findings))
    sp = pd.DataFrame([row for row in rows if row["arm"] == "sp"]).assign(arm="mup")
    assert judge(sp).verdict == "FAIL"
