"""What proxies, sweep and analysis share: axes, arms, HP names, stages, statuses, rounding of HPs.

Imports nothing else of this package.
"""

from typing import Literal, get_args

# The axis of a study. A table from elsewhere may also be along its numbers of parameters.
StudyAxis = Literal["width", "batch_size", "steps", "depth"]
STUDY_AXES: tuple[StudyAxis, ...] = get_args(StudyAxis)
Axis = Literal["width", "batch_size", "steps", "depth", "params"]
AXES: tuple[Axis, ...] = get_args(Axis)

# Whether a smaller or a larger number of the metric is better.
Goal = Literal["minimize", "maximize"]
GOALS: tuple[Goal, ...] = get_args(Goal)

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
    "adamw_lr",
]
HP_NAMES: tuple[HPName, ...] = get_args(HPName)

Stage = Literal["search", "slices", "set", "target", "convergence"]
STAGES: tuple[Stage, ...] = get_args(Stage)

Status = Literal["done", "diverged", "pruned", "failed"]
STATUSES: tuple[Status, ...] = get_args(Status)
FINISHED: tuple[Status, ...] = ("done", "diverged")  # with a result; the others have none

SIGNIFICANT_DIGITS = 6  # of an HP value in a trial's identity

# HP values that differ by at most this share, 0.0144 octaves, are one value where one is chosen.
# Where an octave costs 4 tolerances, that is 0.001 tolerance at a smooth minimum, 0.06 at a kink.
SAME_VALUE = 0.01


def round_hp(value: float) -> float:
    """Return an HP value rounded to `SIGNIFICANT_DIGITS`.

    Without rounding, a difference in the last bits between library versions would make a new trial.
    """
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
