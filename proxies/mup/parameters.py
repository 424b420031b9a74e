"""The trainable parameters of a model: their names, modules, and matrix axes."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from mutransfer.proxies.mup.modules import Readout, ResidualBlock
from mutransfer.proxies.mup.patterns import is_declared

# Names that wrappers put into the path of a parameter: DDP, torch.compile, FSDP1, checkpointing.
WRAPPERS = frozenset({"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})

# Axes (out, in) of a weight by the type of its module; all other axes are kernel axes, summed over.
WEIGHT_AXES: tuple[tuple[type[nn.Module], tuple[int, int]], ...] = (
    (nn.Linear, (0, 1)),
    (nn.Embedding, (1, 0)),
    (nn.EmbeddingBag, (1, 0)),
    (nn.ConvTranspose1d, (1, 0)),
    (nn.ConvTranspose2d, (1, 0)),
    (nn.ConvTranspose3d, (1, 0)),
    (nn.Conv1d, (0, 1)),
    (nn.Conv2d, (0, 1)),
    (nn.Conv3d, (0, 1)),
)

TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)

# Weights that nn.MultiheadAttention holds itself; (out, in) like a Linear's.
ATTENTION_WEIGHTS = frozenset({"in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"})


class PlanError(ValueError):
    """A model that no plan can be made for, or a plan that does not belong to a model."""


@dataclass(frozen=True)
class Owner:
    """A parameter with the module that holds it, and whether that is in a `ResidualBlock`."""

    module: nn.Module
    attribute: str
    parameter: nn.Parameter
    in_block: bool = False


def plain_name(name: str) -> str:
    """Return a parameter's name without the parts that wrappers such as DDP put into it."""
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def owners(model: nn.Module, declared: Mapping[str, str] | None = None) -> dict[str, Owner]:
    """Return each trainable parameter of a model with its module, by plain name.

    A tensor that several modules share is listed once, with the first of them.

    Args:
        model: The model.
        declared: Roles by pattern of names; None: accept any shared tensor.

    Raises:
        PlanError: modules that read a tensor differently share it, and its role is not declared;
            or two names are equal without the wrappers' parts.
    """
    by_name: dict[str, Owner] = {}
    by_id: dict[int, Owner] = {}
    blocks: tuple[str, ...] = ()
    for path, module in model.named_modules():
        if isinstance(module, ResidualBlock):
            blocks = (*blocks, f"{path}." if path else "")
        in_block = f"{path}.".startswith(blocks)
        for attribute, parameter in module.named_parameters(recurse=False):
            if not parameter.requires_grad:
                continue
            name = plain_name(f"{path}.{attribute}" if path else attribute)
            owner = Owner(module, attribute, parameter, in_block)
            first = by_id.setdefault(id(parameter), owner)
            if first is not owner:
                first_name = next(n for n, other in by_name.items() if other is first)
                if declared is not None and not is_declared(declared, name, first_name):
                    _refuse_mixed_tie(name, first_name, first, owner)
                continue
            if name in by_name:
                raise PlanError(f"plan: names differ without {sorted(WRAPPERS)}; got {name} twice")
            by_name[name] = owner
    return by_name


def _refuse_mixed_tie(name: str, first_name: str, first: Owner, owner: Owner) -> None:
    """Raise where a tied tensor is read along different axes: no single rule fits both uses."""
    if matrix_axes(first) != matrix_axes(owner) or isinstance(owner.module, Readout):
        raise PlanError(
            f"plan: {name}: a shared tensor has one role; got {type(first.module).__name__} and "
            f"{type(owner.module).__name__}; untie them, or declare the role of the shared tensor: "
            f"roles: {{'{first_name}': input}}"
        )


def matrix_axes(owner: Owner) -> tuple[int, int] | None:
    """Return the (out, in) axes of a matrix, None where its module's type does not define them."""
    if owner.attribute == "weight":
        for module_type, axes in WEIGHT_AXES:
            if isinstance(owner.module, module_type):
                return axes
    is_attention = isinstance(owner.module, nn.MultiheadAttention)
    return (0, 1) if is_attention and owner.attribute in ATTENTION_WEIGHTS else None


def fan_in(owner: Owner, axis: int | None = None) -> int:
    """Return the number of terms that a tensor sums over; 1 for anything but a matrix.

    Args:
        owner: The tensor with its module.
        axis: The axis that is summed over, where it is declared.
    """
    shape = owner.parameter.shape
    if axis is not None:
        return shape[axis]
    if (axes := matrix_axes(owner)) is None:
        return 1
    # A transposed convolution holds (in, out / groups, …): each output sums over in / groups.
    groups = owner.module.groups if isinstance(owner.module, TRANSPOSED) else 1
    return owner.parameter.numel() // shape[axes[0]] // groups


def fan_out(owner: Owner, axis: int | None = None) -> int:
    """Return the number of sums that a tensor takes part in; the size of a vector."""
    return owner.parameter.numel() // fan_in(owner, axis)
