"""Measurements of a model at initialization, without its plan and without the rule table.

Learning rates come from the optimizer's groups, sizes from the tensors, responses from derivatives
of the forward pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from mutransfer.proxies.checks.coordcheck import CheckRun
from mutransfer.proxies.checks.forward import MODEL, AttentionScale, ForwardTrace, trace
from mutransfer.proxies.mup.optimizers import OptimizerRule, kind_of
from mutransfer.proxies.mup.parameters import owners
from mutransfer.proxies.mup.rules import Kind

# Entries of an output that a response is averaged over.
N_ENTRIES = 8


@dataclass(frozen=True, kw_only=True)
class InitTensor:
    """One tensor of a model at initialization.

    Attributes:
        module: Path of the module that holds it.
        others: Paths of further modules that share it.
        shape: As in torch.
        rms: Root mean square of its entries.
        zero_share: Share of its entries that are zero.
        lr: Learning rate of its group in the optimizer; None if it is in no group.
        base_lr: Base LR of its group; None if the group does not say.
        weight_decay: Weight decay of its group; 0 if it is in no group.
        eps: Adam's ε of its group, over `grad_mult`; 0 if the optimizer is no Adam.
        kind: How the optimizer updates it, by the optimizer's class.
        adjustment: Muon's factor on the LR for this shape; else 1.
    """

    module: str
    others: tuple[str, ...]
    shape: tuple[int, ...]
    rms: float
    zero_share: float
    lr: float | None
    base_lr: float | None
    weight_decay: float
    eps: float
    kind: Kind = "entrywise"
    adjustment: float = 1.0


@dataclass(frozen=True, kw_only=True)
class InitState:
    """A model of one width at initialization: its tensors by name, and one forward pass."""

    width: int
    tensors: dict[str, InitTensor]
    trace: ForwardTrace
    rule: OptimizerRule
    parameters: dict[str, nn.Parameter]

    @property
    def attentions(self) -> list[AttentionScale]:
        """Every attention of the forward pass, in order."""
        return self.trace.attentions


def init_state(run: CheckRun, width: int, *, like: InitState | None = None) -> InitState:
    """Return the measurements of a model before its first step.

    Args:
        run: A run that has not taken a step.
        width: Width of its model.
        like: A model of another width. After their sizes are measured, tensors of equal shape get
            its values, so that what does not grow acts alike in both forward passes.
    """
    owner_of = owners(run.model)
    group_of = {id(p): group for group in run.optimizer.param_groups for p in group["params"]}
    paths = {id(module): path for path, module in run.model.named_modules()}
    tensors = {}
    for name, owner in owner_of.items():
        group = group_of.get(id(owner.parameter), {})
        kind = (kind_of(run.optimizer, group) if group else None) or "entrywise"
        shape, is_muon = tuple(owner.parameter.shape), kind == "orthogonal"
        tensors[name] = InitTensor(
            module=paths[id(owner.module)] or MODEL,
            others=tuple(paths[id(u)] for u in owner.users if u is not owner.module),
            shape=shape,
            rms=owner.parameter.detach().double().square().mean().sqrt().item(),
            zero_share=(owner.parameter.detach() == 0).double().mean().item(),
            lr=group.get("lr"),
            base_lr=group.get("base_lr"),
            weight_decay=group.get("weight_decay", 0.0),
            eps=0.0 if is_muon else group.get("eps", 0.0) / group.get("grad_mult", 1.0),
            kind=kind,
            adjustment=_adjust_lr(1.0, group.get("adjust_lr_fn"), shape) if is_muon else 1.0,
        )
    parameters = {name: owner.parameter for name, owner in owner_of.items()}
    if like is not None:
        _copy_equal_shapes(parameters, like.parameters)
    forward_trace = trace(run.model, run.probe, with_graph=True)
    return InitState(
        width=width, tensors=tensors, trace=forward_trace, rule=run.rule, parameters=parameters
    )


@torch.no_grad()
def _copy_equal_shapes(
    into: Mapping[str, nn.Parameter], source: Mapping[str, nn.Parameter]
) -> None:
    for name, parameter in into.items():
        other = source.get(name)
        if other is not None and other.shape == parameter.shape:
            parameter.copy_(other)


def _adjust_lr(lr: float, adjust_lr_fn: str | None, shape: tuple[int, ...]) -> float:
    """Return the LR that torch's Muon takes for a matrix, by torch's own function."""
    from torch.optim._muon import _adjust_lr as torchs

    return float(torchs(lr, adjust_lr_fn, torch.Size(shape)))


def response(state: InitState, name: str, module: str, kind: Kind = "entrywise") -> float:
    """Return how far a module's output moves per unit of LR in an update of a tensor.

    For an update of entries of size one, as Adam's, the L1 norm of its derivative: the largest
    change when each weight moves by at most one. For the gradient itself, the squared L2 norm. Mean
    over entries of the output.

    Args:
        state: A model at initialization.
        name: Name of the tensor.
        module: Path of the module whose output is measured.
        kind: What the optimizer makes of a gradient.
    """
    total, n = 0.0, 0
    parameter = state.parameters[name]
    for output in state.trace.outputs.get(module, ()):
        if not output.requires_grad:
            continue
        flat = output.flatten()
        for entry in flat[:: (flat.numel() // N_ENTRIES) | 1][:N_ENTRIES]:
            (slope,) = torch.autograd.grad(entry, parameter, retain_graph=True, allow_unused=True)
            if slope is not None:
                entries = slope.double()
                size = entries.square().sum() if kind == "gradient" else entries.abs().sum()
                total, n = total + size.item(), n + 1
    return total / n if n else 0.0
