"""Optimizers: the rule that each follows, and whether an optimizer fits the groups that it got."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch

from mutransfer.proxies.mup.parameters import PlanError
from mutransfer.proxies.mup.rules import ABSORBED_LR, LR_POWERS, Kind, Role, scaled

Algorithm = Literal["adamw", "adam", "lion", "sgd", "muon"]
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
KIND_OF: Mapping[str, Kind] = {
    "adamw": "entrywise",
    "adam": "entrywise",
    "lion": "entrywise",
    "sgd": "gradient",
    "muon": "orthogonal",
}
HAS_EPS = ("adamw", "adam")  # of which ε is scaled
AdjustLR = Literal["original", "match_rms_adamw"]
Decay = Literal["coupled", "independent"]


@dataclass(frozen=True, kw_only=True)
class OptimizerRule:
    """What of an optimizer acts through a plan.

    Attributes:
        name: The optimizer. `muon` trains hidden matrices with Muon and all else with AdamW.
        adjust_lr_fn: How Muon adjusts its LR to a matrix of out × in, as in `torch.optim.Muon`:
            original, √max(1, out/in), or match_rms_adamw, 0.2·√max(out, in). With the latter its
            updates are as large as AdamW's at base width, so that both share one base LR.
        hidden_lr_power: Power of b in the LR of hidden matrices; None: that of the rule.
        decay: coupled: a step shrinks weights by LR × weight decay. independent: by the weight
            decay itself at the peak LR, whatever the base LR is.
        decay_power: Power p of b by which the shrinkage of hidden matrices in a step scales. 0: the
            time scale 1 / (LR × weight decay) is constant in width.
    """

    name: Algorithm = "adamw"
    adjust_lr_fn: AdjustLR = "match_rms_adamw"
    hidden_lr_power: float | None = None
    decay: Decay = "coupled"
    decay_power: float = 0.0


ADAMW = OptimizerRule()


def rule_of(optimizer: "str | Mapping[str, Any] | OptimizerRule | None") -> OptimizerRule:
    """Return the rule of an optimizer that is given by its name, or by the rule's fields.

    Raises:
        PlanError: there is no rule for an optimizer of this name.
    """
    if optimizer is None:
        return ADAMW
    if isinstance(optimizer, OptimizerRule):
        options = {f.name: getattr(optimizer, f.name) for f in dataclasses.fields(OptimizerRule)}
    else:
        options = {"name": optimizer} if isinstance(optimizer, str) else dict(optimizer)
    if options.get("name", "adamw") not in ALGORITHMS:
        raise PlanError(
            f"optimizer: there are rules for {', '.join(ALGORITHMS)}; got {options['name']!r}; "
            "take one of them"
        )
    return OptimizerRule(**options)


def algorithm_of(rule: OptimizerRule, role: Role, shape: tuple[int, ...]) -> Algorithm:
    """Return the algorithm that a tensor trains with: under Muon, AdamW but for hidden matrices."""
    if rule.name != "muon":
        return rule.name
    return "muon" if role == "hidden" and len(shape) == 2 else "adamw"


@dataclass(frozen=True, kw_only=True)
class TensorSize:
    """The size of a tensor as the rules need it.

    Attributes:
        role: See `rules.Role`.
        shape: As in torch, at this width.
        fan_in: Number of terms that it sums over.
        a: Fan-out over that at base width.
        b: Fan-in over that at base width.
    """

    role: Role
    shape: tuple[int, ...]
    fan_in: int
    a: float
    b: float


def lr_factor(rule: OptimizerRule, size: TensorSize) -> float:
    """Return the factor on the base LR of a tensor under μP, without an absorbed multiplier."""
    if size.role == "hidden" and rule.hidden_lr_power is not None:
        return float(size.b**rule.hidden_lr_power)
    algorithm = algorithm_of(rule, size.role, size.shape)
    powers = LR_POWERS[KIND_OF[algorithm]][size.role]
    if algorithm == "muon":
        spectral = math.sqrt(size.a / size.b)
        return spectral * _adjustment(rule, _base_shape(size)) / _adjustment(rule, size.shape)
    return scaled(scaled(1.0, size.a, powers.fan_out), size.b, powers.fan_in)


def decay_factor(rule: OptimizerRule, size: TensorSize) -> float:
    """Return the factor on the base weight decay: LR × weight decay is in proportion to b^p."""
    power = rule.decay_power if size.role == "hidden" else 0.0
    algorithm = algorithm_of(rule, size.role, size.shape)
    if algorithm == "muon" or (size.role == "hidden" and rule.hidden_lr_power is not None):
        inverse = 1 / lr_factor(rule, size)
    else:
        powers = LR_POWERS[KIND_OF[algorithm]][size.role]
        inverse = scaled(scaled(1.0, size.a, -powers.fan_out), size.b, -powers.fan_in)
    return float(inverse * size.b**power) if power else inverse


def absorbed_lr(value: float, algorithm: Algorithm, multiplier: float) -> float:
    """Return an LR of a tensor that absorbs a multiplier on its layer's input."""
    for _ in range(ABSORBED_LR[KIND_OF[algorithm]]):
        value = value * multiplier
    return value


def absorbed_decay(value: float, algorithm: Algorithm, multiplier: float) -> float:
    """Return the weight decay of such a tensor: LR × weight decay is as without."""
    for _ in range(ABSORBED_LR[KIND_OF[algorithm]]):
        value = value / multiplier
    return value


def _adjustment(rule: OptimizerRule, shape: tuple[float, ...]) -> float:
    """Return the factor by which torch's Muon adjusts the LR of a matrix."""
    if rule.adjust_lr_fn == "original":
        return math.sqrt(max(1.0, shape[0] / shape[1]))
    return 0.2 * math.sqrt(max(shape[0], shape[1]))


def _base_shape(size: TensorSize) -> tuple[float, float]:
    """Return the shape of a matrix at base width, its axes as in torch."""
    first, second = size.shape
    is_transposed = first != second and size.fan_in == first
    of_first, of_second = (size.b, size.a) if is_transposed else (size.a, size.b)
    return first / of_first, second / of_second


# By a part of the class's name in lower case, the first match counts; None: there is no rule for
# it. Sources: the table of `rules`; docs/optimizers.md.
KIND_OF_CLASS: tuple[tuple[str, Kind | None], ...] = (
    ("muon", "orthogonal"),
    ("adafactor", None),
    ("adadelta", None),
    ("shampoo", None),
    ("soap", None),
    ("sophia", None),
    ("lamb", None),
    ("lars", None),
    ("lbfgs", None),
    ("rprop", None),
    ("adam", "entrywise"),
    ("adagrad", "entrywise"),
    ("rmsprop", "entrywise"),
    ("lion", "entrywise"),
    ("sgd", "gradient"),
)
# Their weight decay is added to the gradient, and so divided by its size.
COUPLED = ("Adam", "NAdam", "RAdam", "Adamax", "Adagrad", "RMSprop")


def kind_of(optimizer: torch.optim.Optimizer, group: Mapping[str, Any]) -> Kind | None:
    """Return how an optimizer updates a group, by its class; None where there is no rule for it.

    Of an optimizer of several algorithms it is that of the group.
    """
    if getattr(optimizer, "has_group_algorithms", False):
        return KIND_OF[group["algorithm"]]
    name = type(optimizer).__name__.lower()
    return next((kind for part, kind in KIND_OF_CLASS if part in name), None)


def fault_of_class(optimizer: torch.optim.Optimizer, group: Mapping[str, Any]) -> str | None:
    """Return why an optimizer must not have a group of `mup.param_groups`; None if it may."""
    algorithm, name = group["algorithm"], type(optimizer).__name__
    if all(part not in name.lower() for part, _ in KIND_OF_CLASS) and not hasattr(
        optimizer, "has_group_algorithms"
    ):
        return (
            f"{name} is no optimizer whose rule is known; the groups are for {algorithm}; derive "
            f"its class from that of an optimizer with one, and name it after it"
        )
    kind = kind_of(optimizer, group)
    if kind is None:
        return f"there is no rule for {name}; take one of {', '.join(ALGORITHMS)}"
    if kind != KIND_OF[algorithm]:
        own = " or ".join(a for a in ALGORITHMS if KIND_OF[a] == kind)
        return (
            f"the groups are for {algorithm}; got {name}, whose updates have another size; make "
            f'them for it: mup.param_groups(…, optimizer="{own}")'
        )
    is_coupled = name in COUPLED and not group.get("decoupled_weight_decay", False)
    if is_coupled and group.get("weight_decay", 0.0):
        return (
            f"{name} adds weight decay to the gradient and divides both by its size, so it does "
            "not scale with width (Tensor Programs V, appendix B.3); take AdamW, or no weight decay"
        )
    return None
