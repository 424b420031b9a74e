"""The words that proxies, sweep and analysis share, each written once; imports nothing of ours."""

from typing import Literal, get_args

Axis = Literal["width", "batch_size", "steps", "depth"]
AXES: tuple[Axis, ...] = get_args(Axis)

# The parametrization of a trial; `unscaled` is μP without the rule of another axis than width.
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
FINISHED: tuple[Status, ...] = ("done", "diverged")  # a result of its own, not an accident

SIGNIFICANT_DIGITS = 6  # of an HP value, where it enters a trial's identity


def round_hp(value: float) -> float:
    """Return an HP value at the significant digits that identify it.

    Rounding first means that the last bits of another library's version make no new trial.
    """
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")
