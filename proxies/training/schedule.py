"""The learning-rate schedule: a factor on the LR of every parameter group."""

import math

from mutransfer.proxies.config.trial import TrainConfig


def lr_scale(step: int, train: TrainConfig, warmup_steps: int) -> float:
    """Return the factor on the LR at a step counted from 0: linear warmup, then the schedule.

    constant: 1. cosine: half a cosine from the end of the warmup to `final_lr_frac`. wsd: 1, then
    linear to `final_lr_frac` over the last `decay_frac` of the steps (arXiv 2404.06395).
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    if train.schedule == "constant":
        return 1.0
    if train.schedule == "cosine":
        progress = (step - warmup_steps) / (train.steps - warmup_steps)
        remaining = (1 + math.cos(math.pi * progress)) / 2
    else:
        remaining = min(1.0, (train.steps - step) / (train.decay_frac * train.steps))
    return train.final_lr_frac + (1 - train.final_lr_frac) * remaining
