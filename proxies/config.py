"""The configuration of one trial: the one place where defaults live.

Plain frozen dataclasses. Field constraints are annotations (`annotated_types`), which pydantic
enforces when a spec embeds these classes; rules across fields are in `faults`.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, Self

from annotated_types import Ge, Gt, Le, Lt

Arm = Literal["mup", "sp"]
Device = Literal["cpu", "cuda"]
Count = Annotated[int, Ge(1)]
Positive = Annotated[float, Gt(0)]
NonNegative = Annotated[float, Ge(0)]
# Zero is left out: a decay over, or a horizon of, no steps has no meaning.
Fraction = Annotated[float, Gt(0), Le(1)]
Beta = Annotated[float, Ge(0), Lt(1)]

_STRICT: dict[str, Any] = {"extra": "forbid", "allow_inf_nan": False}


class ConfigError(ValueError):
    """A configuration that no trial can be made of; the text says where, the rule, and a remedy."""


class Fault(NamedTuple):
    """One broken rule: where it is in the configuration, the rule, what was found, what to do."""

    path: tuple[str, ...]
    rule: str
    got: Any
    remedy: str

    def __str__(self) -> str:
        """Return the fault as one sentence."""
        return f"{'.'.join(self.path)}: {self.rule}; got {self.got}; {self.remedy}"


@dataclass(frozen=True, kw_only=True)
class DiTConfig:
    """A DiT of any width (arXiv 2212.09748), with the choices that μP leaves open.

    Defaults follow the code of arXiv 2505.15270: adaLN gates with fan-in init instead of zero, a
    zero readout, a label table N(0, 1). `base_width` is the width where μP and SP agree.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    family: Literal["dit"] = "dit"
    depth: Count
    head_dim: Count
    base_width: Count
    patch_size: Count
    mlp_ratio: Positive = 4.0
    adaln: Literal["fan_in", "zero"] = "fan_in"
    zero_readout: bool = True
    learn_sigma: bool = False
    embedding_std: Positive = 1.0


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """The data set and how it is fed: `val_draws` (t, noise) pairs per validation image."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    source: Literal["digits"] = "digits"
    label_dropout: Annotated[float, Ge(0), Lt(1)] = 0.1
    val_draws: Count = 4


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """The diffusion loss. `t_distribution` is of rectified flow, `n_timesteps` of DDPM."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

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

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

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
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    lr: Positive
    init_std: Positive = 1.0
    init_std_hidden: Positive = 1.0
    init_std_input: Positive = 1.0
    init_std_vector: Positive = 1.0
    output_mult: Positive = 1.0
    weight_decay: NonNegative = 0.0
    warmup_steps: Annotated[int, Ge(0)] = 0
    grad_clip: Positive | None = None

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

# With a second family this becomes a union, told apart by `family`.
ModelConfig = DiTConfig
MODEL_CONFIGS: dict[str, type[ModelConfig]] = {"dit": DiTConfig}


@dataclass(frozen=True, kw_only=True)
class TrialConfig:
    """All that determines one trial."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    model: ModelConfig
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    objective: ObjectiveConfig = dataclasses.field(default_factory=ObjectiveConfig)
    train: TrainConfig
    hps: HPs
    width: Count
    arm: Arm = "mup"
    seed: Annotated[int, Ge(0)] = 0
    device: Device = "cpu"
    threads: Count = 1

    @property
    def base_width(self) -> int:
        """Width where μP and SP agree."""
        return self.model.base_width

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data; `from_dict` gives the equal configuration back."""
        plain = dataclasses.asdict(self)
        plain["train"]["betas"] = list(self.train.betas)
        return plain

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
            parts["data"] = DataConfig(**parts.get("data", {}))
            parts["objective"] = ObjectiveConfig(**parts.get("objective", {}))
            parts["train"] = TrainConfig(**train)
            parts["hps"] = HPs(**parts["hps"])
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
    image_shape: tuple[int, int, int],
    hps: HPs | None = None,
) -> list[Fault]:
    """Return every broken rule that spans several fields, in reading order; empty when sound.

    Args:
        model: Options of the model.
        objective: The diffusion loss.
        train: How a trial trains.
        widths: Widths that are to be built; the base width is looked at in any case.
        image_shape: (channels, side, side) of the data.
        hps: Base HPs, where they are known already.
    """
    found = width_faults(model, model.base_width, ("model", "base_width"))
    for width in widths:
        found += width_faults(model, width, ("width",))
    found += image_faults(model, image_shape)
    is_ddpm = objective.kind == "ddpm"
    if model.learn_sigma and not is_ddpm:
        path, rule = ("model", "learn_sigma"), "a learned σ belongs to the ddpm objective"
        found.append(Fault(path, rule, True, "set it to false, or objective.kind to ddpm"))
    if is_ddpm and objective.t_distribution != "uniform":
        path, rule = ("objective", "t_distribution"), "ddpm draws its timesteps uniformly"
        found.append(Fault(path, rule, objective.t_distribution, "leave it out"))
    if hps is not None and hps.warmup_steps >= train.steps:
        rule = f"the warmup ends before the last of {train.steps} steps"
        path = ("hps", "warmup_steps")
        found.append(Fault(path, rule, hps.warmup_steps, "shorten it or train longer"))
    return found


def width_faults(model: ModelConfig, width: int, path: tuple[str, ...]) -> list[Fault]:
    """Return the rules that one width of a model breaks: width grows by heads of fixed size."""
    found = []
    if width % model.head_dim:
        rule = f"a width is a multiple of head_dim = {model.head_dim}"
        below = max(model.head_dim, width // model.head_dim * model.head_dim)
        found.append(Fault(path, rule, width, f"take {below} or {below + model.head_dim}"))
    if width % 4:
        rule = "2-D sine-cosine positions need a width that is a multiple of 4"
        found.append(Fault(path, rule, width, f"take {(width // 4 + 1) * 4}"))
    if (hidden := model.mlp_ratio * width) != int(hidden):
        rule = f"mlp_ratio × width is whole (mlp_ratio = {model.mlp_ratio})"
        found.append(Fault(path, rule, hidden, "take another mlp_ratio, such as 4"))
    return found


def image_faults(model: ModelConfig, image_shape: tuple[int, int, int]) -> list[Fault]:
    """Return the rules that a model breaks on images of (channels, height, width)."""
    _, height, side = image_shape
    if height != side:
        return [Fault(("data",), "images are square", image_shape, "crop them")]
    if side % model.patch_size:
        rule = f"the patch size divides the image side, {side}"
        remedy = f"take one of {[p for p in range(1, side + 1) if side % p == 0]}"
        return [Fault(("model", "patch_size"), rule, model.patch_size, remedy)]
    return []
