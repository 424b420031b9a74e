"""What a newborn model of one width is, measured on the model and its optimizer themselves.

Nothing here asks the plan or the rule table: rates come from the optimizer's groups, sizes from the
tensors, responses from derivatives of the model's own forward pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mutransfer.proxies.checks.attention import Attention
from mutransfer.proxies.checks.coordcheck import Run
from mutransfer.proxies.checks.forward import MODEL, Look, Shapes, look
from mutransfer.proxies.mup.parameters import owners

# Entries of an output that a response is averaged over.
N_ENTRIES = 8


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One tensor of a newborn model.

    Attributes:
        module: Path of the module that holds it.
        shape: Its shape.
        rms: Root mean square of its entries.
        lr: Learning rate, of its group in the optimizer; None: it is in no group.
        weight_decay: Likewise.
        eps: Adam's ε, relative to the gradient of the form with a multiplier.
    """

    module: str
    shape: tuple[int, ...]
    rms: float
    lr: float | None
    weight_decay: float
    eps: float


@dataclass(frozen=True, kw_only=True)
class InitState:
    """A newborn model of one width: its tensors by name, and what a forward pass showed."""

    width: int
    tensors: dict[str, Measured]
    look: Look
    parameters: dict[str, nn.Parameter]

    @property
    def attentions(self) -> list[Attention]:
        """The attentions of a pass, in their order."""
        return self.look.attentions


def newborn(run: Run, width: int, *, like: "InitState | None" = None) -> InitState:
    """Return what a model is before its first step.

    Args:
        run: InitState and initialized; its optimizer has not stepped.
        width: Its width.
        like: A model of another width. Tensors of equal shape get its values before the pass, so
            that what does not grow answers alike in both; their sizes are measured before.
    """
    found = owners(run.model)
    group_of = {id(p): group for group in run.optimizer.param_groups for p in group["params"]}
    paths = {id(module): path for path, module in run.model.named_modules()}
    tensors = {}
    for name, owner in found.items():
        group = group_of.get(id(owner.parameter), {})
        tensors[name] = Measured(
            module=paths[id(owner.module)] or MODEL,
            shape=tuple(owner.parameter.shape),
            rms=owner.parameter.detach().double().square().mean().sqrt().item(),
            lr=group.get("lr"),
            weight_decay=group.get("weight_decay", 0.0),
            eps=group.get("eps", 0.0) / group.get("grad_mult", 1.0),
        )
    parameters = {name: owner.parameter for name, owner in found.items()}
    if like is not None:
        _copy_finite(parameters, like.parameters)
    seen = look(run.model, run.probe)
    return InitState(width=width, tensors=tensors, look=seen, parameters=parameters)


@torch.no_grad()
def _copy_finite(into: Mapping[str, nn.Parameter], source: Mapping[str, nn.Parameter]) -> None:
    for name, parameter in into.items():
        other = source.get(name)
        if other is not None and other.shape == parameter.shape:
            parameter.copy_(other)


def response(found: InitState, name: str, outputs: list[Tensor]) -> float:
    """Return how far one entry of some outputs moves per unit of an aligned change of a tensor.

    The largest change of an entry when each weight moves by at most one: the L1 norm of its
    derivative, mean over entries. An update of Adam, LR × sign, moves it by LR times that.
    """
    total, n = 0.0, 0
    parameter = found.parameters[name]
    for output in outputs:
        if not output.requires_grad:
            continue
        flat = output.flatten()
        for entry in flat[:: (flat.numel() // N_ENTRIES) | 1][:N_ENTRIES]:
            (slope,) = torch.autograd.grad(entry, parameter, retain_graph=True, allow_unused=True)
            if slope is not None:
                total, n = total + slope.double().abs().sum().item(), n + 1
    return total / n if n else 0.0


def grows(one: Shapes, other: Shapes) -> bool:
    """Return whether some shape in a list differs from its counterpart at another width."""
    return len(one) != len(other) or one != other


def feeds(found: InitState, module: str, others: list[Tensor]) -> bool:
    """Return whether some of a pass's tensors depend on what a module returned."""
    outputs = [t for t in found.look.outputs.get(module, ()) if t.requires_grad]
    targets = [t.sum() for t in others if t.requires_grad]
    if not (outputs and targets):
        return False
    slopes = torch.autograd.grad(
        torch.stack([t.float() for t in targets]).sum(),
        outputs,
        retain_graph=True,
        allow_unused=True,
    )
    return any(slope is not None for slope in slopes)
