"""The plan of a model: the rules of μP or SP multiplied out for each tensor, as JSON data."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypedDict, Unpack

from mutransfer.proxies.mup.optimizers import (
    Algorithm,
    OptimizerRule,
    TensorSize,
    absorbed_decay,
    absorbed_lr,
    algorithm_of,
    decay_factor,
    lr_factor,
    rule_of,
)
from mutransfer.proxies.mup.parameters import PlanError
from mutransfer.proxies.mup.roles import Build, TensorFacts, tensor_facts
from mutransfer.proxies.mup.rules import ABSORBED, RULES_OF, Role, Rule, scaled
from mutransfer.proxies.mup.scaling import Factors
from mutransfer.words import Arm

FORMAT = 1  # of a plan as JSON data

# Factors without a rule for batch size, steps or depth: all 1.
UNSCALED = Factors()


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


class Plan(TypedDict):
    """A plan as JSON data.

    Attributes:
        format: `FORMAT`.
        arm: Parametrization.
        base_width: n0.
        width: n.
        width_mult: m = n / n0.
        residual_mult: Multiplier on the residual branches of every `ResidualBlock`.
        optimizer: The fields of its `OptimizerRule`.
        params: A row for each trainable tensor, by name, in model order.
    """

    format: int
    arm: Arm
    base_width: int
    width: int
    width_mult: float
    residual_mult: float
    optimizer: dict[str, Any]
    params: dict[str, Row]


class PlanOptions(TypedDict, total=False):
    """Optional arguments of `plan`, with the meanings and defaults of `plan_of`."""

    arm: Arm
    init_std: float
    init_std_hidden: float
    init_std_input: float
    init_std_vector: float
    output_mult: float
    scale_eps: bool
    factors: Factors
    optimizer: str | Mapping[str, Any] | OptimizerRule | None


def plan(
    build: Build,
    *,
    base_width: int,
    width: int,
    roles: Mapping[str, str] | None = None,
    **options: Unpack[PlanOptions],
) -> Plan:
    """Return the plan of `build(width)`: role and multipliers of each parameter, as JSON data.

    Args:
        build: Returns a new model of a width; called on the meta device, and on the CPU at base
            width and at twice that, if some module does not declare the std of its tensors.
        base_width: Width where μP and the ordinary parametrization agree, n0.
        width: Width the plan is for, n; the width multiplier is m = n / n0.
        roles: Roles by pattern of names (`*`, `?`), where shapes do not determine them:
            `{"mixer.*": "hidden@1"}`. The number after @ is the axis that is summed over; default:
            the last. `, own init` after it keeps the module's own init at every width.
        **options: Arm, and base HPs that act through the plan; see `plan_of`.

    Raises:
        PlanError: the role of a tensor cannot be inferred; the text names it.
    """
    facts = tensor_facts(build, base_width=base_width, width=width, declared=roles)
    return plan_of(facts, base_width=base_width, width=width, **options)


def plan_of(
    facts: tuple[TensorFacts, ...],
    *,
    base_width: int,
    width: int,
    arm: Arm = "mup",
    init_std: float = 1.0,
    init_std_hidden: float = 1.0,
    init_std_input: float = 1.0,
    init_std_vector: float = 1.0,
    output_mult: float = 1.0,
    scale_eps: bool = False,
    factors: Factors = UNSCALED,
    optimizer: str | Mapping[str, Any] | OptimizerRule | None = None,
) -> Plan:
    """Return the plan of a model from the facts of its tensors; see `plan`.

    Args:
        facts: From `tensor_facts`.
        base_width: n0.
        width: n.
        arm: "mup" or "unscaled" (the same here), or "sp": only the width is changed.
        init_std: Factor on the std of all hidden and input weights.
        init_std_hidden: Factor on that of hidden weights alone.
        init_std_input: Factor on that of input weights alone.
        init_std_vector: Factor on that of vectors; constants (zero biases, unit gains) stay.
        output_mult: α, the output multiplier at base width.
        scale_eps: Scale Adam's ε by the rules, as 1/m.
        factors: From a rule for batch size, steps or depth; see `proxies.mup.scaling`.
        optimizer: Name of the optimizer, or its `OptimizerRule`; None: AdamW.

    Raises:
        PlanError: there is no rule for the optimizer; or the factors are those of a depth rule,
            and the model has no `ResidualBlock`.
    """
    if factors.residual != 1 and not any(tensor.in_block for tensor in facts):
        raise PlanError(
            "plan: a depth rule acts on the residual branches of the blocks; got a model without a "
            "ResidualBlock; derive its blocks from mup.ResidualBlock, or leave the rule out"
        )
    _refuse_mixed(facts, arm)
    m, optimizer_rule = width / base_width, rule_of(optimizer)
    std_mults: dict[Role, float] = {
        "input": init_std * init_std_input,
        "hidden": init_std * init_std_hidden,
        "output": 1.0,
        "vector": init_std_vector,
        "scalar": 1.0,
    }
    rows: dict[str, Row] = {}
    for tensor in facts:
        alpha = output_mult if tensor.role == "output" or tensor.is_tied_table else 1.0
        row = _row(tensor, arm, m, alpha, std_mults[tensor.role], scale_eps, optimizer_rule)
        rows[tensor.name] = _with_factors(row, factors, tensor.in_block)
    return {
        "format": FORMAT,
        "arm": arm,
        "base_width": base_width,
        "width": width,
        "width_mult": m,
        "residual_mult": factors.residual,
        "optimizer": asdict(optimizer_rule),
        "params": rows,
    }


def _row(
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


def _refuse_mixed(facts: tuple[TensorFacts, ...], arm: Arm) -> None:
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


def _with_factors(row: Row, factors: Factors, in_block: bool) -> Row:
    """Return the row times the factors of a rule for batch size, steps or depth."""
    lr = factors.lr * (factors.block_lr if in_block else 1.0)
    eps = factors.eps * (factors.block_eps if in_block else 1.0)
    return {
        **row,
        "lr_mult": row["lr_mult"] * lr,
        "wd_mult": row["wd_mult"] * factors.weight_decay,
        "eps_mult": row["eps_mult"] * eps,
    }


def for_optimizer(plan: Plan, optimizer: str | Mapping[str, Any] | OptimizerRule) -> Plan:
    """Return a plan with the rules of another optimizer; init and multipliers stay.

    Raises:
        PlanError: there is no rule for it, or the plan has a rule for batch size, steps or depth,
            which are for AdamW.
    """
    old, new = rule_of(plan.get("optimizer")), rule_of(optimizer)
    if old == new:
        return plan
    is_sp, rows = plan["arm"] == "sp", {}
    for name, row in plan["params"].items():
        rows[name] = _row_for(row, new, is_sp=is_sp)
        of_rule = _row_for(row, old, is_sp=is_sp)["lr_mult"]
        if not math.isclose(of_rule, row["lr_mult"], rel_tol=1e-9):
            raise PlanError(
                f"plan: a plan with a rule for batch size, steps or depth, or edited by hand, is "
                f"made for one optimizer; got {name} with lr_mult {row['lr_mult']:g}; make it with "
                f'mup.plan(…, optimizer="{new.name}")'
            )
    return {**plan, "optimizer": asdict(new), "params": rows}


def _row_for(row: Row, optimizer: OptimizerRule, *, is_sp: bool) -> Row:
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


TABLE_COLUMNS = (
    "role",
    "algorithm",
    "shape",
    "init_std",
    "own_std",
    "own_init",
    "lr_mult",
    "wd_mult",
    "eps_mult",
    "input_mult",
    "decay",
)


def table(plan: Plan) -> list[dict[str, Any]]:
    """Return the plan for display: per parameter, in model order, its name and `TABLE_COLUMNS`."""
    return [
        {"name": name} | {column: value for column, value in row.items() if column in TABLE_COLUMNS}
        for name, row in plan["params"].items()
    ]
