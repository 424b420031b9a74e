"""The configuration of one trial; with `model_config` and `data_config`, where defaults live.

Plain frozen dataclasses. Field constraints are annotations (`annotated_types`), which pydantic
enforces when a spec embeds these classes; rules across fields are in `faults`.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

from annotated_types import Ge, Le

from mutransfer.proxies.batch import DataInfo
from mutransfer.proxies.config.data import DATA_CONFIGS, CustomDataConfig, DataConfig, DigitsConfig
from mutransfer.proxies.config.model import (
    MODEL_CONFIGS,
    CustomConfig,
    DiTConfig,
    MMDiTConfig,
    ModelConfig,
    PixArtConfig,
    UViTConfig,
    data_faults,
    depth_faults,
    learns_sigma,
    repa_block,
    width_faults,
)
from mutransfer.proxies.config.scaling import Scaling, ScalingRule
from mutransfer.proxies.errors import ConfigError, Fault
from mutransfer.proxies.fields import STRICT, Beta, Count, Fraction, NonNegative, Positive
from mutransfer.words import Arm, Axis

__all__ = [
    "MODEL_CONFIGS",
    "Arm",
    "Axis",
    "ConfigError",
    "CustomConfig",
    "CustomDataConfig",
    "DataConfig",
    "Device",
    "DiTConfig",
    "DigitsConfig",
    "Fault",
    "HPs",
    "MMDiTConfig",
    "ModelConfig",
    "ObjectiveConfig",
    "PixArtConfig",
    "Scaling",
    "ScalingRule",
    "TrainConfig",
    "TrainerConfig",
    "TrialConfig",
    "UViTConfig",
    "data_faults",
    "depth_faults",
    "faults",
    "learns_sigma",
    "repa_block",
    "width_faults",
]

Device = Literal["cpu", "cuda"]


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """The diffusion loss. `t_distribution` is of rectified flow, `n_timesteps` of DDPM."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    kind: Literal["rectified_flow", "ddpm"] = "rectified_flow"
    t_distribution: Literal["uniform", "logit_normal"] = "uniform"
    n_timesteps: Annotated[int, Ge(2)] = 1000


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a trial trains, apart from the base HPs.

    `decay_frac` is the share of the steps in which a WSD schedule decays. `ema_frac` is the EMA
    horizon as a share of the steps: a fixed decay would mean another average at another length.
    `log_every` None means 50 points a run. `n_val` validations are spread evenly, the last at
    the end, beside the one before the first step. `eps` is small because the first gradients
    under a zero readout are tiny.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    steps: Count
    batch_size: Count
    schedule: Literal["constant", "cosine", "wsd"] = "constant"
    decay_frac: Fraction = 0.2
    final_lr_frac: Annotated[float, Ge(0), Le(1)] = 0.0
    betas: tuple[Beta, Beta] = (0.9, 0.999)
    eps: Positive = 1e-12
    scale_eps: bool = False
    ema_frac: Fraction | None = None
    precision: Literal["fp32", "bf16"] = "fp32"
    compile: bool = False
    fused: bool = True
    log_every: Count | None = None
    n_val: Count = 2

    @property
    def steps_per_log(self) -> int:
        """Steps between two points of the training curve."""
        return self.log_every or max(1, self.steps // 50)


@dataclass(frozen=True, kw_only=True)
class HPs:
    """Base hyperparameters: their values at base width, rounded to 6 significant digits.

    The rounding is here, so that what is run and what is hashed into an identity are one value.
    `repa_weight` multiplies the loss of REPA; None becomes 0.5 in a `TrialConfig` whose model has a
    projector.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    lr: Positive
    init_std: Positive = 1.0
    init_std_hidden: Positive = 1.0
    init_std_input: Positive = 1.0
    init_std_vector: Positive = 1.0
    output_mult: Positive = 1.0
    weight_decay: NonNegative = 0.0
    warmup_steps: Annotated[int, Ge(0)] = 0
    grad_clip: Positive | None = None
    repa_weight: NonNegative | None = None

    def __post_init__(self) -> None:
        """Round every real value."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name != "warmup_steps" and value is not None:
                object.__setattr__(self, field.name, float(f"{float(value):.6g}"))

    def of_plan(self) -> dict[str, float]:
        """Return the HPs that act inside the plan, as keyword arguments of `mup.plan`."""
        return {name: getattr(self, name) for name in PLAN_HPS}

    def outside_plan(self) -> dict[str, float | int | None]:
        """Return the HPs that act in the optimizer and the schedule."""
        return {k: v for k, v in dataclasses.asdict(self).items() if k not in PLAN_HPS}


PLAN_HPS = ("init_std", "init_std_hidden", "init_std_input", "init_std_vector", "output_mult")

# Weight of the alignment in arXiv 2410.06940.
REPA_WEIGHT = 0.5


@dataclass(frozen=True, kw_only=True)
class TrainerConfig:
    """The user's own trainer, in place of ours: exactly one of `run` and `command`.

    `run` is a function, `package.module:function`; `command` a program, in which `{config_json}`
    stands for the file that tells it what to train. A program that is silent for `silence_s`
    seconds is ended.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    run: str | None = None
    command: str | None = None
    silence_s: Positive = 600.0


@dataclass(frozen=True, kw_only=True)
class TrialConfig:
    """All that determines one trial."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    model: ModelConfig
    data: DataConfig = dataclasses.field(default_factory=DigitsConfig)
    objective: ObjectiveConfig = dataclasses.field(default_factory=ObjectiveConfig)
    train: TrainConfig
    hps: HPs
    width: Count
    arm: Arm = "mup"
    seed: Annotated[int, Ge(0)] = 0
    device: Device = "cpu"
    threads: Count = 1
    trainer: TrainerConfig | None = None
    scaling: Scaling | None = None  # acts in the arm "mup" alone

    def __post_init__(self) -> None:
        """Give a model with a projector the weight that it has by default."""
        if self.hps.repa_weight is None and repa_block(self.model) is not None:
            hps = dataclasses.replace(self.hps, repa_weight=REPA_WEIGHT)
            object.__setattr__(self, "hps", hps)

    @property
    def base_width(self) -> int:
        """Width where μP and SP agree."""
        return self.model.base_width

    def axis_value(self, axis: Axis) -> int:
        """Return where on an axis the trial stands.

        Raises:
            AttributeError: the depth of a module of the user's, which has none that we know.
        """
        if axis == "width":
            return self.width
        return int(getattr(self.model if axis == "depth" else self.train, axis))

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data; `from_dict` gives the equal configuration back."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Return the configuration that `to_dict` wrote.

        Raises:
            ConfigError: a key is missing or unknown. Ranges are the spec's matter.
        """
        parts = dict(plain)
        train = dict(parts.get("train", {}))
        train["betas"] = tuple(train.get("betas", TrainConfig.betas))
        try:
            model_class = MODEL_CONFIGS[parts["model"].get("family", "dit")]
            parts["model"] = model_class(**parts["model"])
            given = parts.get("data", {})
            shapes = {k: tuple(v) for k, v in given.items() if isinstance(v, list)}
            parts["data"] = DATA_CONFIGS[given.get("source", "digits")](**given | shapes)
            parts["objective"] = ObjectiveConfig(**parts.get("objective", {}))
            parts["train"] = TrainConfig(**train)
            parts["hps"] = HPs(**parts["hps"])
            trainer = parts.get("trainer")
            parts["trainer"] = None if trainer is None else TrainerConfig(**trainer)
            if (scaling := parts.get("scaling")) is not None:
                parts["scaling"] = Scaling(**{**scaling, "rule": ScalingRule(**scaling["rule"])})
            return cls(**parts)
        except (KeyError, TypeError) as error:
            raise ConfigError(
                f"trial: its keys are those of TrialConfig; got {error}; use TrialConfig.to_dict"
            ) from error


def faults(
    model: ModelConfig,
    objective: ObjectiveConfig,
    train: TrainConfig,
    *,
    widths: Sequence[int],
    info: DataInfo,
    hps: HPs | None = None,
) -> list[Fault]:
    """Return every broken rule that spans several fields, in reading order; empty when sound.

    Args:
        model: Options of the model.
        objective: The diffusion loss.
        train: How a trial trains.
        widths: Widths that are to be built; the base width is looked at in any case.
        info: Shapes of the data.
        hps: Base HPs, where they are known already.
    """
    found = depth_faults(model) + width_faults(model, model.base_width, ("model", "base_width"))
    for width in widths:
        found += width_faults(model, width, ("width",))
    found += data_faults(model, info)
    is_ddpm = objective.kind == "ddpm"
    if learns_sigma(model) and not is_ddpm:
        path, rule = ("model", "learn_sigma"), "a learned σ belongs to the ddpm objective"
        found.append(Fault(path, rule, True, "set it to false, or objective.kind to ddpm"))
    if is_ddpm and objective.t_distribution != "uniform":
        path, rule = ("objective", "t_distribution"), "ddpm draws its timesteps uniformly"
        found.append(Fault(path, rule, objective.t_distribution, "leave it out"))
    if hps is not None and hps.warmup_steps >= train.steps:
        rule = f"the warmup ends before the last of {train.steps} steps"
        path = ("hps", "warmup_steps")
        found.append(Fault(path, rule, hps.warmup_steps, "shorten it or train longer"))
    if hps is not None and hps.repa_weight is not None and repa_block(model) is None:
        path, rule = ("hps", "repa_weight"), "REPA's weight needs a model with a projector"
        found.append(Fault(path, rule, hps.repa_weight, "set model.repa_block, or leave it out"))
    return found
