"""The plan of a model: the rules of μP or SP multiplied out for each of its tensors, as data."""

from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

from mutransfer.proxies.mup.parameters import PlanError
from mutransfer.proxies.mup.roles import Build, TensorFacts, tensor_facts
from mutransfer.proxies.mup.rules import ABSORBED, RULES_OF, Role, Rule, scaled
from mutransfer.proxies.mup.scaling import Factors
from mutransfer.words import Arm

FORMAT = 1

# The factors of a trial without a rule for batch size, steps or depth.
UNSCALED = Factors()


class Row(TypedDict):
    """One tensor of a plan.

    Attributes:
        role: Its role.
        shape: Its shape.
        fan_in: Number of terms that it sums over; 1 for anything but a matrix.
        init_std: The std to reach; None: the tensor keeps its module's values, times `init_mult`.
        init_mult: Factor of the base HPs on the std.
        lr_mult: Factor on the base LR.
        wd_mult: Factor on the base weight decay.
        eps_mult: Factor on the base ε.
        grad_mult: Size of the gradient over that in the form with an output multiplier.
        input_mult: Multiplier on the input of a `Readout`; 1 for anything else.
        decay: Whether weight decay acts on it.
    """

    role: Role
    shape: list[int]
    fan_in: int
    init_std: float | None
    init_mult: float
    lr_mult: float
    wd_mult: float
    eps_mult: float
    grad_mult: float
    input_mult: float
    decay: bool


class Plan(TypedDict):
    """A plan, as JSON data; `params` has a row for each trainable tensor, in model order."""

    format: int
    arm: Arm
    base_width: int
    width: int
    width_mult: float
    residual_mult: float
    params: dict[str, Row]


class PlanOptions(TypedDict, total=False):
    """The arm, and the base HPs that act through a plan; meanings and defaults as in `plan_of`."""

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
    """Return the plan of `build(width)`: per parameter its role and multipliers, as JSON data.

    Args:
        build: Makes the model of a given width; called on the meta device, and once for real
            at base width where modules do not declare the std of their tensors.
        base_width: Width where μP and the ordinary parametrization agree, n0.
        width: Width the plan is for, n; the width multiplier is m = n / n0.
        roles: Roles by pattern of names (`*`, `?`), where shapes do not determine them:
            `{"mixer.*": "hidden@1"}`; after the @ stands the axis that is summed over, by default
            the last one.
        **options: Those of `plan_of`: the arm and the base HPs that act through the plan.

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
    """Return the plan of a model whose facts are known; see `plan`.

    Args:
        facts: From `tensor_facts`.
        base_width: n0.
        width: n.
        arm: "mup", or "sp": the same model by a practitioner who only changes its width.
        init_std: Factor on the std of all hidden and input weights.
        init_std_hidden: Factor on that of hidden weights alone.
        init_std_input: Factor on that of input weights alone.
        init_std_vector: Factor on that of vectors; constants (zero biases, unit gains) stay.
        output_mult: α, the output multiplier at base width.
        scale_eps: Scale Adam's ε by the rules, as 1/m.
        factors: Those of a rule for batch size, steps or depth; see `proxies.mup.scaling`.

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
    """Return a tensor's row by the rule of its role.

    The multiplier α · m^power acts on the input of a `Readout`; the weight of any other output
    layer absorbs it.
    """
    rule = RULES_OF[arm][tensor.role]
    multiplier = scaled(alpha, m, rule.multiplier)
    absorbed = 1.0 if tensor.is_readout else multiplier
    init_mult = _init_mult(tensor, alpha, std_mult)
    return {
        "role": tensor.role,
        "shape": list(tensor.shape),
        "fan_in": tensor.fan_in,
        "init_std": _init_std(tensor, rule, m, init_mult, is_sp=arm == "sp"),
        "init_mult": init_mult,
        "lr_mult": scaled(scaled(1.0, m, rule.lr), absorbed, ABSORBED.lr),
        "wd_mult": scaled(scaled(1.0, m, rule.wd), absorbed, ABSORBED.wd),
        "eps_mult": scaled(scaled(1.0, absorbed, ABSORBED.eps), m, rule.eps if scale_eps else 0),
        "grad_mult": scaled(1.0, absorbed, ABSORBED.grad),
        "input_mult": multiplier if tensor.is_readout else 1.0,
        "decay": rule.decays,
    }


def _init_mult(tensor: TensorFacts, alpha: float, std_mult: float) -> float:
    """Return the HPs' factor on the std: an absorbed multiplier's α included; constants stay."""
    if tensor.base_std is None:
        return 1.0
    return std_mult if tensor.is_readout else scaled(std_mult, alpha, ABSORBED.std)


def _init_std(
    tensor: TensorFacts, rule: Rule, m: float, init_mult: float, *, is_sp: bool
) -> float | None:
    """Return the std that a tensor is to have, None where its module's own values are kept.

    Under SP every module follows its own fan-in rule; one that declares no std is left alone.
    """
    if tensor.base_std is None:
        return None
    if is_sp:
        if tensor.own_std is not None:
            return tensor.own_std * init_mult
        return tensor.base_std * init_mult if m == 1 else None
    std = tensor.base_std * init_mult
    std = scaled(std, tensor.base_fan_in / tensor.fan_in, -rule.std)
    # Of the absorbed multiplier α · m^power, α is in `init_mult` already.
    return std if tensor.is_readout else scaled(std, m, rule.multiplier * ABSORBED.std)


def _with_factors(row: Row, factors: Factors, in_block: bool) -> Row:
    """Return the row after a rule for batch size, steps or depth."""
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
    """Return the plan's rows for people: one dict per parameter, with its name, in model order."""
    return [
        {"name": name} | {column: value for column, value in row.items() if column in TABLE_COLUMNS}
        for name, row in plan["params"].items()
    ]
