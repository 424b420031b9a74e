"""Rules that carry base HPs along batch size, steps or depth; off by default.

Each is in powers of k, a trial's value on the axis over the axis value of the base HPs:

- `sqrt_batch` (Malladi et al., arXiv 2205.10287): LR × √k, ε / √k and, with `scale_betas`,
  1 − β × k; weight decay × √k in PyTorch's form (arXiv 2512.22382). It is derived for a fixed
  number of samples, steps / k; along our axis the number of steps is fixed.
- `horizon` (arXiv 2512.22382): LR and weight decay / √k for k times the steps at one batch size,
  observed on cosine schedules.
- `completep` (CompleteP, arXiv 2505.01618), α in [0.5, 1]: every residual branch × k^−α; in the
  blocks LR × k^(α−1) and ε × k^−α. Its rules in width are μP's, which the plan has anyway.
"""

import math
from dataclasses import dataclass
from typing import Literal

from mutransfer.words import StudyAxis

RuleKind = Literal["sqrt_batch", "horizon", "completep"]
AXIS_OF: dict[RuleKind, StudyAxis] = {
    "sqrt_batch": "batch_size",
    "horizon": "steps",
    "completep": "depth",
}


@dataclass(frozen=True, kw_only=True)
class Factors:
    """Factors of a rule: on all tensors, on those in residual blocks, and on residual branches."""

    lr: float = 1.0
    weight_decay: float = 1.0
    eps: float = 1.0
    block_lr: float = 1.0
    block_eps: float = 1.0
    residual: float = 1.0


def factors(kind: RuleKind, k: float, *, alpha: float = 1.0) -> Factors:
    """Return a rule's factors at k times the base; all are exactly 1 at k = 1.

    Args:
        kind: The rule.
        k: The trial's value on the rule's axis over the axis value of the base HPs.
        alpha: CompleteP's α.
    """
    root = math.sqrt(k)
    if kind == "sqrt_batch":
        return Factors(lr=root, weight_decay=root, eps=1 / root)
    if kind == "horizon":
        return Factors(lr=1 / root, weight_decay=1 / root)
    shrinkage = k**-alpha
    return Factors(block_lr=k ** (alpha - 1), block_eps=shrinkage, residual=shrinkage)


def betas(k: float, base: tuple[float, float]) -> tuple[float, float]:
    """Return Adam's (β₁, β₂) at k times the base batch: 1 − β is multiplied by k."""
    return base if k == 1 else (1 - k * (1 - base[0]), 1 - k * (1 - base[1]))
