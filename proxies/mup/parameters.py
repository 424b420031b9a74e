"""The trainable parameters of a model: names, modules, matrix axes, and roles declared by name."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import NamedTuple

from torch import nn
from torch.nn.parameter import UninitializedParameter

from mutransfer.proxies.errors import ConfigError
from mutransfer.proxies.mup.modules import Readout, ResidualBlock
from mutransfer.proxies.mup.rules import ROLES, Role

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

TABLES = (nn.Embedding, nn.EmbeddingBag)
TRANSPOSED = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)

# Weights that nn.MultiheadAttention holds itself; (out, in) like a Linear's.
ATTENTION_WEIGHTS = frozenset({"in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"})


# After a declared role: the module's own init is right at every width.
OWN_INIT = "own init"


class PlanError(ValueError):
    """A model that no plan can be made for, or a plan that does not belong to a model."""


@dataclass(frozen=True)
class Owner:
    """A parameter with the module whose use of it decides its role.

    Attributes:
        module: The first module that holds it and is no `Readout`, else the first.
        attribute: Its name there.
        parameter: The tensor.
        in_block: Whether the module is in a `ResidualBlock`.
        users: All modules that hold it; more than one where it is tied.
    """

    module: nn.Module
    attribute: str
    parameter: nn.Parameter
    in_block: bool = False
    users: tuple[nn.Module, ...] = ()

    @property
    def readouts(self) -> tuple[Readout, ...]:
        """Every `Readout` whose weight it is."""
        found = (user for user in self.users if isinstance(user, Readout))
        return tuple(user for user in found if user.weight is self.parameter)

    @property
    def is_tied_table(self) -> bool:
        """Whether a table is the weight of a `Readout` too, whose multiplier then acts."""
        return bool(self.readouts) and not isinstance(self.module, Readout)


def plain_name(name: str) -> str:
    """Return a parameter's name without the parts that wrappers such as DDP put into it."""
    return ".".join(part for part in name.split(".") if part not in WRAPPERS)


def owners(
    model: nn.Module, declared: Mapping[str, str] | None = None, *, with_frozen: bool = False
) -> dict[str, Owner]:
    """Return each trainable parameter of a model with its module, by plain name.

    A tensor that several modules share is listed once, under its first name.

    Args:
        model: The model.
        declared: Roles by pattern of names; None: accept any shared tensor.
        with_frozen: List parameters that are not trained, too.

    Raises:
        PlanError: modules that read a tensor differently share it, and its role is not declared;
            two names are equal without the wrappers' parts; or a tensor has no shape yet.
    """
    _refuse_lazy(model)
    uses: dict[int, list[tuple[str, Owner]]] = {}
    blocks: tuple[str, ...] = ()
    for path, module in model.named_modules():
        if isinstance(module, ResidualBlock):
            blocks = (*blocks, f"{path}." if path else "")
        in_block = f"{path}.".startswith(blocks)
        for attribute, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad or with_frozen:
                name = plain_name(f"{path}.{attribute}" if path else attribute)
                owner = Owner(module, attribute, parameter, in_block)
                uses.setdefault(id(parameter), []).append((name, owner))
    by_name: dict[str, Owner] = {}
    for shared in uses.values():
        first_name = shared[0][0]
        if first_name in by_name:
            raise PlanError(
                f"plan: names differ without {sorted(WRAPPERS)}; got {first_name} twice"
            )
        if declared is not None and not is_declared(declared, *(name for name, _ in shared)):
            _refuse_mixed_tie(shared)
        by_name[first_name] = _of_all_users([owner for _, owner in shared])
    return by_name


def _refuse_lazy(model: nn.Module) -> None:
    """Raise where modules wait for their first input to know their shapes."""
    lazy = [n for n, p in model.named_parameters() if isinstance(p, UninitializedParameter)]
    if lazy:
        raise PlanError(
            "plan: every tensor has a shape when build(width) returns; got lazy modules, which "
            f"wait for their first input: {', '.join(lazy)}; give them their in_features, as "
            "nn.Linear instead of nn.LazyLinear"
        )


def _of_all_users(shared: list[Owner]) -> Owner:
    """Return the owner of a tensor: its first user that is no `Readout`, with all users."""
    no_readouts = [owner for owner in shared if not isinstance(owner.module, Readout)]
    users = tuple(owner.module for owner in shared)
    return dataclasses.replace([*no_readouts, shared[0]][0], users=users)


def _refuse_mixed_tie(shared: list[tuple[str, Owner]]) -> None:
    """Raise where a tied tensor is read along different axes: no single rule fits both uses.

    A table that a `Readout` shares is right: the multiplier acts on the readout's input, and the
    tensor itself trains as an input (Tensor Programs V, Table 8).
    """
    others = [(name, owner) for name, owner in shared if not isinstance(owner.module, Readout)]
    tables = [owner for _, owner in others if isinstance(owner.module, TABLES)]
    has_readout = len(others) < len(shared)
    if not others or (has_readout and len(tables) == len(others)):
        return
    (first_name, first), *rest = others
    differing = [owner for _, owner in rest if matrix_axes(owner) != matrix_axes(first)]
    if not differing and not has_readout:
        return
    names = " and ".join(f"{name} ({type(owner.module).__name__})" for name, owner in shared)
    raise PlanError(
        f"plan: {first_name}: a shared tensor is used in one way, or as a table and a mup.Readout; "
        f"got {names}; make the head a mup.Readout and tie it, `head = mup.Readout(width, n, "
        "bias=False); head.weight = table.weight`, so that its input gets the multiplier 1/m; or, "
        f"where the forward pass has it already, declare roles: {{'{first_name}': input}}"
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


def layer_fan_in(owner: Owner) -> int:
    """Return the fan-in of the weight of a tensor's module; 1 without such a weight."""
    weight = owner.module._parameters.get("weight")
    if not isinstance(weight, nn.Parameter):
        return 1
    return fan_in(Owner(owner.module, "weight", weight))


def plain_shape(owner: Owner) -> list[int]:
    """Return the shape of a tensor as a list."""
    return list(owner.parameter.shape)


class Declared(NamedTuple):
    """A role, the axis that is summed over, and whether the module's own init is kept."""

    role: Role
    axis: int | None = None
    keeps_init: bool = False


def declarations(declared: Mapping[str, str], names: Iterable[str]) -> dict[str, Declared]:
    """Return what is declared of each name that a pattern matches; the last match counts.

    Args:
        declared: Maps shell-style patterns (`*`, `?`, `[…]`) to `role` or `role@axis`, where the
            axis is the one that is summed over, and `, own init` may follow.
        names: Names of parameters.

    Raises:
        ConfigError: patterns that match no name, or unknown roles; the text names all of them.
    """
    names = list(names)
    roles: dict[str, Declared] = {}
    faults = []
    for pattern, text in declared.items():
        matches = [name for name in names if fnmatchcase(name, pattern)]
        found = _parsed(str(text))
        if found is None:
            faults.append(
                f"roles: {pattern}: one of {', '.join(ROLES)}, with @ and the fan-in axis where it "
                f"is no Linear, and `, {OWN_INIT}` where its init is right at every width; got "
                f"{text}; write for example `hidden@1`"
            )
        elif not matches:
            faults.append(
                f"roles: {pattern}: a pattern matches some parameter; got none; parameters are "
                f"{', '.join(names[:5])} …"
            )
        else:
            roles.update(dict.fromkeys(matches, found))
    if faults:
        raise ConfigError("\n".join(faults))
    return roles


def _parsed(text: str) -> Declared | None:
    """Return what `role`, `role@axis` or either with `, own init` says; None: nothing known."""
    rule, _, option = (part.strip() for part in text.partition(","))
    name, at, axis = rule.partition("@")
    role = next((role for role in ROLES if role == name), None)
    if role is None or option not in ("", OWN_INIT) or bool(at) != axis.isdigit():
        return None
    return Declared(role, int(axis) if axis else None, option == OWN_INIT)


def is_declared(declared: Mapping[str, str], *names: str) -> bool:
    """Return whether a pattern matches one of the names."""
    return any(fnmatchcase(name, pattern) for pattern in declared for name in names)
