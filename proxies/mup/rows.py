"""The row of one tensor in a plan: the rules of μP or SP multiplied out for it."""

import math
from typing import TypedDict

from mutransfer.proxies.mup.optimizers import (
    Algorithm,
    OptimizerRule,
    TensorSize,
    absorbed_decay,
    absorbed_lr,
    algorithm_of,
    decay_factor,
    lr_factor,
)
from mutransfer.proxies.mup.parameters import PlanError
from mutransfer.proxies.mup.roles import TensorFacts
from mutransfer.proxies.mup.rules import ABSORBED, RULES_OF, Role, Rule, scaled
from mutransfer.proxies.mup.scaling import Factors
from mutransfer.words import Arm


class Row(TypedDict):
    """The plan of one tensor.

    Attributes:
        role: See `rules.Role`.
        algorithm: The optimizer that it trains with; under `muon`, AdamW for all but hidden ones.
        shape: As in torch, at the width of the plan.
        fan_in: Number of terms that it sums over; 1 for anything but a matrix.
        fan_in_mult: b, its fan-in over that at base width, of which the rules are powers.
        fan_out_mult: a, its fan-out over that at base width.
        init_std: Std after `init_`; None: the tensor keeps its module's values, times `init_mult`.
        init_mult: Factor on the std from the base HPs.
        own_std: Std of the module's own draws at this width, by `own_init`; None: `init_` measures
            it, unless the module declares it or nothing is drawn.
        own_init: How the module's draws depend on width: a law of `own_init.LAWS`, "declared",
            "measured" where no law fits, or "kept" for constants and what is declared to stay.
        lr_mult: Factor on the base LR.
        wd_mult: Factor on the base weight decay.
        eps_mult: Factor on the base ε.
        grad_mult: Gradient's size relative to the form with a multiplier on the layer's input.
        input_mult: Multiplier on the input of a `Readout`, also of one that shares a table, whose
            role is input; 1 for anything else.
        decay: Whether weight decay acts on it.
    """

    role: Role
    algorithm: Algorithm
    shape: list[int]
    fan_in: int
    fan_in_mult: float
    fan_out_mult: float
    init_std: float | None
    init_mult: float
    own_std: float | None
    own_init: str
    lr_mult: float
    wd_mult: float
    eps_mult: float
    grad_mult: float
    input_mult: float
    decay: bool


# Of a row, what says where its other entries come from; the module itself has its own draws.
DESCRIPTIVE = frozenset({"fan_in_mult", "fan_out_mult", "own_std", "own_init"})


def row_of(
    tensor: TensorFacts,
    arm: Arm,
    m: float,
    alpha: float,
    std_mult: float,
    scale_eps: bool,
    optimizer: OptimizerRule,
) -> Row:
    """Return the row of a tensor, by the rule of its role.

    The multiplier α · b^power acts on the input of a `Readout`; the weight of any other output
    layer absorbs it.
    """
    rule, b = RULES_OF[arm][tensor.role], tensor.fan_in_mult
    has_readout = tensor.is_readout or tensor.is_tied_table
    multiplier = scaled(alpha, b, rule.multiplier)
    if tensor.is_tied_table:  # what the table writes is what the readout reads
        multiplier = scaled(alpha, tensor.fan_out_mult, RULES_OF[arm]["output"].multiplier)
    absorbed = 1.0 if has_readout else multiplier
    init_mult = _init_mult(tensor, alpha, std_mult)
    algorithm = algorithm_of(optimizer, tensor.role, tensor.shape)
    size = TensorSize(
        role=tensor.role, shape=tensor.shape, fan_in=tensor.fan_in, a=tensor.fan_out_mult, b=b
    )
    is_sp = arm == "sp"
    lr, wd = _factors(optimizer, size, is_sp=is_sp)
    return {
        "role": tensor.role,
        "algorithm": algorithm,
        "shape": list(tensor.shape),
        "fan_in": tensor.fan_in,
        "fan_in_mult": b,
        "fan_out_mult": tensor.fan_out_mult,
        "init_std": _init_std(tensor, rule, init_mult, is_base=m == 1, is_sp=is_sp),
        "init_mult": init_mult,
        "own_std": tensor.drawn_std,
        "own_init": _own_init(tensor),
        "lr_mult": absorbed_lr(lr, algorithm, absorbed),
        "wd_mult": absorbed_decay(wd, algorithm, absorbed),
        "eps_mult": scaled(scaled(1.0, absorbed, ABSORBED.eps), m, rule.eps if scale_eps else 0),
        "grad_mult": scaled(1.0, absorbed, ABSORBED.grad),
        "input_mult": multiplier if has_readout else 1.0,
        "decay": rule.decays,
    }


def _init_mult(tensor: TensorFacts, alpha: float, std_mult: float) -> float:
    """Return the base HPs' factor on the std, α included if absorbed; 1 for constants."""
    if tensor.base_std is None or tensor.is_mixed:
        return 1.0
    has_multiplier = tensor.is_readout or tensor.is_tied_table
    return std_mult if has_multiplier else scaled(std_mult, alpha, ABSORBED.std)


def _init_std(
    tensor: TensorFacts, rule: Rule, init_mult: float, *, is_base: bool, is_sp: bool
) -> float | None:
    """Return the std of a tensor after `init_`, None where its module's own values are kept.

    Under SP, and where that is declared, every module keeps its own fan-in rule: the std that it
    declares at this width, or, where it declares none, the values that it drew.
    """
    if tensor.base_std is None or tensor.is_mixed:
        return None
    if is_sp or tensor.keeps_init:
        if tensor.own_std is not None:
            return tensor.own_std * init_mult
        return tensor.base_std * init_mult if is_base else None
    return _scaled_std(tensor, rule, init_mult)


def _scaled_std(tensor: TensorFacts, rule: Rule, init_mult: float) -> float:
    """Return the std by the rule of μP; that of the random part where a tensor is mixed."""
    assert tensor.base_std is not None, "constants are not scaled"
    std = tensor.base_std * init_mult
    std = scaled(std, tensor.base_fan_in / tensor.fan_in, -rule.std)
    if tensor.is_readout:
        return std
    # Of the absorbed multiplier α · b^power, α is in `init_mult` already.
    return scaled(std, tensor.fan_in_mult, rule.multiplier * ABSORBED.std)


def _own_init(tensor: TensorFacts) -> str:
    if tensor.base_std is None or tensor.is_mixed or tensor.keeps_init:
        return "kept"
    return tensor.law or "measured"


def with_factors(row: Row, factors: Factors, in_block: bool) -> Row:
    """Return the row times the factors of a rule for batch size, steps or depth."""
    lr = factors.lr * (factors.block_lr if in_block else 1.0)
    eps = factors.eps * (factors.block_eps if in_block else 1.0)
    return {
        **row,
        "lr_mult": row["lr_mult"] * lr,
        "wd_mult": row["wd_mult"] * factors.weight_decay,
        "eps_mult": row["eps_mult"] * eps,
    }


def row_for(row: Row, optimizer: OptimizerRule, *, is_sp: bool) -> Row:
    """Return a row with the learning rate and weight decay of an optimizer."""
    shape, role = tuple(row["shape"]), row["role"]
    size = TensorSize(
        role=role,
        shape=shape,
        fan_in=row["fan_in"],
        a=row["fan_out_mult"],
        b=row["fan_in_mult"],
    )
    algorithm, absorbed = algorithm_of(optimizer, role, shape), 1 / row["grad_mult"]
    lr, wd = _factors(optimizer, size, is_sp=is_sp)
    return {
        **row,
        "algorithm": algorithm,
        "lr_mult": absorbed_lr(lr, algorithm, absorbed),
        "wd_mult": absorbed_decay(wd, algorithm, absorbed),
    }


def _factors(optimizer: OptimizerRule, size: TensorSize, *, is_sp: bool) -> tuple[float, float]:
    """Return the factors on base LR and base weight decay, before a multiplier is absorbed."""
    if is_sp:
        return 1.0, 1.0
    return lr_factor(optimizer, size), decay_factor(optimizer, size)


def refuse_mixed(facts: tuple[TensorFacts, ...], arm: Arm) -> None:
    """Raise where a constant plus noise would have to be scaled: no factor is right for both."""
    unfit = []
    for tensor in facts:
        if not tensor.is_mixed or tensor.keeps_init or arm == "sp":
            continue
        target = _scaled_std(tensor, RULES_OF[arm][tensor.role], 1.0)
        if tensor.drawn_std is None or not math.isclose(target, tensor.drawn_std, rel_tol=1e-9):
            unfit.append(tensor)
    if unfit and any(t.shape != t.base_shape for t in unfit):
        names = ", ".join(t.name for t in unfit)
        raise PlanError(
            "plan: init scales the module's own draws by one factor; got a constant plus noise, of "
            f"which the noise alone should shrink with width, in {names}; keep the constant in a "
            f"buffer, or declare that it stays as it is: roles: {{'{unfit[0].name}': "
            f"'{unfit[0].role}, own init'}}"
        )
