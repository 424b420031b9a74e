"""Third-party modules load the groups, train, and pass the coordinate check."""

import warnings

import pandas as pd
import pytest
import torch

from mutransfer.analysis.verdict.coordcheck import judge
from mutransfer.proxies import mup
from mutransfer.proxies.checks.coordcheck import choose_lr, measure
from tests.proxies.modules import BASE, CASES, start_of

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mup as microsoft


every_module = pytest.mark.parametrize("case", CASES.values(), ids=CASES)

WIDE = 4 * BASE


@every_module
def test_roles_are_those_written_by_hand(case):
    rows = mup.plan(case.build, base_width=BASE, width=WIDE)["params"]
    assert {name: rows[name]["role"] for name in case.roles} == case.roles


@every_module
def test_learning_rates_and_decays_are_those_of_microsoft_mup(case):
    """Where it applies: it decays vectors, and wants its own readout, so the output is left out."""
    model = case.build(WIDE)
    microsoft.set_base_shapes(
        model, case.build(BASE), delta=case.build(2 * BASE), do_assert=False, rescale_params=False
    )
    plan = mup.plan(case.build, base_width=BASE, width=WIDE)
    names = {id(p): name for name, p in model.named_parameters()}
    theirs = {
        names[id(p)]: (group["lr"], group["weight_decay"])
        for group in microsoft.MuAdamW(
            list(model.parameters()), lr=0.1, weight_decay=0.2
        ).param_groups
        for p in group["params"]
    }
    for group in mup.param_groups(model, plan, lr=0.1, weight_decay=0.2):
        for name in group["param_names"]:
            row = plan["params"][name]
            if row["role"] == "output":
                continue
            assert group["lr"] == pytest.approx(theirs[name][0], rel=1e-12), name
            if row["decay"]:
                assert group["weight_decay"] == pytest.approx(theirs[name][1], rel=1e-12), name


@every_module
def test_training_lowers_the_loss(case):
    run = start_of(case)("mup", WIDE, 0, 2**-7)
    inputs = case.inputs(0)
    first = case.loss(run.model, inputs).item()
    for _ in range(15):
        run.take_step()
    assert case.loss(run.model, inputs).item() < 0.97 * first


@pytest.mark.slow
@every_module
def test_the_coordinate_check_passes_and_sp_fails_it(case):
    start, steps = start_of(case), 4
    lr = choose_lr(start, base_width=BASE, steps=steps, log2_lrs=range(-4, -15, -1))
    rows = [
        vars(size)
        for arm, n in (("mup", 4), ("sp", 2))
        for size in measure(
            start, widths=(32, 64, 128, 256), seeds=range(n), steps=steps, lr=lr, arm=arm
        )
    ]
    check = judge(pd.DataFrame(rows))
    assert check.verdict == "PASS", "\n".join(map(str, check.findings))
    assert check.control_grows
    sp_rows = [row for row in rows if row["arm"] == "sp"]
    relabelled = pd.DataFrame(sp_rows).assign(arm="mup")
    assert judge(relabelled).verdict == "FAIL"


@every_module
def test_at_base_width_the_plan_changes_nothing_bit_for_bit(case):
    plan = mup.plan(case.build, base_width=BASE, width=BASE)
    models = []
    for _ in range(2):
        torch.manual_seed(0)
        models.append(case.build(BASE))
    mup.init_(models[0], plan)
    for own, other in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.equal(own, other)
