"""What proxies, sweep and analysis share: axes, arms, HP names, stages, statuses, rounding of HPs.

Imports nothing else of this package.
"""

from typing import Literal, get_args

Axis = Literal["width", "batch_size", "steps", "depth"]
AXES: tuple[Axis, ...] = get_args(Axis)

# The parametrization of a trial; `unscaled` is μP without the rule for batch size, steps or depth.
Arm = Literal["mup", "sp", "unscaled"]
ARMS: tuple[Arm, ...] = get_args(Arm)

HPName = Literal[
    "lr",
    "init_std",
    "init_std_hidden",
    "init_std_input",
    "init_std_vector",
    "output_mult",
    "weight_decay",
    "warmup_steps",
    "grad_clip",
    "repa_weight",
]
HP_NAMES: tuple[HPName, ...] = get_args(HPName)

Stage = Literal["search", "slices", "set", "target", "convergence"]
STAGES: tuple[Stage, ...] = get_args(Stage)

Status = Literal["done", "diverged", "pruned", "failed"]
STATUSES: tuple[Status, ...] = get_args(Status)
FINISHED: tuple[Status, ...] = ("done", "diverged")  # with a result; the others have none

SIGNIFICANT_DIGITS = 6  # of an HP value in a trial's identity


def round_hp(value: float) -> float:
    """Return an HP value rounded to `SIGNIFICANT_DIGITS`.

    Without rounding, a difference in the last bits between library versions would make a new trial.
    """
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
