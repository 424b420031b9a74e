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
MATRIX_ROLES: frozenset[Role] = frozenset({"input", "hidden", "output"})


class Rule(NamedTuple):
    """Powers of a tensor's own fan-in ratio b by which its quantities scale; 0: constant in width.

    The own ratio is what √(fan_in / fan_out) · ‖ΔW‖₂ = Θ(1) asks for (arXiv 2310.17813), and what
    microsoft/mup takes.

    Attributes:
        multiplier: Power of the multiplier on the layer's input.
        std: Power of the std at initialization.
        lr: Power of the learning rate, for AdamW; for other optimizers see `LR_POWERS`. Weight
            decay scales inversely in PyTorch's form, where a step shrinks a weight by LR × weight
            decay of itself.
        eps: Power of Adam's ε, of m instead of b: gradients of a mean loss are Θ(1/n) whatever a
            tensor reads. Applied only with `scale_eps`.
        decays: Whether weight decay acts on the role.
    """

    multiplier: int = 0
    std: float = 0
    lr: int = 0
    eps: int = 0
    decays: bool = True


RULES: Mapping[Role, Rule] = {
    "input": Rule(multiplier=0, std=0, lr=0, eps=-1),
    "hidden": Rule(multiplier=0, std=-1 / 2, lr=-1, eps=-1),
    "output": Rule(multiplier=-1, std=0, lr=0, eps=-1),
    "vector": Rule(multiplier=0, std=0, lr=0, eps=-1, decays=False),
    "scalar": Rule(multiplier=0, std=0, lr=0, eps=-1, decays=False),
}

# The standard parametrization: no hyperparameter depends on width.
SP_RULES: Mapping[Role, Rule] = {role: Rule(decays=rule.decays) for role, rule in RULES.items()}

# "unscaled" leaves out the rule for batch size, steps or depth; in width it is μP.
RULES_OF: Mapping[Arm, Mapping[Role, Rule]] = {"mup": RULES, "sp": SP_RULES, "unscaled": RULES}


class Absorbed(NamedTuple):
    """Powers of an output multiplier f where the weight, not the layer's input, absorbs it."""

    std: int
    eps: int
    grad: int


# Tensor Programs V, lemma J.1: a multiplier f on the weight is the same as std × f, and an LR
# × f^`ABSORBED_LR`. The gradient is then 1/f times as large, hence ε / f.
ABSORBED = Absorbed(std=+1, eps=-1, grad=-1)


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


# What an optimizer makes of a gradient: entries of size one, the gradient itself, or singular
# values of one. By √(fan_in / fan_out) · f · ‖ΔW‖₂ = Θ(1) (arXiv 2310.17813), f the multiplier on
# the layer's input, the LR is then in proportion to 1 / (b·f), a / (b·f²) and √(a/b) / f, with a
# and b the ratios of fan-out and fan-in to those at base width.
Kind = Literal["entrywise", "gradient", "orthogonal"]


class LRPowers(NamedTuple):
    """Powers of a tensor's own fan-out and fan-in ratios, a and b, by which its LR scales."""

    fan_out: float = 0
    fan_in: float = 0


# The learning rate by kind and role; the multiplier of the output role is that of `RULES`, 1/b.
LR_POWERS: Mapping[Kind, Mapping[Role, LRPowers]] = {
    # AdamW: `RULES`. Adam: Tensor Programs V, Table 8, and microsoft/mup's MuAdam. Lion and other
    # entrywise optimizers: Tensor Programs IVb (arXiv 2308.01814).
    "entrywise": {role: LRPowers(0, rule.lr) for role, rule in RULES.items()},
    # SGD, with momentum or without: Tensor Programs V, Table 8; microsoft/mup's MuSGD.
    "gradient": {
        "input": LRPowers(1, 0),
        "hidden": LRPowers(1, -1),
        "output": LRPowers(1, 1),
        "vector": LRPowers(1, 0),
        "scalar": LRPowers(),
    },
    # Muon, over the factor by which it adjusts the LR to the shape: arXiv 2310.17813, 2502.16982.
    # Hidden matrices alone; the other roles train with AdamW.
    "orthogonal": {"hidden": LRPowers(1 / 2, -1 / 2)},
}
# Powers of an absorbed multiplier f in the LR (lemma J.1).
ABSORBED_LR: Mapping[Kind, int] = {"entrywise": 1, "gradient": 2, "orthogonal": 1}
