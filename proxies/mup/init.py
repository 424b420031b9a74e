"""Initialization of a model by its plan, in place."""

import math

import torch
from torch import nn

from mutransfer.proxies.mup.modules import Readout, ResidualBlock
from mutransfer.proxies.mup.parameters import Owner, PlanError, owners
from mutransfer.proxies.mup.plan import Plan, Row
from mutransfer.proxies.rng import generator


@torch.no_grad()
def init_(model: nn.Module, plan: Plan, seed: int = 0) -> None:
    """Give a newly built model the plan's std and multipliers, in place.

    A tensor keeps its module's draws, rescaled, if the module declares its std, m = 1, or the plan
    has no std for it; any other is redrawn from N(0, init_std²), from the stream of (seed, name).
    At m = 1 with default base HPs nothing changes. Call it once, before sharding and before a
    checkpoint is loaded.

    Raises:
        PlanError: the model does not match the plan, or was initialized before: a second scaling
            would go unnoticed.
    """
    if getattr(model, "_mup_is_initialized", False):
        raise PlanError(
            "init_: a model is initialized once; got one that already is; build a new one"
        )
    rows, owner_of = plan["params"], owners(model)
    if unmatched := sorted(owner_of.keys() ^ rows.keys()):
        raise PlanError(
            f"init_: model and plan name the same parameters; got {unmatched} in only one"
        )
    for name, owner in owner_of.items():
        row, parameter = rows[name], owner.parameter
        if list(parameter.shape) != row["shape"]:
            raise PlanError(
                f"init_: {name}: the plan is for shape {row['shape']}; got "
                f"{list(parameter.shape)}; make the plan for the width that is built"
            )
        if isinstance(owner.module, Readout) and owner.attribute == "weight":
            owner.module.input_mult = row["input_mult"]
        if (factor := _factor(owner, row, plan["width_mult"])) is None:
            assert row["init_std"] is not None, "a tensor is redrawn to reach a std"
            draw = torch.randn(parameter.shape, generator=generator("init", seed, name))
            parameter.copy_(draw * row["init_std"])
        elif not math.isclose(factor, 1.0, rel_tol=1e-9):
            parameter.mul_(factor)
    for module in model.modules():
        if isinstance(module, ResidualBlock):
            module.residual_mult = plan.get("residual_mult", 1.0)
    model._mup_is_initialized = True  # type: ignore[assignment]


def _factor(owner: Owner, row: Row, m: float) -> float | None:
    """Return the factor on the draws of a tensor's module; None: redraw the tensor."""
    own_std = getattr(owner.module, "param_std", {}).get(owner.attribute)
    target = row["init_std"]
    if own_std is not None:
        return 1.0 if target is None else target / own_std
    is_kept = m == 1 or target is None
    return row["init_mult"] if is_kept else None
