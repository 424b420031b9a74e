"""Rules that carry base HPs along batch size, steps or depth; off unless asked for.

Each is written by k, a trial's place on the axis over the place where base HPs are written:

- `sqrt_batch` (Malladi et al., arXiv 2205.10287): LR × √k, ε / √k and, with `scale_betas`,
  1 − β × k; weight decay × √k in PyTorch's form (arXiv 2512.22382). It is derived for a fixed
  number of samples, steps / k; along our axis the number of steps is fixed.
- `horizon` (arXiv 2512.22382): LR and weight decay / √k for k times the steps at one batch size,
  observed on cosine schedules.
- `completep` (CompleteP, arXiv 2505.01618), α in [0.5, 1]: every residual branch × k^−α; in the
  blocks LR × k^(α−1) and ε × k^−α. Its rules of width are μP's, which the plan has in any case.
"""

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, get_args

from annotated_types import Ge, Le

from mutransfer.proxies.fields import STRICT, Count

Axis = Literal["width", "batch_size", "steps", "depth"]
AXES: tuple[Axis, ...] = get_args(Axis)
RuleKind = Literal["sqrt_batch", "horizon", "completep"]
AXIS_OF: dict[RuleKind, Axis] = {
    "sqrt_batch": "batch_size",
    "horizon": "steps",
    "completep": "depth",
}


@dataclass(frozen=True, kw_only=True)
class ScalingRule:
    """A rule and its options: `alpha` is CompleteP's, `scale_betas` the √ rule's."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    kind: RuleKind
    alpha: Annotated[float, Ge(0.5), Le(1)] = 1.0
    scale_betas: bool = False

    @property
    def axis(self) -> Axis:
        """The axis that it is about."""
        return AXIS_OF[self.kind]


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """A rule with the place on its axis where base HPs are written."""

    __pydantic_config__: ClassVar[dict[str, Any]] = STRICT

    rule: ScalingRule
    base: Count


@dataclass(frozen=True, kw_only=True)
class Factors:
    """What a rule multiplies, at one place: of all tensors, and of those in residual blocks."""

    lr: float = 1.0
    weight_decay: float = 1.0
    eps: float = 1.0
    block_lr: float = 1.0
    block_eps: float = 1.0
    residual: float = 1.0


def factors(scaling: Scaling, axis_value: int) -> Factors:
    """Return a rule's factors at a place; all are exactly 1 at the base."""
    rule, k = scaling.rule, axis_value / scaling.base
    if rule.kind == "sqrt_batch":
        root = math.sqrt(k)
        return Factors(lr=root, weight_decay=root, eps=1 / root)
    if rule.kind == "horizon":
        root = math.sqrt(k)
        return Factors(lr=1 / root, weight_decay=1 / root)
    shrunk = k**-rule.alpha
    return Factors(block_lr=k ** (rule.alpha - 1), block_eps=shrunk, residual=shrunk)


def betas(scaling: Scaling, axis_value: int, base: tuple[float, float]) -> tuple[float, float]:
    """Return Adam's β at a place; those of the base unless the rule scales them."""
    k = axis_value / scaling.base
    if not scaling.rule.scale_betas or k == 1:
        return base
    return 1 - k * (1 - base[0]), 1 - k * (1 - base[1])
