"""Coordinate check and invariants hold for every optimizer under its rule, and fail without it."""

import pandas as pd
import pytest

from mutransfer.analysis.verdict.coordcheck import judge
from mutransfer.proxies import mup
from mutransfer.proxies.checks import coordcheck, invariants
from mutransfer.proxies.config.optimizer import OptimizerConfig
from mutransfer.proxies.mup.optimizers import ALGORITHMS

BASE, WIDTHS = 32, (32, 64, 128, 256)
MODEL = {"head_dim": 16, "base_width": BASE, "patch_size": 4, "depth": 1}
RULES = {
    "adamw": {"name": "adamw"},
    "adam": {"name": "adam"},
    "lion": {"name": "lion"},
    "sgd": {"name": "sgd"},
    "muon": {"name": "muon"},
    "muon, original": {"name": "muon", "adjust_lr_fn": "original"},
    "muon, own base LR of AdamW": {"name": "muon", "adamw_lr": 2**-8},
    "decay constant": {"name": "adamw", "decay_power": -1},
    "decay √m": {"name": "lion", "decay_power": -0.5},
    "independent decay": {"name": "muon", "decay": "independent"},
}
LR = {"sgd": 2.0, "muon": 2**-4}


def start_of(trial_of, options, *, planned=None, **changes):
    """A `StartRun` of a small DiT; `planned`: the optimizer that its plan is for."""
    config = OptimizerConfig(**options)

    def start(arm, width, seed, lr):
        trial = trial_of(
            **MODEL, arm=arm, width=width, seed=seed, lr=lr, steps=5, optimizer=config,
            weight_decay=0.0 if config.name == "adam" else 0.1,
        )  # fmt: skip
        run = coordcheck.of_trial(trial)
        if planned is not None:
            _take_groups_of(run, planned, lr)
        return run

    return start


def _take_groups_of(run, planned, lr):
    """Give an optimizer the learning rates of the groups of another, without a word."""
    other = mup.param_groups(run.model, run.plan, lr=lr, weight_decay=0.1, optimizer=planned)
    lrs = {name: group["lr"] for group in other for name in group["param_names"]}
    groups = run.optimizer.param_groups
    factors = [lrs[group["param_names"][0]] / group["lr"] for group in groups]

    def take(*_):
        for group, factor in zip(groups, factors, strict=True):
            group["lr"] *= factor

    take()  # what the invariants read; the schedule sets the own learning rates before each step
    run.optimizer.register_step_pre_hook(take)


@pytest.mark.parametrize("options", RULES.values(), ids=RULES)
def test_the_invariants_hold_for_every_optimizer_and_sp_breaks_them(trial_of, options):
    start = start_of(trial_of, options)
    lr = LR.get(options["name"], 2**-7)
    laws = {"base_width": BASE, "width": 256, "lr": lr}
    assert list(map(str, invariants.broken_laws(start, **laws))) == []
    in_sp = invariants.broken_laws(lambda arm, *rest: start("sp", *rest), **laws)
    # At SP every LR is constant: right for hidden matrices under SGD, wrong for its inputs.
    name = "label_table.weight" if options["name"] == "sgd" else "blocks.0.mlp.fc1.weight"
    if options.get("adjust_lr_fn") == "original":
        name = "final.readout.weight"  # the LR of hidden matrices is constant, as in SP
    assert name in {law.name for law in in_sp}


WRONG = {
    "SGD with the groups of AdamW": ({"name": "sgd"}, "adamw", "blocks.0.mlp.fc1.weight"),
    "Muon with the groups of AdamW": ({"name": "muon"}, "adamw", "blocks.0.mlp.fc1.weight"),
    "Lion with the groups of SGD": ({"name": "lion"}, "sgd", "label_table.weight"),
    "match_rms at the power of original": (
        {"name": "muon"}, {"name": "muon", "adjust_lr_fn": "original"}, "blocks.0.mlp.fc1.weight"
    ),
    "original at the power of match_rms": (
        {"name": "muon", "adjust_lr_fn": "original"}, {"name": "muon"}, "blocks.0.mlp.fc1.weight"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("options", "planned", "name"), WRONG.values(), ids=WRONG)
def test_an_optimizer_with_the_groups_of_another_breaks_them(trial_of, options, planned, name):
    start = start_of(trial_of, options, planned=planned)
    lr = LR.get(options["name"], 2**-7)
    broken = invariants.broken_laws(start, base_width=BASE, width=256, lr=lr)
    assert name in {law.name for law in broken}


def checked(start, lr, arms=("mup", "sp"), seeds=2):
    """The check of the first arm."""
    shape = {"widths": WIDTHS, "steps": 4, "lr": lr}
    rows = [
        vars(size)
        for arm in arms
        for size in coordcheck.measure(start, seeds=range(seeds), arm=arm, **shape)
    ]
    return judge(pd.DataFrame(rows), arm=arms[0])


def findings(check):
    return [str(finding) for finding in check.findings]


OF_THE_TABLE = ("adamw", "adam", "lion", "sgd", "muon", "muon, original")


def test_every_optimizer_of_the_table_is_checked():
    assert {RULES[name]["name"] for name in OF_THE_TABLE} == set(ALGORITHMS)


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_THE_TABLE)
def test_the_coordinate_check_passes_for_every_optimizer_and_sp_fails_it(trial_of, name):
    start = start_of(trial_of, RULES[name])
    lr = coordcheck.choose_lr(start, base_width=BASE, steps=4, log2_lrs=range(4, -15, -1))
    check = checked(start, lr)
    assert check.verdict == "PASS", (lr, findings(check))
    assert check.control_grows
    in_sp = checked(start, lr, arms=("sp",))
    assert in_sp.verdict == "FAIL"
    assert any(finding.trend.kind == "update" for finding in in_sp.findings), findings(in_sp)


@pytest.mark.slow
@pytest.mark.parametrize(("options", "planned", "name"), WRONG.values(), ids=WRONG)
def test_the_coordinate_check_sees_the_groups_of_another(trial_of, options, planned, name):
    start = start_of(trial_of, options, planned=planned)
    lr = coordcheck.choose_lr(start, base_width=BASE, steps=4, log2_lrs=range(4, -15, -1))
    check = checked(start, lr, arms=("mup",))
    assert check.verdict == "FAIL", lr
    assert any(finding.trend.kind == "update" for finding in check.findings), findings(check)
