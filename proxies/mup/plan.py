"""The plan of a model: the rules of μP or SP multiplied out for each tensor, as JSON data."""

from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

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
        shape: As in torch, at the width of the plan.
        fan_in: Number of terms that it sums over; 1 for anything but a matrix.
        fan_in_mult: b, its fan-in over that at base width, of which the rules are powers.
        fan_out_mult: a, its fan-out over that at base width.
        init_std: Std after `init_`; None: the tensor keeps its module's values, times `init_mult`.
        init_mult: Factor on the std from the base HPs.
        lr_mult: Factor on the base LR.
        wd_mult: Factor on the base weight decay.
        eps_mult: Factor on the base ε.
        grad_mult: Gradient's size relative to the form with a multiplier on the layer's input.
        input_mult: Multiplier on the input of a `Readout`; 1 for anything else.
        decay: Whether weight decay acts on it.
    """

    role: Role
    shape: list[int]
    fan_in: int
    fan_in_mult: float
    fan_out_mult: float
    init_std: float | None
    init_mult: float
    lr_mult: float
    wd_mult: float
    eps_mult: float
    grad_mult: float
    input_mult: float
    decay: bool


# Of a row, what says where its multipliers come from; it acts through them alone.
DESCRIPTIVE = frozenset({"fan_in_mult", "fan_out_mult"})


class Plan(TypedDict):
    """A plan as JSON data.

    Attributes:
        format: `FORMAT`.
        arm: Parametrization.
        base_width: n0.
        width: n.
        width_mult: m = n / n0.
        residual_mult: Multiplier on the residual branches of every `ResidualBlock`.
        params: A row for each trainable tensor, by name, in model order.
    """

    format: int
    arm: Arm
    base_width: int
    width: int
    width_mult: float
    residual_mult: float
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
        build: Returns a new model of a width; called on the meta device, and once on the CPU, at
            base width, if some module does not declare the std of its tensors.
        base_width: Width where μP and the ordinary parametrization agree, n0.
        width: Width the plan is for, n; the width multiplier is m = n / n0.
        roles: Roles by pattern of names (`*`, `?`), where shapes do not determine them:
            `{"mixer.*": "hidden@1"}`. The number after @ is the axis that is summed over; default:
            the last.
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

    Raises:
        PlanError: the factors are those of a depth rule, and the model has no `ResidualBlock`.
    """
    if factors.residual != 1 and not any(tensor.in_block for tensor in facts):
        raise PlanError(
            "plan: a depth rule acts on the residual branches of the blocks; got a model without a "
            "ResidualBlock; derive its blocks from mup.ResidualBlock, or leave the rule out"
        )
    m = width / base_width
    std_mults: dict[Role, float] = {
        "input": init_std * init_std_input,
        "hidden": init_std * init_std_hidden,
        "output": 1.0,
        "vector": init_std_vector,
        "scalar": 1.0,
    }
    rows: dict[str, Row] = {}
    for tensor in facts:
        alpha = output_mult if tensor.role == "output" else 1.0
        row = _row(tensor, arm, m, alpha, std_mults[tensor.role], scale_eps)
        rows[tensor.name] = _with_factors(row, factors, tensor.in_block)
    return {
        "format": FORMAT,
        "arm": arm,
        "base_width": base_width,
        "width": width,
        "width_mult": m,
        "residual_mult": factors.residual,
        "params": rows,
    }


def _row(
    tensor: TensorFacts, arm: Arm, m: float, alpha: float, std_mult: float, scale_eps: bool
) -> Row:
    """Return the row of a tensor, by the rule of its role.

    The multiplier α · b^power acts on the input of a `Readout`; the weight of any other output
    layer absorbs it.
    """
    rule, b = RULES_OF[arm][tensor.role], tensor.fan_in_mult
    multiplier = scaled(alpha, b, rule.multiplier)
    absorbed = 1.0 if tensor.is_readout else multiplier
    init_mult = _init_mult(tensor, alpha, std_mult)
    return {
        "role": tensor.role,
        "shape": list(tensor.shape),
        "fan_in": tensor.fan_in,
        "fan_in_mult": b,
        "fan_out_mult": tensor.fan_out_mult,
        "init_std": _init_std(tensor, rule, init_mult, is_base=m == 1, is_sp=arm == "sp"),
        "init_mult": init_mult,
        "lr_mult": scaled(scaled(1.0, b, rule.lr), absorbed, ABSORBED.lr),
        "wd_mult": scaled(scaled(1.0, b, rule.wd), absorbed, ABSORBED.wd),
        "eps_mult": scaled(scaled(1.0, absorbed, ABSORBED.eps), m, rule.eps if scale_eps else 0),
        "grad_mult": scaled(1.0, absorbed, ABSORBED.grad),
        "input_mult": multiplier if tensor.is_readout else 1.0,
        "decay": rule.decays,
    }


def _init_mult(tensor: TensorFacts, alpha: float, std_mult: float) -> float:
    """Return the base HPs' factor on the std, α included if absorbed; 1 for constants."""
    if tensor.base_std is None:
        return 1.0
    return std_mult if tensor.is_readout else scaled(std_mult, alpha, ABSORBED.std)


def _init_std(
    tensor: TensorFacts, rule: Rule, init_mult: float, *, is_base: bool, is_sp: bool
) -> float | None:
    """Return the std of a tensor after `init_`, None where its module's own values are kept.

    Under SP every module keeps its own fan-in rule: the std that it declares at this width, or,
    where it declares none, the values that it drew.
    """
    if tensor.base_std is None:
        return None
    if is_sp:
        if tensor.own_std is not None:
            return tensor.own_std * init_mult
        return tensor.base_std * init_mult if is_base else None
    std = tensor.base_std * init_mult
    std = scaled(std, tensor.base_fan_in / tensor.fan_in, -rule.std)
    if tensor.is_readout:
        return std
    # Of the absorbed multiplier α · b^power, α is in `init_mult` already.
    return scaled(std, tensor.fan_in_mult, rule.multiplier * ABSORBED.std)


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


TABLE_COLUMNS = (
    "role",
    "shape",
    "init_std",
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
