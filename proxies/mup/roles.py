"""Facts about each tensor of a model that the rules need: role, fan-in, and std at initialization.

The role follows from the dimensions that grow with width (Tensor Programs V, appendix B). They are
read off models of two widths on the meta device, where a tensor has a shape and no memory.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from mutransfer.proxies.mup.modules import Readout
from mutransfer.proxies.mup.parameters import (
    Owner,
    PlanError,
    fan_in,
    fan_out,
    matrix_axes,
    owners,
)
from mutransfer.proxies.mup.patterns import declarations
from mutransfer.proxies.mup.rules import Role

Build = Callable[[int], nn.Module]


@dataclass(frozen=True, kw_only=True)
class TensorFacts:
    """What the rules of μP need to know about one tensor.

    Attributes:
        name: Parameter name, without the parts that wrappers add.
        role: See `rules.Role`.
        is_readout: Whether it is the weight of a `Readout`.
        shape: As in torch, at this width.
        fan_in: Number of terms that it sums over; 1 for anything but a matrix.
        base_fan_in: Fan-in at base width.
        base_fan_out: Fan-out at base width.
        base_std: Std in a model of base width; None: the tensor is constant.
        own_std: The std that its module declares at this width; None: constant, or not declared.
        in_block: Whether it belongs to a `ResidualBlock`.
    """

    name: str
    role: Role
    is_readout: bool
    shape: tuple[int, ...]
    fan_in: int
    base_fan_in: int
    base_fan_out: int
    base_std: float | None
    own_std: float | None
    in_block: bool = False

    @property
    def fan_in_mult(self) -> float:
        """b, the fan-in over that at base width."""
        return self.fan_in / self.base_fan_in

    @property
    def fan_out_mult(self) -> float:
        """a, the fan-out over that at base width; the fan-out of a vector is its size."""
        return math.prod(self.shape) // self.fan_in / self.base_fan_out


def tensor_facts(
    build: Build, *, base_width: int, width: int, declared: Mapping[str, str] | None = None
) -> tuple[TensorFacts, ...]:
    """Return the facts of every trainable tensor of `build(width)`, in the model's order.

    `declared` maps patterns of names to roles, for tensors whose shapes do not determine them; see
    `mup.plan`.

    Builds on the meta device only, unless some module does not declare its std in `param_std`
    (parameter name to std, 0 for a constant): then one real model of base width is built and
    measured. The global random state is unchanged afterwards.

    Raises:
        PlanError: the role of a tensor cannot be inferred, or the widths differ in their tensors.
    """
    declared = declared or {}
    base, double = (_on_meta(build, w, declared) for w in (base_width, 2 * base_width))
    model = base if width == base_width else _on_meta(build, width, declared)
    if not base.keys() == double.keys() == model.keys():
        differing = sorted((base.keys() ^ double.keys()) | (base.keys() ^ model.keys()))
        raise PlanError(
            f"plan: all widths have the same parameters; got {differing} at some widths only; vary "
            "only the width"
        )
    measured: dict[str, float | None] = {}
    if any(not _declares_std(owner) for owner in base.values()):
        measured = _measured_stds(build, base_width)
    roles = declarations(declared, model)
    facts = []
    for name, owner in model.items():
        at_base, declares_std = base[name], _declares_std(owner)
        if name in roles:
            role, axis = roles[name]
            if axis is None and matrix_axes(owner) is None and role not in ("vector", "scalar"):
                axis = -1  # stored like a Linear's weight: (…, in)
        else:
            role, axis = _inferred_role(name, at_base, double[name]), None
            _refuse_late_growth(name, at_base, double[name], owner)
        facts.append(
            TensorFacts(
                name=name,
                role=role,
                is_readout=isinstance(owner.module, Readout) and owner.attribute == "weight",
                shape=tuple(owner.parameter.shape),
                fan_in=fan_in(owner, axis),
                base_fan_in=fan_in(at_base, axis),
                base_fan_out=fan_out(at_base, axis),
                base_std=_declared_std(at_base) if declares_std else measured[name],
                own_std=_declared_std(owner) if declares_std else None,
                in_block=owner.in_block,
            )
        )
    return tuple(facts)


def _on_meta(build: Build, width: int, declared: Mapping[str, str]) -> dict[str, Owner]:
    """Return the trainable parameters of a model without memory, by plain name."""
    with torch.device("meta"):
        return owners(build(width), declared)


def _inferred_role(name: str, base: Owner, double: Owner) -> Role:
    """Return a tensor's role from its shapes at base width and at twice that."""
    shapes = base.parameter.shape, double.parameter.shape
    growing = [axis for axis, (a, b) in enumerate(zip(*shapes, strict=True)) if a != b]
    if not growing:
        return "scalar"
    axes = matrix_axes(base)
    if len(growing) == 1 and (
        len(shapes[0]) == 1 or (axes is None and growing[0] == base.parameter.ndim - 1)
    ):
        return "vector"
    if axes is None or not set(growing) <= set(axes):
        raise PlanError(
            f"plan: {name}: the in and out axes of a matrix come from a Linear, Conv or Embedding; "
            f"got a {type(base.module).__name__} with {list(shapes[0])} at base width and "
            f"{list(shapes[1])} at twice that; hold it in such a module, or declare it: roles: "
            f"{{'{name}': hidden@1}}, where 1 is the axis that is summed over"
        )
    if fan_in(base) == fan_in(double):
        return "input"
    return "output" if fan_out(base) == fan_out(double) else "hidden"


def _refuse_late_growth(name: str, base: Owner, double: Owner, owner: Owner) -> None:
    """Raise where a dimension is equal at base width and twice that, but differs at this width."""
    shapes = [o.parameter.shape for o in (base, double, owner)]
    if any(a == b and a != c for a, b, c in zip(*shapes, strict=True)):
        raise PlanError(
            f"plan: {name}: a dimension grows at every width or at none; got {list(shapes[0])} at "
            f"base width, {list(shapes[1])} at twice that and {list(shapes[2])} at this width; "
            f"take a base width above which it grows, or declare it: roles: {{'{name}': hidden}}"
        )


def _declares_std(owner: Owner) -> bool:
    return owner.attribute in getattr(owner.module, "param_std", {})


def _declared_std(owner: Owner) -> float | None:
    """Return the std that a module declares; None where it is zero: a constant."""
    declared: dict[str, float] = owner.module.param_std  # type: ignore[assignment]
    return declared[owner.attribute] or None


def _measured_stds(build: Build, width: int) -> dict[str, float | None]:
    """Return the std of every tensor of a model built on the CPU; None as in `_measured_std`."""
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(0)
        return {name: _measured_std(o.parameter) for name, o in owners(build(width)).items()}


def _measured_std(parameter: torch.Tensor) -> float | None:
    """Return the std of a tensor's entries, None if they are constant or not centred at zero."""
    values = parameter.detach().double()
    std, mean = values.std(correction=0).item(), values.mean().item()
    # Draws around another mean than zero (gains near one) cannot be redrawn from N(0, std²).
    is_centred = abs(mean) <= 6 * std / math.sqrt(values.numel())
    is_constant = bool((values == values.flatten()[0]).all())
    return None if is_constant or not is_centred else std
