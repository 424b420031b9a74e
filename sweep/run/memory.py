"""Whether a study's models fit into memory, checked before any trial starts.

The estimate is a lower bound: weights, gradients, Adam's two moments and the EMA, in float32.
Activations and data are not counted, so a study that passes may still be too large.
"""

import os
from collections.abc import Sequence

from mutransfer.proxies.config.trial import TrialConfig
from mutransfer.proxies.training.flops import n_params
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.plan.request import trial
from mutransfer.sweep.spec.study import Study

BYTES = 4  # float32
COPIES = 4  # weight, gradient, first and second moment


def needed_bytes(config: TrialConfig) -> int:
    """Lower bound of the memory that training takes, in bytes."""
    copies = COPIES + (config.train.ema_frac is not None)
    return BYTES * copies * n_params(config)


def check(study: Study, slot_bytes: float, where: str, configs: Sequence[TrialConfig] = ()) -> None:
    """Refuse a study whose largest model cannot fit.

    Args:
        study: The study.
        slot_bytes: Memory that one trial may use.
        where: The machine with that memory, as the message names it.
        configs: The trials to check; by default one at each axis value of the study.

    Raises:
        UserError: the largest model needs more than ``slot_bytes``.
    """
    hps = {name: distribution.middle for name, distribution in study.parameters.items()}
    configs = configs or [
        trial(study, axis_value=axis_value, arm="mup", hps=hps, seed=0)
        for axis_value in study.axis_values
    ]
    config = max(configs, key=needed_bytes)
    if (needed := needed_bytes(config)) > slot_bytes:
        raise UserError(
            f"{study.name}: a model of width {config.width} has {n_params(config):,} parameters "
            f"and needs {_gb(needed)} for weights, gradients and optimizer alone; {where} has "
            f"{_gb(slot_bytes)} per trial; lower the widest width, run fewer trials at once "
            "(resources.max_concurrent) or use a larger machine"
        )


def of_this_machine() -> float:
    """Memory of this machine in bytes."""
    return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def _gb(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:.1f} GB"
