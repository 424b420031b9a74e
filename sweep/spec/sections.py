"""The sections of a study as typed data. Every default of the sweep stands here.

Defaults of models, data, objectives and training stand in ``proxies.config``.
"""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Gt

from mutransfer.proxies import config as pc
from mutransfer.proxies.config.scaling import ScalingRule
from mutransfer.words import Axis, HPName

Logger = Literal["tensorboard", "wandb", "mlflow"]
Method = Literal["tpe", "gp", "qmc", "random", "grid"]
STRICT: dict[str, Any] = {"extra": "forbid", "allow_inf_nan": False}


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What is compared: the loss on the fixed validation set."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    name: Literal["val_loss"] = "val_loss"
    goal: Literal["minimize"] = "minimize"


@dataclass(frozen=True, kw_only=True)
class Search:
    """Stage `search`: Optuna proposes ``trials`` sets, ``generation`` at a time, at one width.

    Where the axis is another, its search place is what `model` and `train` say.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    width: Annotated[int, Ge(1)]
    trials: Annotated[int, Ge(1)]
    generation: Annotated[int, Ge(1)] = 8


# The key of `transfer` that holds the ladder of each axis.
LADDERS: dict[Axis, str] = {
    "width": "widths",
    "batch_size": "batch_sizes",
    "steps": "steps",
    "depth": "depths",
}
Places = tuple[Annotated[int, Ge(1)], ...]
Control = Literal["sp", "unscaled", "none"]


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Stage `slices`: each HP of ``parameters`` varied on the lattice at each place of the axis.

    The places stand under the axis's own key: `widths`, `batch_sizes`, `steps` or `depths`; all
    else is fixed. `rule` scales base HPs along another axis than width; `control` None: SP along
    width, none along another axis, where `unscaled` is the ladder without the rule.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    axis: Axis = "width"
    parameters: tuple[HPName, ...] = ("lr",)
    widths: Places | None = None
    batch_sizes: Places | None = None
    steps: Places | None = None
    depths: Places | None = None
    rule: ScalingRule | None = None
    points: Annotated[int, Ge(3)] = 7
    spacing_log2: Annotated[float, Gt(0)] = 1.0
    refine: bool = True
    max_extend: Annotated[int, Ge(0)] = 4
    seeds: Annotated[int, Ge(1)] = 3
    control: Control | None = None
    control_parameters: tuple[HPName, ...] | None = None

    def __post_init__(self) -> None:
        """Give the control its default."""
        if self.control is None:
            object.__setattr__(self, "control", "sp" if self.axis == "width" else "none")

    @property
    def axis_values(self) -> Places:
        """The ladder; empty where it is not given."""
        return getattr(self, LADDERS[self.axis]) or ()


def search_at(axis: Axis, *, model: Any, train: Any, search: Search) -> int:
    """Where on an axis a study's search is: its width, or what `model` and `train` say."""
    if axis == "width":
        return search.width
    return int(getattr(model if axis == "depth" else train, axis))


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """The regret that the user accepts, fixed before looking: exactly one of the three."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    rel_loss: Annotated[float, Gt(0)] | None = None
    abs_loss: Annotated[float, Gt(0)] | None = None
    share_of_width_gain: Annotated[float, Gt(0)] | None = None

    @property
    def kind(self) -> Literal["rel_loss", "abs_loss", "share_of_width_gain"]:
        """The name of the one that is given."""
        if self.rel_loss is not None:
            return "rel_loss"
        return "abs_loss" if self.abs_loss is not None else "share_of_width_gain"

    @property
    def value(self) -> float:
        """The number that is given."""
        return float(getattr(self, self.kind))


@dataclass(frozen=True, kw_only=True)
class Target:
    """Stage `target`: the widest width, or the last place of another axis, that is paid for."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    width: Annotated[int, Ge(1)] | None = None
    batch_size: Annotated[int, Ge(1)] | None = None
    steps: Annotated[int, Ge(1)] | None = None
    depth: Annotated[int, Ge(1)] | None = None
    points: Annotated[int, Ge(3)] = 5
    seeds: Annotated[int, Ge(1)] = 3
    tolerance: Tolerance


@dataclass(frozen=True, kw_only=True)
class Convergence:
    """Stage `convergence`, off unless given: steps of μP to the final loss of SP, target width.

    `default_lr` is the LR somebody would give SP untuned. `points` values begin the slice in which
    SP's LR is tuned; `seeds` are those of each training and of that slice. `n_val` validations
    make a curve; they change nothing in the training.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    default_lr: Annotated[float, Gt(0)]
    n_val: Annotated[int, Ge(5)] = 20
    seeds: Annotated[int, Ge(1)] = 3
    points: Annotated[int, Ge(3)] = 5


@dataclass(frozen=True, kw_only=True)
class Production:
    """The run that the HPs are for: only costs are told in its units."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    width: Annotated[int, Ge(1)]
    steps: Annotated[int, Ge(1)]
    batch_size: Annotated[int, Ge(1)]


@dataclass(frozen=True, kw_only=True)
class CoordCheck:
    """Stage `coordinate check`: a few steps at each width, before anything is swept.

    `gate` says what a failed check does to `run`; `widths` None: those of the study, the widest
    left out, down to three, where the check would take more than about ten minutes. `lr` None:
    the largest at which the median module changes by half. Seeds are added until a slope of 0.25
    would be seen, at most up to `max_seeds`. `tolerance` is of growth; an update may fall by 0.1
    more.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    gate: Literal["stop", "warn", "skip"] = "stop"
    widths: tuple[Annotated[int, Ge(1)], ...] | None = None
    seeds: Annotated[int, Ge(2)] = 3
    max_seeds: Annotated[int, Ge(2)] = 16
    steps: Annotated[int, Ge(3)] = 4
    batch_size: Annotated[int, Ge(1)] = 16
    lr: Annotated[float, Gt(0)] | None = None
    tolerance: Annotated[float, Gt(0)] = 0.15


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What one trial gets and where trials run. Only device and threads enter identities."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    cpus_per_trial: Annotated[float, Gt(0)] = 1
    gpus_per_trial: Annotated[float, Ge(0)] = 0
    max_concurrent: Annotated[int, Ge(1)] | None = None
    address: str | None = None
    max_failures: Annotated[int, Ge(0)] = 2
    checkpoint_every_s: Annotated[float, Gt(0)] = 30

    @property
    def device(self) -> pc.Device:
        """'cuda' where a trial has a GPU (or a share of one), else 'cpu'."""
        return "cuda" if self.gpus_per_trial > 0 else "cpu"

    @property
    def threads(self) -> int:
        """Torch's intra-op threads of one trial."""
        return max(1, int(self.cpus_per_trial))
