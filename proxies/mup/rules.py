"""The rules of μP as one table: powers of width, by role and quantity.

"Width" is what a tensor itself reads: b, its fan-in over that at base width. It is m = n / n0
except where a fixed and a growing input are concatenated, or a hidden size is rounded.

Source: Tensor Programs V (arXiv 2203.03466), Table 8, for Adam and AdamW; weight decay after
arXiv 2505.15270, Table 1; ε after appendix B.3 of the former. Both tables give variances; this
one gives stds, whose powers are half as large.
"""

import math
from collections.abc import Mapping
from typing import Literal, NamedTuple, get_args

from mutransfer.words import Arm

# By the dimensions that grow with width (Tensor Programs V, appendix B): input: fan-out alone;
# hidden: both; output: fan-in alone; vector: the only one, or the last, of a tensor that is no
# matrix (bias, gain, position table); scalar: none.
Role = Literal["input", "hidden", "output", "vector", "scalar"]
ROLES: tuple[Role, ...] = get_args(Role)


class Rule(NamedTuple):
    """Powers of a tensor's own fan-in ratio b by which its quantities scale; 0: constant in width.

    The own ratio is what √(fan_in / fan_out) · ‖ΔW‖₂ = Θ(1) asks for (arXiv 2310.17813), and what
    microsoft/mup takes.

    Attributes:
        multiplier: Power of the multiplier on the layer's input.
        std: Power of the std at initialization.
        lr: Power of the learning rate.
        wd: Power of weight decay in PyTorch's form: a step shrinks a weight by lr × wd of itself.
        eps: Power of Adam's ε, of m instead of b: gradients of a mean loss are Θ(1/n) whatever a
            tensor reads. Applied only with `scale_eps`.
        decays: Whether weight decay acts on the role.
    """

    multiplier: int = 0
    std: float = 0
    lr: int = 0
    wd: int = 0
    eps: int = 0
    decays: bool = True


RULES: Mapping[Role, Rule] = {
    "input": Rule(multiplier=0, std=0, lr=0, wd=0, eps=-1),
    "hidden": Rule(multiplier=0, std=-1 / 2, lr=-1, wd=+1, eps=-1),
    "output": Rule(multiplier=-1, std=0, lr=0, wd=0, eps=-1),
    "vector": Rule(multiplier=0, std=0, lr=0, wd=0, eps=-1, decays=False),
    "scalar": Rule(multiplier=0, std=0, lr=0, wd=0, eps=-1, decays=False),
}

# The standard parametrization: no hyperparameter depends on width.
SP_RULES: Mapping[Role, Rule] = {role: Rule(decays=rule.decays) for role, rule in RULES.items()}

# "unscaled" leaves out the rule for batch size, steps or depth; in width it is μP.
RULES_OF: Mapping[Arm, Mapping[Role, Rule]] = {"mup": RULES, "sp": SP_RULES, "unscaled": RULES}


class Absorbed(NamedTuple):
    """Powers of an output multiplier f where the weight, not the layer's input, absorbs it."""

    std: int
    lr: int
    wd: int
    eps: int
    grad: int


# Tensor Programs V, lemma J.1: a multiplier f on the weight is the same as std × f and, for Adam,
# LR × f. The gradient is then 1/f times as large, hence ε / f. Weight decay / f keeps LR × weight
# decay, by which a step shrinks the weight.
ABSORBED = Absorbed(std=+1, lr=+1, wd=-1, eps=-1, grad=-1)


def scaled(value: float, base: float, power: float) -> float:
    """Return value × base^power for a power of -1, 0, 1/2 or 1.

    Division and square root are correctly rounded, which `**` need not be; plans enter the
    identities of trials, so every bit counts.

    Raises:
        ValueError: another power, which no rule has.
    """
    if power == 0:
        return value
    if power == 1:
        return value * base
    if power == -1:
        return value / base
    if power == 1 / 2:
        return value * math.sqrt(base)
    raise ValueError(f"scaled: a power is -1, 0, 1/2 or 1; got {power}; add it here")
