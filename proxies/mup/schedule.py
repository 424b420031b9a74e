"""Learning-rate schedules as one factor on the learning rate of every parameter group."""

import math
from typing import Literal

import torch
from torch.optim.lr_scheduler import LambdaLR

from mutransfer.proxies.mup.lrs import check_lrs
from mutransfer.proxies.mup.parameters import PlanError

Schedule = Literal["constant", "cosine", "wsd"]


def lr_scale(
    step: int,
    *,
    steps: int,
    schedule: Schedule = "cosine",
    warmup_steps: int = 0,
    final_lr_frac: float = 0.0,
    decay_frac: float = 0.2,
) -> float:
    """Return the factor on the LR at a step counted from 0: linear warmup, then the schedule.

    Args:
        step: The step.
        steps: Steps of the whole run; at step `steps` the factor is `final_lr_frac`.
        schedule: constant: 1. cosine: half a cosine from the end of the warmup to `final_lr_frac`.
            wsd: 1, then linear to `final_lr_frac` (arXiv 2404.06395).
        warmup_steps: Steps of linear warmup.
        final_lr_frac: LR at the end of a decay, as a share of the peak.
        decay_frac: Share of the steps in which `wsd` decays.
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    if schedule == "constant":
        return 1.0
    if schedule == "cosine":
        progress = (step - warmup_steps) / (steps - warmup_steps)
        remaining = (1 + math.cos(math.pi * progress)) / 2
    else:
        remaining = min(1.0, (steps - step) / (decay_frac * steps))
    return final_lr_frac + (1 - final_lr_frac) * remaining


def scheduler(
    optimizer: torch.optim.Optimizer,
    *,
    steps: int,
    schedule: Schedule = "cosine",
    warmup_steps: int = 0,
    final_lr_frac: float = 0.0,
    decay_frac: float = 0.2,
) -> LambdaLR:
    """Return a torch scheduler that multiplies the LR of every group by `lr_scale`.

    All ends of the schedule are shares of the peak, so the ratios between groups are kept. Call its
    `step()` once after each step of the optimizer, at most `steps` times.

    Args:
        optimizer: Over groups from `mup.param_groups`.
        steps: As in `lr_scale`, like the other arguments.
        schedule: The shape.
        warmup_steps: Steps of linear warmup.
        final_lr_frac: LR at the end, as a share of the peak.
        decay_frac: Share of the steps in which `wsd` decays.

    Raises:
        PlanError: the groups are not those of a plan, or the warmup is as long as the run.
    """
    check_lrs(optimizer)
    if not 0 <= warmup_steps < steps:
        raise PlanError(
            f"scheduler: the warmup ends before the last step; got {warmup_steps} of {steps} "
            "steps; shorten it"
        )

    def scale(step: int) -> float:
        return lr_scale(
            min(step, steps),
            steps=steps,
            schedule=schedule,
            warmup_steps=warmup_steps,
            final_lr_frac=final_lr_frac,
            decay_frac=decay_frac,
        )

    return LambdaLR(optimizer, scale)
