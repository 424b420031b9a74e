"""The learning-rate schedule of a trial."""

from mutransfer.proxies import mup
from mutransfer.proxies.config.trial import TrainConfig


def lr_scale(step: int, train: TrainConfig, warmup_steps: int) -> float:
    """Return the factor on the LR at a step counted from 0; see `mup.lr_scale`."""
    return mup.lr_scale(
        step,
        steps=train.steps,
        schedule=train.schedule,
        warmup_steps=warmup_steps,
        final_lr_frac=train.final_lr_frac,
        decay_frac=train.decay_frac,
    )
