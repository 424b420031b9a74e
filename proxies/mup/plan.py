"""The plan of a model: the rules of μP or SP multiplied out for each tensor, as JSON data."""

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, TypedDict, Unpack

from mutransfer.proxies.mup.optimizers import OptimizerRule, rule_of
from mutransfer.proxies.mup.parameters import PlanError
from mutransfer.proxies.mup.roles import Build, TensorFacts, tensor_facts
from mutransfer.proxies.mup.rows import Row, refuse_mixed, row_for, row_of, with_factors
from mutransfer.proxies.mup.rules import Role
from mutransfer.proxies.mup.scaling import Factors
from mutransfer.words import Arm

FORMAT = 1  # of a plan as JSON data

# Factors without a rule for batch size, steps or depth: all 1.
UNSCALED = Factors()


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
    refuse_mixed(facts, arm)
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
        row = row_of(tensor, arm, m, alpha, std_mults[tensor.role], scale_eps, optimizer_rule)
        rows[tensor.name] = with_factors(row, factors, tensor.in_block)
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
        rows[name] = row_for(row, new, is_sp=is_sp)
        of_rule = row_for(row, old, is_sp=is_sp)["lr_mult"]
        if not math.isclose(of_rule, row["lr_mult"], rel_tol=1e-9):
            raise PlanError(
                f"plan: a plan with a rule for batch size, steps or depth, or edited by hand, is "
                f"made for one optimizer; got {name} with lr_mult {row['lr_mult']:g}; make it with "
                f'mup.plan(…, optimizer="{new.name}")'
            )
    return {**plan, "optimizer": asdict(new), "params": rows}


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
