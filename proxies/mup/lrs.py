"""Checks that an optimizer trains by its plan: the rule of its algorithm, and the ratios of LRs.

A scheduler may multiply the LR of every group by one factor. Many set an absolute LR instead, at an
end of their course or at all steps, and so make the LRs of all groups equal.
"""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from mutransfer.proxies.mup.optimizers import fault_of_class
from mutransfer.proxies.mup.parameters import PlanError
from mutransfer.proxies.mup.plan import Plan

# LRs in half precision, or computed step by step, are off by less.
SAME = 1e-4
# Below this share of the peak an LR does nothing; ReduceLROnPlateau stops at steps under 1e-8.
NEGLIGIBLE = 1e-5
KEYS = frozenset({"lr", "lr_mult", "base_lr", "algorithm", "param_names"})
CAUSES = (
    "a scheduler that sets absolute LRs (OneCycleLR, CyclicLR or SWALR with one number for all "
    "groups; eta_min, min_lr, lr_min or warmup_lr_init above 0), or a loop that writes "
    'group["lr"] = lr'
)
REMEDY = (
    "use mup.scheduler, give ends as shares of the peak or as a list with a value for each group, "
    'or write group["lr"] = base_lr * group["lr_mult"] * factor'
)


def check_lrs(optimizer: torch.optim.Optimizer, plan: Plan | None = None) -> None:
    """Raise unless an optimizer trains by its plan now; cheap enough for every step.

    It compares the LRs of the groups with the ratios of the plan, and the optimizer's class with
    the algorithm that the groups are for. LRs that are all zero are skipped.

    Args:
        optimizer: Over groups from `mup.param_groups`, bare or wrapped (`.optimizer`).
        plan: Compare the groups' multipliers with it: `load_state_dict` brings those of the saved
            run, which may have had another width.

    Raises:
        PlanError: the groups are not from `param_groups`; their LRs have lost their ratios; the
            optimizer is not the one that they are for; or the plan has other multipliers.
    """
    bare = _bare(optimizer)
    groups = bare.param_groups
    _require_keys(groups)
    for group in groups:
        if fault := fault_of_class(bare, group):
            raise PlanError(f"check_lrs: {fault}")
    if plan is not None:
        _check_multipliers(groups, plan)
    if fault := ratio_fault(groups):
        raise PlanError(f"check_lrs: {fault}; usual cause: {CAUSES}; do: {REMEDY}")


def check_scheduler(
    make: Callable[[torch.optim.Optimizer], Any],
    optimizer: torch.optim.Optimizer,
    *,
    steps: int,
    advance: Callable[[Any, int], object] | None = None,
) -> None:
    """Raise unless a scheduler keeps the ratios between groups at every step of a run.

    A dry run on copies of the groups; the optimizer is unchanged. It also finds schedulers that
    keep the ratios but take the peak LR from `optimizer.defaults["lr"]` (`cosine_with_min_lr`,
    `polynomial` of transformers and diffusers), where that is not the base LR.

    Args:
        make: Returns the scheduler of an optimizer: `lambda o: CosineAnnealingLR(o, 1000)`.
        optimizer: Over groups from `mup.param_groups`.
        steps: Steps of the run.
        advance: Called as `advance(scheduler, step)`; by default `scheduler.step()`, for
            `ReduceLROnPlateau` with a constant loss.

    Raises:
        PlanError: with the step at which a ratio is lost, and the cause.
    """
    bare = _bare(optimizer)
    _require_keys(bare.param_groups)
    base_lr = float(bare.param_groups[0]["base_lr"])
    used = _lrs(make, bare, steps, advance or _advance, bare.defaults.get("lr", base_lr))
    wanted = _lrs(make, bare, steps, advance or _advance, base_lr)
    for step, (lrs, right) in enumerate(zip(used, wanted, strict=True)):
        if any(abs(a - b) > SAME * max(a, b) for a, b in zip(lrs, right, strict=True)):
            raise PlanError(
                'check_scheduler: it takes the peak LR from optimizer.defaults["lr"], which must '
                f"then be the base LR, {base_lr:g}; got {bare.defaults.get('lr')}; construct the "
                f"optimizer with lr={base_lr:g} besides the groups (the LR would be wrong from "
                f"step {step})"
            )


def ratio_fault(groups: Iterable[Mapping[str, Any]]) -> str | None:
    """Return how the LRs of groups break the ratios of the plan; None if they keep them."""
    factors: dict[str, float] = {}
    for group in groups:
        if peak := group["base_lr"] * group["lr_mult"]:
            name = f"{group['name']} ({group['param_names'][0]}, …)"
            factors[name] = float(group["lr"]) / peak
    if not factors:
        return None
    low, high = (f(factors, key=factors.__getitem__) for f in (min, max))
    is_equal = factors[high] - factors[low] <= SAME * abs(factors[high])
    if is_equal or factors[high] <= NEGLIGIBLE:
        return None
    return (
        "the LR of every group is base LR × lr_mult × one factor; got the factors "
        f"{factors[low]:.3g} of {low} and {factors[high]:.3g} of {high}"
    )


def _bare(optimizer: Any) -> torch.optim.Optimizer:
    """Return the optimizer inside wrappers such as accelerate's."""
    while not isinstance(optimizer, torch.optim.Optimizer) or "Accelerated" in str(type(optimizer)):
        if not hasattr(optimizer, "optimizer"):
            return optimizer
        optimizer = optimizer.optimizer
    return optimizer


def _require_keys(groups: Sequence[Mapping[str, Any]]) -> None:
    for i, group in enumerate(groups):
        if missing := sorted(KEYS - group.keys()):
            raise PlanError(
                f"check_lrs: groups are those of mup.param_groups; got no {', '.join(missing)} in "
                f"group {i}; give the optimizer mup.param_groups(model, plan, lr=…)"
            )


def _check_multipliers(groups: Sequence[Mapping[str, Any]], plan: Plan) -> None:
    """Raise where a group has other LR multipliers than the plan's rows."""
    for group in groups:
        for name in group["param_names"]:
            wanted = plan["params"][name]["lr_mult"] if name in plan["params"] else None
            if wanted is None or abs(group["lr_mult"] - wanted) > SAME * wanted:
                raise PlanError(
                    f"check_lrs: {name}: the plan's lr_mult is {wanted}; got "
                    f"{group['lr_mult']}; a state dict that was saved at another width was "
                    "loaded: load the model alone, and begin with a new optimizer"
                )


def _advance(scheduler: Any, step: int) -> None:
    if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
        scheduler.step(1.0)
    else:
        scheduler.step()


def _lrs(
    make: Callable[[torch.optim.Optimizer], Any],
    optimizer: torch.optim.Optimizer,
    steps: int,
    advance: Callable[[Any, int], object],
    default_lr: float,
) -> list[list[float]]:
    """Return the LR of every group at steps 0 … `steps` of a dry run. Raises PlanError."""
    dummy = _dummy(optimizer, default_lr)
    scheduler = make(dummy)
    lrs = []
    for step in range(steps + 1):
        if fault := ratio_fault(dummy.param_groups):
            raise PlanError(
                f"check_scheduler: {type(scheduler).__name__} at step {step}: {fault}; usual "
                f"cause: {CAUSES}; do: {REMEDY}"
            )
        lrs.append([float(group["lr"]) for group in dummy.param_groups])
        if step < steps:
            dummy.step()
            advance(scheduler, step)
    return lrs


class _Idle(torch.optim.Optimizer):
    """An optimizer for schedulers alone: its steps do nothing."""

    has_group_algorithms = True

    def step(self, closure: Any = None) -> Any:
        """Do nothing."""


def _dummy(optimizer: torch.optim.Optimizer, default_lr: float) -> torch.optim.Optimizer:
    """Return an optimizer with copies of the groups at their peak LR, one number in each."""
    groups = []
    for group in optimizer.param_groups:
        kept = {k: v for k, v in group.items() if k not in ("params", "initial_lr", "param_names")}
        number = nn.Parameter(torch.zeros(1))
        lr = group["base_lr"] * group["lr_mult"]
        groups.append(copy.deepcopy(kept) | {"lr": lr, "params": [number]})
    dummy = _Idle(groups, {"lr": default_lr})
    for group, original in zip(dummy.param_groups, optimizer.param_groups, strict=True):
        group["param_names"] = original["param_names"]
    dummy.defaults = {**optimizer.defaults, "lr": default_lr}
    return dummy
