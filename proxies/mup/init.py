"""Initialization of a model by its plan, in place: the modules' own draws times a factor."""

import math

import torch
from torch import nn

from mutransfer.proxies.mup.modules import ResidualBlock
from mutransfer.proxies.mup.parameters import Owner, PlanError, owners
from mutransfer.proxies.mup.plan import Plan
from mutransfer.proxies.mup.rows import Row

DIGITS = 6  # of a measured factor, so that devices and sums in another order agree on it


@torch.no_grad()
def init_(model: nn.Module, plan: Plan, seed: int | None = None) -> None:
    """Give a newly built model the plan's std and multipliers, in place.

    Every tensor keeps its module's own draws, times one factor: what is zero stays zero, what is
    orthogonal or truncated stays so, constants and vectors off zero (gains near one) are not
    touched. Nothing is drawn, so the model follows the seed that it was built with, on any device.
    At m = 1 with default base HPs nothing changes, bit for bit.

    Call it once, before a checkpoint is loaded; before or after `fully_shard`, with equal results.

    Args:
        model: Built for the plan's width, with values: not on the meta device.
        plan: From `mup.plan`, or read back.
        seed: Has no effect: the draws are the module's.

    Raises:
        PlanError: the model does not match the plan, has no values yet, is sharded where a tensor
            must be measured, or was initialized before: a second scaling would go unnoticed.
    """
    if getattr(model, "_mup_is_initialized", False):
        raise PlanError(
            "init_: a model is initialized once; got one that already is; build a new one"
        )
    rows, owner_of = plan["params"], owners(model)
    _check(owner_of, plan)
    factors = {
        name: _factor(name, owner, rows[name], plan["width_mult"])
        for name, owner in owner_of.items()
    }
    for name, owner in owner_of.items():
        for readout in owner.readouts:
            readout.input_mult = rows[name]["input_mult"]
        if not math.isclose(factors[name], 1.0, rel_tol=1e-9):
            owner.parameter.mul_(factors[name])
    for module in model.modules():
        if isinstance(module, ResidualBlock):
            module.residual_mult = plan.get("residual_mult", 1.0)
    model._mup_is_initialized = True  # type: ignore[assignment]


def _check(owner_of: dict[str, Owner], plan: Plan) -> None:
    """Raise where model and plan differ, or the model has no values."""
    rows = plan["params"]
    if unmatched := sorted(owner_of.keys() ^ rows.keys()):
        raise PlanError(
            f"init_: model and plan name the same parameters; got {unmatched} in only one"
        )
    for name, owner in owner_of.items():
        shape, expected = list(owner.parameter.shape), rows[name]["shape"]
        if owner.parameter.is_meta:
            raise PlanError(
                f"init_: a model has values, which are scaled; got {name} on the meta device, "
                "where nothing was drawn; first model.to_empty(device=…) and let its modules draw "
                "(reset_parameters), then call init_"
            )
        if shape != expected:
            raise PlanError(
                f"init_: {name}: the plan is for shape {expected}; got {shape}; make the plan for "
                "the width that is built, and call init_ before FSDP1 flattens the parameters"
            )


def _factor(name: str, owner: Owner, row: Row, m: float) -> float:
    """Return the factor on the draws of a tensor's module."""
    target = row["init_std"]
    if target is None:
        return row["init_mult"]
    own = getattr(owner.module, "param_std", {}).get(owner.attribute) or row.get("own_std")
    if own is not None:
        return target / own
    return row["init_mult"] if m == 1 else _measured_factor(name, owner.parameter, target)


def _measured_factor(name: str, parameter: nn.Parameter, target: float) -> float:
    """Return the factor that gives a tensor a root mean square, by what it has."""
    if hasattr(parameter, "full_tensor"):  # a DTensor
        raise PlanError(
            f"init_: {name}: its own init follows no known law in width, so that the whole tensor "
            "has to be measured; got a shard; call init_ before fully_shard"
        )
    rms = parameter.detach().cpu().double().square().mean().sqrt().item()
    return float(f"{target / rms:.{DIGITS}g}") if rms else 1.0
