"""The sections of a study as typed data. Every default of the sweep is here.

Defaults of models, data, objectives and training are in ``proxies.config``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Literal

from annotated_types import Ge, Le

from mutransfer.proxies.config import Device
from mutransfer.proxies.config.model import CustomConfig, ModelConfig
from mutransfer.proxies.config.scaling import ScalingRule
from mutransfer.proxies.config.trial import TrainConfig
from mutransfer.proxies.fields import (
    MAX_COUNT,
    STRICT,
    Count,
    Depth,
    Fraction,
    NonNegative,
    Positive,
    Width,
)
from mutransfer.words import HPName, StudyAxis

Logger = Literal["tensorboard", "wandb", "mlflow"]
Method = Literal["tpe", "gp", "qmc", "random", "grid"]
AxisValues = tuple[Count, ...]
Points = Annotated[int, Ge(3), Le(MAX_COUNT)]
# Rows of one study that are read and planned in minutes; each is a training run.
MAX_TRIALS = 100_000


@dataclass(frozen=True, kw_only=True)
class Metric:
    """The objective: the loss on the fixed validation set."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    name: Literal["val_loss"] = "val_loss"
    goal: Literal["minimize"] = "minimize"


@dataclass(frozen=True, kw_only=True)
class Search:
    """Stage `search`: Optuna proposes ``trials`` sets, ``generation`` at a time, at one width.

    Along another axis the search is at the batch size, steps or depth of `train` and `model`.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    width: Width
    trials: Count
    generation: Count = 8


# The key of `transfer` that holds the ladder of each axis.
LADDERS: dict[StudyAxis, str] = {
    "width": "widths",
    "batch_size": "batch_sizes",
    "steps": "steps",
    "depth": "depths",
}
Control = Literal["sp", "unscaled", "none"]


@dataclass(frozen=True, kw_only=True)
class SliceSize:
    """The first values of a slice, `points` of them `spacing_log2` octaves apart, and its seeds.

    Under `at` of `transfer`, what is None is that of `transfer`.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    points: Points | None = None
    spacing_log2: Positive | None = None
    seeds: Count | None = None


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Stage `slices`: each HP of ``parameters`` varied on the lattice at each value of the axis.

    The axis values are given under the axis's key: `widths`, `batch_sizes`, `steps` or `depths`. A
    slice starts with `points` values, `spacing_log2` octaves apart, and gains at most `max_extend`
    on each side; `at` gives the slices of single axis values another size. `rule` scales base HPs
    along an axis other than width. `control`, off unless given, is SP along width; along another
    axis `unscaled` is the ladder without the rule.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    axis: StudyAxis = "width"
    parameters: tuple[HPName, ...] = ("lr",)
    widths: tuple[Width, ...] | None = None
    batch_sizes: AxisValues | None = None
    steps: AxisValues | None = None
    depths: tuple[Depth, ...] | None = None
    rule: ScalingRule | None = None
    points: Points = 7
    spacing_log2: Positive = 1.0
    refine: bool = True
    max_extend: Annotated[int, Ge(0), Le(MAX_COUNT)] = 4
    seeds: Count = 3
    at: Mapping[int, SliceSize] | None = None
    control: Control = "none"
    control_parameters: tuple[HPName, ...] | None = None

    @property
    def axis_values(self) -> AxisValues:
        """The ladder; empty where it is not given."""
        return getattr(self, LADDERS[self.axis]) or ()

    def size_at(self, axis_value: int) -> SliceSize:
        """The size of the slices at an axis value; none of its fields is None."""
        usual = SliceSize(points=self.points, spacing_log2=self.spacing_log2, seeds=self.seeds)
        own = (self.at or {}).get(axis_value, SliceSize())
        return replace(usual, **{k: v for k, v in vars(own).items() if v is not None})


def search_at(axis: StudyAxis, *, model: ModelConfig, train: TrainConfig, search: Search) -> int:
    """The axis value of a study's search; raises ValueError for the depth of a custom model."""
    if axis == "width":
        return search.width
    if axis == "batch_size":
        return train.batch_size
    if axis == "steps":
        return train.steps
    if isinstance(model, CustomConfig):
        raise ValueError("the depth of a custom model is not known; choose another axis")
    return model.depth


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """The regret that the user accepts, fixed before any result: exactly one of the three."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    rel_loss: Positive | None = None
    abs_loss: Positive | None = None
    share_of_width_gain: Positive | None = None

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


Check = Literal["star", "slices"]
# A star starts with the set and its neighbours; two more looks add closer values and a second seed.
MAX_LOOKS = 3
# The keys of `target` that belong to each check, with their defaults.
CHECK_DEFAULTS: dict[Check, dict[str, int]] = {
    "star": {"max_looks": MAX_LOOKS},
    "slices": {"points": 5, "seeds": 3},
}


@dataclass(frozen=True, kw_only=True)
class Target:
    """Stage `target`: the largest axis value that is trained, where the transfer is checked.

    `check` is how. A `star` trains the transferred set and a few neighbours of it, in at most
    `max_looks` batches, until the verdict is PASS or FAIL. `slices` trains a whole slice of each HP
    through the set, which starts with `points` values of `seeds` seeds each. The keys of the other
    check are None.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    width: Width | None = None
    batch_size: Count | None = None
    steps: Count | None = None
    depth: Depth | None = None
    check: Check = "star"
    max_looks: Annotated[int, Ge(1), Le(MAX_LOOKS)] | None = None
    points: Points | None = None
    seeds: Count | None = None
    tolerance: Tolerance

    def __post_init__(self) -> None:
        """Give the keys of the check their defaults."""
        for name, default in CHECK_DEFAULTS[self.check].items():
            if getattr(self, name) is None:
                object.__setattr__(self, name, default)


@dataclass(frozen=True, kw_only=True)
class Convergence:
    """Stage `convergence`, off unless given: the steps μP takes to SP's final loss at the target.

    `default_lr` is a usual LR for untuned SP. The slice in which SP's LR is tuned starts with
    `points` values; it and the compared runs have `seeds` seeds. `n_val` is the number of
    validations on a curve; they do not change the training.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    default_lr: Positive
    n_val: Annotated[int, Ge(5), Le(MAX_COUNT)] = 20
    seeds: Count = 3
    points: Points = 5


@dataclass(frozen=True, kw_only=True)
class Production:
    """The run that the HPs are for, used only as a unit of the study's cost."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    width: Width
    steps: Count
    batch_size: Count


@dataclass(frozen=True, kw_only=True)
class Assume:
    """What `plan` and `check` take for the power of a study before its ladder has run.

    `noise_rel` is the standard deviation of the loss of one run, beyond its seed's shift of all
    losses; `gain_rel` what one octave from the optimum costs: both are shares of the best loss. The
    defaults are those of the dense sweeps near the optimum (benchmarks/results/dense.md).
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    noise_rel: Positive = 0.01
    gain_rel: Positive = 0.05


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What `run` may spend; it ends cleanly where the next trial would exceed a limit.

    `flops` and `trials` count all trials of the study, `wall_s` the seconds of one `run`; trials
    that are running then end first. Where more than `max_failed_fraction` of the trials failed, and
    at least `MIN_FAILED`, the run ends with their errors.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    MIN_FAILED: ClassVar[int] = 3
    flops: Positive | None = None
    wall_s: Positive | None = None
    trials: Count | None = None
    max_failed_fraction: Fraction | None = None


@dataclass(frozen=True, kw_only=True)
class CoordCheck:
    """Stage `coordinate check`: a few steps at each width, before anything is swept.

    `gate`: what a failed check does to `run`. `widths` None: the widths of the study; where the
    check would take more than about ten minutes the widest are left out, but three are kept. `lr`
    None: the largest LR at which the median module changes by half. Seeds are added until a slope
    of 0.25 would be detected, up to `max_seeds`. `tolerance` is the slope that is accepted for
    growth; for an update that shrinks it is larger by 0.1.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    gate: Literal["stop", "warn", "skip"] = "stop"
    widths: tuple[Width, ...] | None = None
    seeds: Annotated[int, Ge(2), Le(MAX_COUNT)] = 3
    max_seeds: Annotated[int, Ge(2), Le(MAX_COUNT)] = 16
    steps: Points = 4
    batch_size: Count = 16
    lr: Positive | None = None
    tolerance: Positive = 0.15


@dataclass(frozen=True, kw_only=True)
class Resources:
    """Resources of a trial and where trials run; only device and threads enter identities.

    `address` is that of a Ray cluster. A trial whose worker died is retried `max_failures` times.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT
    cpus_per_trial: Positive = 1
    gpus_per_trial: NonNegative = 0
    max_concurrent: Count | None = None
    address: str | None = None
    max_failures: Annotated[int, Ge(0), Le(MAX_COUNT)] = 2
    checkpoint_every_s: Positive = 30

    @property
    def device(self) -> Device:
        """'cuda' where a trial has a GPU (or a share of one), else 'cpu'."""
        return "cuda" if self.gpus_per_trial > 0 else "cpu"

    @property
    def threads(self) -> int:
        """Intra-op threads of torch in one trial."""
        return max(1, int(self.cpus_per_trial))
