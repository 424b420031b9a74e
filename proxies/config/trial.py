"""The configuration of one trial, with all defaults except those of models and data.

Plain frozen dataclasses. Constraints of a field are annotations (`annotated_types`), which pydantic
enforces when a spec embeds these classes; those that span several fields are in `constraints`.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

from annotated_types import Ge, Le

from mutransfer.proxies.config.data import DATA_CONFIGS, DataConfig, DigitsConfig
from mutransfer.proxies.config.model import MODEL_CONFIGS, ModelConfig, repa_block
from mutransfer.proxies.config.optimizer import ADAMW, OptimizerConfig
from mutransfer.proxies.config.recorded import Recorded
from mutransfer.proxies.config.scaling import Scaling, ScalingRule
from mutransfer.proxies.errors import ConfigError
from mutransfer.proxies.fields import STRICT, Beta, Count, Fraction, NonNegative, Positive
from mutransfer.proxies.mup.schedule import Schedule
from mutransfer.words import Arm, StudyAxis, round_hp

Device = Literal["cpu", "cuda"]


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """The diffusion loss; `t_distribution` is for rectified flow, `n_timesteps` for DDPM."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    kind: Literal["rectified_flow", "ddpm"] = "rectified_flow"
    t_distribution: Literal["uniform", "logit_normal"] = "uniform"
    n_timesteps: Annotated[int, Ge(2)] = 1000


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a trial trains, apart from the base HPs.

    Attributes:
        steps: Optimizer steps.
        batch_size: Images per step.
        schedule: LR schedule after the warmup.
        decay_frac: Share of the steps in which a WSD schedule decays.
        final_lr_frac: LR at the end of a decay, as a share of the peak.
        optimizer: The optimizer, by its name or with options.
        betas: β of Adam, AdamW and Lion.
        eps: Adam's ε; small, because the first gradients under a zero readout are tiny.
        scale_eps: Scale ε with width, as 1/m.
        ema_frac: Horizon of the EMA as a share of the steps, since a fixed decay would average over
            another share of a run of another length; None: no EMA.
        precision: Precision of the forward pass; bf16 is by autocast.
        compile: Use torch.compile.
        fused: Use the fused AdamW, Adam or SGD.
        log_every: Steps between two points of the training curve; None: about 50 points per run.
        n_val: Validations, evenly spaced, the last at the end; one more precedes the first step.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    steps: Count
    batch_size: Count
    schedule: Schedule = "constant"
    decay_frac: Fraction = 0.2
    final_lr_frac: Annotated[float, Ge(0), Le(1)] = 0.0
    optimizer: OptimizerConfig = ADAMW
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

    They are rounded here so that the value that runs and the value that is hashed into an identity
    are equal. `repa_weight` multiplies the loss of REPA; None becomes `REPA_WEIGHT` in a
    `TrialConfig` whose model has a projector. `adamw_lr`: under `muon`, of what trains with AdamW;
    None: the optimizer's option of this name, else `lr`.
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
    adamw_lr: Positive | None = None

    def __post_init__(self) -> None:
        """Round every real value."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name != "warmup_steps" and value is not None:
                object.__setattr__(self, field.name, round_hp(float(value)))

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
    stands for the file with the trial's configuration. A program that reports nothing for
    `silence_s` seconds is stopped.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    run: str | None = None
    command: str | None = None
    silence_s: Positive = 600.0


def references(
    model: ModelConfig, data: DataConfig, trainer: TrainerConfig | None
) -> tuple[str, ...]:
    """Return the user's own functions in a configuration, as `package.module:function`."""
    keys: list[tuple[object, str]] = [(model, "build"), (model, "loss"), (data, "build")]
    named = (getattr(section, key, None) for section, key in [*keys, (trainer, "run")])
    return tuple(name for name in named if name)


def code_names(
    model: ModelConfig, data: DataConfig, trainer: TrainerConfig | None
) -> tuple[str, ...]:
    """Return the user's own functions and command in a configuration, for `user_code.allow`."""
    command = trainer.command if trainer else None
    return references(model, data, trainer) + ((command,) if command else ())


@dataclass(frozen=True, kw_only=True)
class TrialConfig:
    """Everything that determines one trial.

    `code`: the digest that names the user's own code in the trial's identity, where the user says
    that their code computes the same as the code of that digest; None: the digest of the code.
    `recorded`: facts to use instead of the data and of the user's own code, which are then neither
    opened nor imported; None: the data and the code themselves.
    """

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
    scaling: Scaling | None = None  # applies in the arm "mup" only
    code: str | None = None
    recorded: Recorded | None = None

    def __post_init__(self) -> None:
        """Fill in the default weight of REPA where the model has a projector."""
        if self.hps.repa_weight is None and repa_block(self.model) is not None:
            hps = dataclasses.replace(self.hps, repa_weight=REPA_WEIGHT)
            object.__setattr__(self, "hps", hps)

    @property
    def base_width(self) -> int:
        """Width where μP and SP agree."""
        return self.model.base_width

    def axis_value(self, axis: StudyAxis) -> int:
        """Return the trial's value on an axis.

        Raises:
            AttributeError: depth, of a user's own module: it is unknown.
        """
        if axis == "width":
            return self.width
        return int(getattr(self.model if axis == "depth" else self.train, axis))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON data from which `from_dict` makes an equal configuration."""
        plain = dataclasses.asdict(dataclasses.replace(self, recorded=None))
        del plain["recorded"]
        return json.loads(json.dumps(plain))

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """Return the configuration that `to_dict` wrote.

        Raises:
            ConfigError: a key is missing or unknown. Ranges are checked by the spec.
        """
        parts = dict(plain)
        train = dict(parts.get("train", {}))
        train["betas"] = tuple(train.get("betas", TrainConfig.betas))
        try:
            train["optimizer"] = OptimizerConfig(**train.get("optimizer", {}))
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
