"""Optimizer parameter groups from a plan, and gradient clipping that fits them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from mutransfer.proxies.mup.modules import ResidualBlock
from mutransfer.proxies.mup.optimizers import HAS_EPS, Algorithm, OptimizerRule, rule_of
from mutransfer.proxies.mup.parameters import PlanError, owners, plain_name
from mutransfer.proxies.mup.plan import Plan, for_optimizer
from mutransfer.proxies.mup.rows import Row
from mutransfer.proxies.mup.rules import Role


def param_groups(
    model: nn.Module,
    plan: Plan,
    *,
    lr: float,
    weight_decay: float = 0.0,
    eps: float = 1e-12,
    optimizer: str | Mapping[str, Any] | OptimizerRule | None = None,
    adamw_lr: float | None = None,
    adamw_weight_decay: float | None = None,
) -> list[dict[str, Any]]:
    """Return groups for an optimizer, tensors of equal algorithm, role and multipliers together.

    They are for the optimizer of the plan, by default `torch.optim.AdamW`; `mup.optimizer` returns
    it with them. Under `muon` those with algorithm "muon" are for Muon and the others for AdamW.

    Args:
        model: Bare or wrapped by DDP, FSDP or torch.compile; frozen parameters are left out.
        plan: From `mup.plan`, or read back from JSON or YAML.
        lr: Base LR, per step.
        weight_decay: Base weight decay, in PyTorch's form: a step shrinks weights by the share
            lr × weight_decay.
        eps: Base ε of Adam.
        optimizer: Another optimizer than the plan's; see `mup.plan`.
        adamw_lr: Base LR of what trains with AdamW under `muon`; None: `lr`.
        adamw_weight_decay: Its base weight decay; None: `weight_decay`.

    Returns:
        Groups with params, param_names, name (the role), lr, weight_decay and eps (multiplied out),
        and what `mup.check_lrs` compares: algorithm, base_lr, lr_mult; grad_mult. Schedulers must
        multiply each group's own lr.

    Raises:
        PlanError: a trainable parameter is not in the plan, a planned one not in the model, or a
            `Readout` or `ResidualBlock` has another multiplier than the plan's (`mup.init_` was not
            called); or there is no rule for the optimizer.
    """
    plan = plan if optimizer is None else for_optimizer(plan, optimizer)
    rows, rule = plan["params"], rule_of(plan.get("optimizer"))
    parameters = {plain_name(name): p for name, p in model.named_parameters()}
    trainable = {name: p for name, p in parameters.items() if p.requires_grad}
    unplanned, absent = trainable.keys() - rows.keys(), rows.keys() - parameters.keys()
    if unplanned or absent:
        raise PlanError(
            f"param_groups: model and plan name the same parameters; got {sorted(unplanned)} only "
            f"in the model, {sorted(absent)} only in the plan; plan this model"
        )
    _check_multipliers(model, plan)
    groups: dict[Shared, _Members] = {}
    for name, parameter in trainable.items():
        group = groups.setdefault(_shared(rows[name]), _Members())
        group.names.append(name)
        group.params.append(parameter)
    bases = {"": (lr, weight_decay)}
    if rule.name == "muon":
        bases["adamw"] = (
            lr if adamw_lr is None else adamw_lr,
            weight_decay if adamw_weight_decay is None else adamw_weight_decay,
        )
    return [
        {
            "name": shared.role,
            "params": group.params,
            "param_names": group.names,
            **_values(shared, rule, *bases.get(shared.algorithm, bases[""]), eps),
        }
        for shared, group in groups.items()
    ]


def _values(
    shared: "Shared", rule: OptimizerRule, lr: float, weight_decay: float, eps: float
) -> dict[str, Any]:
    """Return the entries of a group besides its tensors; ε where the optimizer is an Adam."""
    # A step shrinks weights by LR × weight decay; independent decay must not depend on the base LR.
    decay = weight_decay / lr if rule.decay == "independent" else weight_decay
    return {
        "algorithm": shared.algorithm,
        "lr": lr * shared.lr,
        "base_lr": lr,
        "lr_mult": shared.lr,
        "weight_decay": decay * shared.wd,
        **({"eps": eps * shared.eps} if shared.algorithm in HAS_EPS else {}),
        **({"adjust_lr_fn": rule.adjust_lr_fn} if shared.algorithm == "muon" else {}),
        "grad_mult": shared.grad,
    }


def _shared(row: Row) -> "Shared":
    wd = row["wd_mult"] if row["decay"] else 0.0
    algorithm = row.get("algorithm", "adamw")
    return Shared(algorithm, row["role"], row["lr_mult"], wd, row["eps_mult"], row["grad_mult"])


class Shared(NamedTuple):
    """What the tensors of a group share; wd is 0 where no weight decay acts.

    By role too, although the optimizer does not need it: at base width all multipliers are equal,
    and code that picks groups by name would there pick another set of tensors.
    """

    algorithm: Algorithm
    role: Role
    lr: float
    wd: float
    eps: float
    grad: float


@dataclass
class _Members:
    """The tensors of a group, in model order."""

    names: list[str] = field(default_factory=list)
    params: list[nn.Parameter] = field(default_factory=list)


def _check_multipliers(model: nn.Module, plan: Plan) -> None:
    """Raise where a module lacks its multiplier: it would silently train by another rule."""
    rows, residual = plan["params"], plan.get("residual_mult", 1.0)
    for path, module in model.named_modules():
        if isinstance(module, ResidualBlock) and module.residual_mult != residual:
            raise PlanError(
                f"param_groups: {path}: the plan's residual multiplier is {residual}; got "
                f"{module.residual_mult}; call mup.init_ on the new model first"
            )
    for name, owner in owners(model, with_frozen=True).items():
        for readout in owner.readouts:
            expected = rows[name]["input_mult"] if name in rows else readout.input_mult
            if readout.input_mult != expected:
                raise PlanError(
                    f"param_groups: {name}: the plan's multiplier is {expected}; got "
                    f"{readout.input_mult}; call mup.init_ on the new model first"
                )


def grad_norm(groups: Iterable[Mapping[str, Any]]) -> Tensor:
    """Return the L2 norm of all gradients, each divided by its `grad_mult`; a 0-dim tensor.

    The division gives the norm in the form with a multiplier on the readout's input, so that one
    clip value means the same in both forms and at every width.
    """
    norms = []
    for group in groups:
        gradients = [p.grad for p in group["params"] if p.grad is not None]
        if gradients:
            norm = torch.nn.utils.get_total_norm(gradients)
            # Sharded gradients (DTensor) give a norm that still has to be summed over the shards.
            norm = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
            norms.append(norm / group.get("grad_mult", 1.0))
    return torch.linalg.vector_norm(torch.stack(norms)) if norms else torch.zeros(())


@torch.no_grad()
def clip_grad_norm_(groups: Iterable[Mapping[str, Any]], max_norm: float) -> Tensor:
    """Scale all gradients so that `grad_norm` is at most `max_norm`; return the unclipped norm.

    Args:
        groups: From `param_groups`, or `optimizer.param_groups`.
        max_norm: Base HP `grad_clip`, constant in width (Tensor Programs V, appendix B.3).
    """
    groups = list(groups)
    norm = grad_norm(groups)
    parameters = [p for group in groups for p in group["params"]]
    torch.nn.utils.clip_grads_with_norm_(parameters, max_norm, norm)
    return norm
