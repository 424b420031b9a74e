"""μP for any model, as plain data: roles, rule table, initialization, parameter groups, clipping.

    plan = mup.plan(build, base_width=64, width=1024)
    model = build(1024)
    mup.init_(model, plan)
    groups = mup.param_groups(model, plan, lr=2**-8, weight_decay=0.1)
    optimizer = torch.optim.AdamW(groups)

The rules are those of Tensor Programs V (arXiv 2203.03466), Table 8, for Adam and AdamW, and of
arXiv 2505.15270, Table 1, for weight decay. Schedulers must multiply the `lr` of each group.
"""

import math
from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

from mutransfer.proxies.mup.parameters import PlanError
from mutransfer.proxies.mup.roles import Build, Facts, Role, inspect
from mutransfer.proxies.mup.scaling import Factors
from mutransfer.words import Arm

FORMAT = 1

UNSCALED = Factors()


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
) -> dict[str, Any]:
    """Return the plan of `build(width)`: per parameter its role and multipliers, as JSON data.

    Args:
        build: Makes the model of a given width; called on the meta device, and once for real
            at base width where modules do not declare the std of their tensors.
        base_width: Width where μP and the ordinary parametrization agree, n0.
        width: Width the plan is for, n; the width multiplier is m = n / n0.
        roles: Roles by pattern of names (`*`, `?`), where shapes cannot tell: `{"mixer.*":
            "hidden@1"}`; behind the @ stands the axis that is summed over, else the last one.
        **options: Those of `plan_of`: the arm and the base HPs that act through the plan.

    Returns:
        {"format", "arm", "base_width", "width", "width_mult", "residual_mult", "params": {name:
        row}}; rows as in `plan_of`.

    Raises:
        PlanError: a tensor whose role cannot be known; the text names it.
    """
    facts = inspect(build, base_width=base_width, width=width, declared=roles)
    return plan_of(facts, base_width=base_width, width=width, **options)


def plan_of(
    facts: tuple[Facts, ...],
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
) -> dict[str, Any]:
    """Return the plan of a model whose facts are known; see `plan`.

    Args:
        facts: From `inspect`.
        base_width: n0.
        width: n.
        arm: "mup", or "sp": the same model by a practitioner who only changes its width.
        init_std: Factor on the std of all hidden and input weights.
        init_std_hidden: Factor on that of hidden weights alone.
        init_std_input: Factor on that of input weights alone.
        init_std_vector: Factor on that of vectors; constants (zero biases, unit gains) stay.
        output_mult: α, the output multiplier at base width.
        scale_eps: Scale Adam's ε as 1/m (gradients of a mean loss are Θ(1/n)); μP arm only.
        factors: Those of a rule for batch size, steps or depth; see `proxies.scaling`.

    Returns:
        The plan. Its rows hold role, shape, fan_in, init_std (the std to reach; None: the tensor
        stays as its module makes it, times init_mult), init_mult (the HPs' factor on the std), the
        factors lr_mult, wd_mult, eps_mult, grad_mult (gradient relative to the form with a
        multiplier), input_mult (of a `Readout`), and decay (whether weight decay acts at all).
        Its residual_mult is that of every `ResidualBlock`.

    Raises:
        PlanError: the factors are those of a depth rule, and the model has no `ResidualBlock`.
    """
    if factors.residual != 1 and not any(tensor.in_block for tensor in facts):
        raise PlanError(
            "plan: a depth rule acts on the residual branches of the blocks; got a model without a "
            "ResidualBlock; derive its blocks from proxies.mup.ResidualBlock, or take no rule"
        )
    m = width / base_width
    std_mults: dict[Role, float] = {
        "input": init_std * init_std_input,
        "hidden": init_std * init_std_hidden,
        "vector": init_std_vector,
        "output": 1.0,
        "scalar": 1.0,
    }
    is_mup = arm != "sp"
    rows = {}
    for tensor in facts:
        row = _unscaled_row(tensor, std_mults[tensor.role])
        if tensor.role == "hidden" and is_mup:
            row.update(lr_mult=1 / m, wd_mult=m)
        if tensor.role == "output":
            _apply_output_rule(row, tensor, output_mult / m if is_mup else output_mult, output_mult)
        if scale_eps and is_mup:
            row["eps_mult"] /= m
        _apply_factors(row, tensor, factors)
        row["init_std"] = _target_std(tensor, row, arm, m)
        rows[tensor.name] = row
    head = {"format": FORMAT, "arm": arm, "base_width": base_width, "width": width}
    return {**head, "width_mult": m, "residual_mult": factors.residual, "params": rows}


def _unscaled_row(tensor: Facts, std_mult: float) -> dict[str, Any]:
    """Return the row of a tensor that trains the same at every width."""
    return {
        "role": tensor.role,
        "shape": list(tensor.shape),
        "fan_in": tensor.fan_in,
        "init_std": None,
        "init_mult": std_mult if tensor.base_std is not None else 1.0,
        "lr_mult": 1.0,
        "wd_mult": 1.0,
        "eps_mult": 1.0,
        "grad_mult": 1.0,
        "input_mult": 1.0,
        "decay": tensor.role not in ("vector", "scalar"),
    }


def _apply_output_rule(row: dict[str, Any], tensor: Facts, f: float, alpha: float) -> None:
    """Apply an output multiplier f to a row: on the input of a `Readout`, else without one.

    The second form follows from Tensor Programs V, lemma J.1: a multiplier f on the weight is the
    same as std × f and, for Adam, LR × f; then ε / f because the gradient is 1/f times larger, and
    weight decay / f because LR × weight decay is what shrinks the weight.
    """
    if tensor.is_readout:
        row["input_mult"] = f
        return
    row.update(lr_mult=f, wd_mult=1 / f, eps_mult=1 / f, grad_mult=1 / f)
    row["init_mult"] = alpha if tensor.base_std is not None else 1.0


def _apply_factors(row: dict[str, Any], tensor: Facts, factors: Factors) -> None:
    row["lr_mult"] *= factors.lr * (factors.block_lr if tensor.in_block else 1.0)
    row["eps_mult"] *= factors.eps * (factors.block_eps if tensor.in_block else 1.0)
    row["wd_mult"] *= factors.weight_decay


def _target_std(tensor: Facts, row: dict[str, Any], arm: Arm, m: float) -> float | None:
    """Return the std that a tensor is to have, None where its module's own draw is kept."""
    if tensor.base_std is None:
        return None
    std_mult: float = row["init_mult"]
    if arm == "sp":
        if tensor.own_std is not None:
            return tensor.own_std * std_mult
        return tensor.base_std * std_mult if m == 1 else None
    std = tensor.base_std * std_mult
    if tensor.role == "hidden":
        std *= math.sqrt(tensor.base_fan_in / tensor.fan_in)
    is_unmultiplied = tensor.role == "output" and not tensor.is_readout
    return std / m if is_unmultiplied else std


def table(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the plan's rows for people: one dict per parameter, with its name, in model order."""
    shown = ("role", "shape", "init_std", "lr_mult", "wd_mult", "eps_mult", "input_mult", "decay")
    return [
        {"name": name} | {column: row[column] for column in shown}
        for name, row in plan["params"].items()
    ]
