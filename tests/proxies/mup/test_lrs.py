"""Which schedulers keep the ratios between groups, and which optimizers may have the groups."""

import copy

import pytest
import torch
from torch.optim import lr_scheduler as torch_lr

from mutransfer.proxies import mup
from tests.proxies.mup.small_dit import build, plan

BASE_LR, STEPS = 2**-6, 40


def optimizer_at(width=128, make=torch.optim.AdamW, **options):
    model, a_plan = build(width), plan(width)
    mup.init_(model, a_plan)
    groups = mup.param_groups(model, a_plan, lr=BASE_LR, weight_decay=options.pop("decay", 0.0))
    return make(groups, lr=BASE_LR, **options)


def per_group(value):
    """A list of a value for each group, in the ratios of the plan."""
    return lambda o: [value * group["lr_mult"] for group in o.param_groups]


PEAKS = per_group(BASE_LR)
half = per_group(BASE_LR / 2)

KEEP = {
    "step": lambda o: torch_lr.StepLR(o, 10),
    "multi-step": lambda o: torch_lr.MultiStepLR(o, [10, 20]),
    "exponential": lambda o: torch_lr.ExponentialLR(o, 0.9),
    "constant": lambda o: torch_lr.ConstantLR(o),
    "linear": lambda o: torch_lr.LinearLR(o),
    "polynomial": lambda o: torch_lr.PolynomialLR(o, STEPS),
    "lambda": lambda o: torch_lr.LambdaLR(o, lambda step: 1 / (1 + step)),
    "multiplicative": lambda o: torch_lr.MultiplicativeLR(o, lambda step: 0.9),
    "cosine to 0": lambda o: torch_lr.CosineAnnealingLR(o, STEPS),
    "restarts to 0": lambda o: torch_lr.CosineAnnealingWarmRestarts(o, 10),
    "sequential": lambda o: torch_lr.SequentialLR(
        o, [torch_lr.LinearLR(o), torch_lr.CosineAnnealingLR(o, STEPS)], [5]
    ),
    "plateau": lambda o: torch_lr.ReduceLROnPlateau(o, patience=1),
    "one cycle of lists": lambda o: torch_lr.OneCycleLR(o, PEAKS(o), total_steps=STEPS + 1),
    "cyclic of lists": lambda o: torch_lr.CyclicLR(o, half(o), PEAKS(o), cycle_momentum=False),
    "ours, cosine": lambda o: mup.scheduler(o, steps=STEPS, warmup_steps=4, final_lr_frac=0.1),
    "ours, wsd": lambda o: mup.scheduler(o, steps=STEPS, schedule="wsd"),
}
BREAK = {  # with the step at which it is found
    "cosine to eta_min": (lambda o: torch_lr.CosineAnnealingLR(o, STEPS, eta_min=1e-4), "2"),
    "restarts": (lambda o: torch_lr.CosineAnnealingWarmRestarts(o, 10, eta_min=1e-4), "1"),
    "one cycle": (lambda o: torch_lr.OneCycleLR(o, BASE_LR, total_steps=STEPS + 1), "0"),
    "cyclic": (lambda o: torch_lr.CyclicLR(o, 1e-4, BASE_LR, cycle_momentum=False), "0"),
    "plateau, min_lr": (
        lambda o: torch_lr.ReduceLROnPlateau(o, patience=1, min_lr=BASE_LR / 100), ""
    ),
    "sequential": (
        lambda o: torch_lr.SequentialLR(
            o,
            [torch_lr.LinearLR(o), torch_lr.CosineAnnealingLR(o, STEPS, eta_min=1e-4)],
            [20],
        ),
        "2",
    ),
}  # fmt: skip


@pytest.mark.parametrize("make", KEEP.values(), ids=KEEP)
def test_a_scheduler_that_multiplies_is_safe_at_every_step(make):
    optimizer = optimizer_at()
    before = copy.deepcopy([{k: v for k, v in g.items()} for g in optimizer.param_groups])
    mup.check_scheduler(make, optimizer, steps=STEPS)
    assert [g["lr"] for g in optimizer.param_groups] == [g["lr"] for g in before]


@pytest.mark.parametrize(("make", "step"), BREAK.values(), ids=BREAK)
def test_a_scheduler_that_sets_absolute_lrs_is_refused_with_the_step(make, step):
    with pytest.raises(mup.PlanError, match=rf"at step {step}.*absolute LRs"):
        mup.check_scheduler(make, optimizer_at(), steps=STEPS)


@pytest.mark.parametrize(("make", "step"), BREAK.values(), ids=BREAK)
def test_in_training_the_check_finds_it_too(make, step):
    optimizer = optimizer_at()
    mup.check_lrs(optimizer)
    with pytest.raises(mup.PlanError, match="factors"):
        scheduler = make(optimizer)
        for _ in range(STEPS):
            mup.check_lrs(optimizer)
            optimizer.step()
            scheduler.step(*([1.0] if isinstance(scheduler, torch_lr.ReduceLROnPlateau) else []))


@pytest.mark.parametrize(("make", "_"), BREAK.values(), ids=BREAK)
def test_at_base_width_all_lrs_are_equal_and_any_scheduler_is_right(make, _):
    optimizer = optimizer_at(16)
    mup.check_scheduler(make, optimizer, steps=STEPS)
    scheduler = make(optimizer)
    for _ in range(STEPS):
        assert len({group["lr"] for group in optimizer.param_groups}) == 1
        mup.check_lrs(optimizer)
        optimizer.step()
        scheduler.step(*([1.0] if isinstance(scheduler, torch_lr.ReduceLROnPlateau) else []))


def test_a_loop_that_writes_one_lr_is_found_and_one_that_multiplies_is_not():
    optimizer = optimizer_at()
    for group in optimizer.param_groups:
        group["lr"] = torch.tensor(0.5 * BASE_LR * group["lr_mult"], dtype=torch.bfloat16)
    mup.check_lrs(optimizer)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    mup.check_lrs(optimizer)  # the first step of a warmup from zero
    for group in optimizer.param_groups:
        group["lr"] = 0.5 * BASE_LR
    with pytest.raises(mup.PlanError, match=r'group\["lr"\] = lr'):
        mup.check_lrs(optimizer)


@pytest.mark.parametrize("name", ["cosine_with_min_lr", "polynomial"])
def test_a_scheduler_that_reads_the_default_lr_needs_the_base_lr_there(name):
    transformers = pytest.importorskip("transformers")
    options = {
        "cosine_with_min_lr": {"min_lr": 1e-4},
        "polynomial": {"lr_end": 1e-4},
    }[name]

    def make(optimizer):
        return transformers.get_scheduler(
            name, optimizer, num_warmup_steps=2, num_training_steps=STEPS,
            scheduler_specific_kwargs=options,
        )  # fmt: skip

    mup.check_scheduler(make, optimizer_at(), steps=STEPS)
    without = torch.optim.AdamW(optimizer_at().param_groups)
    without.defaults["lr"] = 1e-3
    with pytest.raises(mup.PlanError, match=r"lr=0\.015625 besides the groups"):
        mup.check_scheduler(make, without, steps=STEPS)
    mup.check_scheduler(lambda o: torch_lr.StepLR(o, 3), without, steps=STEPS)


def test_a_state_of_another_width_is_found_by_the_plan():
    narrow, wide = optimizer_at(32), optimizer_at(128)
    for group, saved in zip(wide.param_groups, narrow.param_groups, strict=True):
        kept = {"params": group["params"]}
        group.update({k: v for k, v in saved.items() if k != "params"} | kept)
    mup.check_lrs(wide)
    with pytest.raises(mup.PlanError, match="another width"):
        mup.check_lrs(wide, plan(128))
    mup.check_lrs(optimizer_at(128), plan(128))


def first_update(make, gradient):
    """The change of a number in the first step, whose gradient is given."""
    number = torch.nn.Parameter(torch.zeros(1))
    number.grad = torch.full((1,), gradient)
    make([number], lr=BASE_LR).step()
    return number.item()


@pytest.mark.parametrize("make", [torch.optim.AdamW, torch.optim.NAdam, torch.optim.RMSprop])
def test_optimizers_with_updates_of_size_one_may_have_the_groups_of_adamw(make):
    optimizer = optimizer_at(make=make)
    mup.check_lrs(optimizer, plan(128))
    assert {group["algorithm"] for group in optimizer.param_groups} == {"adamw"}
    # Why they may: an update does not depend on the size of the gradient, as that of SGD does.
    assert first_update(make, 1.0) == pytest.approx(first_update(make, 1000.0), rel=1e-4)
    of_sgd = first_update(torch.optim.SGD, 1000.0) / first_update(torch.optim.SGD, 1.0)
    assert of_sgd == pytest.approx(1000)


REFUSED = {
    "another size": (torch.optim.SGD, {}, "another size.*optimizer=.sgd"),
    "no rule": (torch.optim.Adafactor, {}, "no rule for Adafactor"),
    "no rule, Rprop": (torch.optim.Rprop, {}, "no rule for Rprop"),
    "coupled decay": (torch.optim.Adam, {"decay": 0.1}, "does not scale with width"),
}


@pytest.mark.parametrize(("make", "options", "text"), REFUSED.values(), ids=REFUSED)
def test_another_optimizer_is_refused_by_name(make, options, text):
    with pytest.raises(mup.PlanError, match=text):
        mup.check_lrs(optimizer_at(make=make, **options))


def test_an_unknown_optimizer_is_refused_by_name_and_one_derived_is_not():
    class Mine(torch.optim.SGD):
        pass

    class MyAdamW(torch.optim.AdamW):
        pass

    with pytest.raises(mup.PlanError, match="Mine"):
        mup.check_lrs(optimizer_at(make=Mine))
    mup.check_lrs(optimizer_at(make=MyAdamW))


def test_groups_from_elsewhere_are_refused():
    optimizer = torch.optim.AdamW(build(16).parameters())
    with pytest.raises(mup.PlanError, match=r"mup\.param_groups"):
        mup.check_lrs(optimizer)
