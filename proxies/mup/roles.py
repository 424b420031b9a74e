"""What width does to each tensor of a model: its role and the std its module gives it.

A role says how many dimensions of a tensor grow with width (Tensor Programs V, appendix B), found
by building the model at two widths on the meta device, where a tensor has a shape and no memory.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn

from mutransfer.proxies.mup.modules import Readout
from mutransfer.proxies.mup.parameters import Owner, PlanError, _axes, owners
from mutransfer.proxies.mup.patterns import declarations

Role = Literal["input", "hidden", "output", "vector", "scalar"]

Build = Callable[[int], nn.Module]


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What the rules of μP need to know about one tensor.

    `base_std` is its std in a model of base width, `own_std` the one its module declares at this
    width. None: the tensor is constant (or, for `own_std`, its module declares nothing).
    `in_block`: it belongs to a `ResidualBlock`.
    """

    name: str
    role: Role
    is_readout: bool
    shape: tuple[int, ...]
    fan_in: int
    base_fan_in: int
    base_std: float | None
    own_std: float | None
    in_block: bool = False


def inspect(
    build: Build, *, base_width: int, width: int, declared: Mapping[str, str] | None = None
) -> tuple[Facts, ...]:
    """Return the facts of every trainable tensor of `build(width)`, in the model's order.

    `declared` maps patterns of names to roles, for tensors whose shapes tell nothing; see
    `mup.plan`.

    Builds on the meta device only, unless some module does not declare its std in `param_std`
    (parameter name to std, 0 for a constant): then one real model of base width is built and
    measured. The global random state stays as it was.

    Raises:
        PlanError: a tensor whose role cannot be known, or models of different tensors.
    """
    declared = declared or {}
    base, double = (_on_meta(build, w, declared) for w in (base_width, 2 * base_width))
    model = base if width == base_width else _on_meta(build, width, declared)
    if not base.keys() == double.keys() == model.keys():
        odd = sorted((base.keys() ^ double.keys()) | (base.keys() ^ model.keys()))
        raise PlanError(f"plan: all widths have the same parameters; got {odd}; vary only width")
    measured = None
    if any(not _declares(owner) for owner in base.values()):
        measured = _measure(build, base_width)
    told = declarations(declared, model, Role)
    facts = []
    for name, owner in model.items():
        base_owner = base[name]
        knows_std = _declares(owner)
        base_std = _declared_std(base_owner) if knows_std else (measured or {})[name]
        role, axis = told.get(name, (None, None))
        if role is None:
            role = _role(name, base_owner, double[name])
            _refuse_late_growth(name, base_owner, double[name], owner)
        elif axis is None and _axes(owner) is None and role not in ("vector", "scalar"):
            axis = -1  # stored like a Linear's weight: (…, in)
        facts.append(
            Facts(
                name=name,
                role=role,  # type: ignore[arg-type]
                is_readout=isinstance(owner.module, Readout) and owner.attribute == "weight",
                shape=tuple(owner.parameter.shape),
                fan_in=_fan_in(owner, axis),
                base_fan_in=_fan_in(base_owner, axis),
                base_std=base_std,
                own_std=_declared_std(owner) if knows_std else None,
                in_block=owner.in_block,
            )
        )
    return tuple(facts)


def _on_meta(build: Build, width: int, declared: Mapping[str, str]) -> dict[str, Owner]:
    """Return the trainable parameters of a model without memory, by plain name."""
    with torch.device("meta"):
        return owners(build(width), declared)


def _fan_in(owner: Owner, axis: int | None = None) -> int:
    """Return the number of terms that the tensor sums over; 1 for anything but a matrix."""
    if axis is not None:
        return owner.parameter.shape[axis]
    axes = _axes(owner)
    return 1 if axes is None else owner.parameter.numel() // owner.parameter.shape[axes[0]]


def _role(name: str, base: Owner, double: Owner) -> Role:
    """Return a tensor's role from its shapes at base width and at twice that."""
    shapes = base.parameter.shape, double.parameter.shape
    grows = [axis for axis, (a, b) in enumerate(zip(*shapes, strict=True)) if a != b]
    if not grows:
        return "scalar"
    axes = _axes(base)
    if len(grows) == 1 and (
        len(shapes[0]) == 1 or (axes is None and grows[0] == base.parameter.ndim - 1)
    ):
        return "vector"
    if axes is None or not set(grows) <= set(axes):
        raise PlanError(
            f"plan: {name}: the in and out axes of a matrix come from a Linear, Conv or Embedding; "
            f"got a {type(base.module).__name__} with {list(shapes[0])} at base width and "
            f"{list(shapes[1])} at twice that; hold it in such a module, or declare it: roles: "
            f"{{'{name}': hidden@1}}, where 1 is the axis that is summed over"
        )
    if len(grows) == 2:
        return "hidden"
    return "input" if grows[0] == axes[0] else "output"


def _refuse_late_growth(name: str, base: Owner, double: Owner, owner: Owner) -> None:
    """Raise where a dimension is equal at base width and twice that, and another at this width."""
    shapes = [o.parameter.shape for o in (base, double, owner)]
    odd = [k for k, (a, b, c) in enumerate(zip(*shapes, strict=True)) if a == b and a != c]
    if odd:
        raise PlanError(
            f"plan: {name}: a dimension grows at every width or at none; got {list(shapes[0])} at "
            f"base width, {list(shapes[1])} at twice that and {list(shapes[2])} at this width; "
            f"take a base width from which it grows, or declare it: roles: {{'{name}': hidden}}"
        )


def _declares(owner: Owner) -> bool:
    return owner.attribute in getattr(owner.module, "param_std", {})


def _declared_std(owner: Owner) -> float | None:
    """Return the std that a module declares; None where it is zero: a constant."""
    declared: dict[str, float] = owner.module.param_std  # type: ignore[assignment]
    return declared[owner.attribute] or None


def _measure(build: Build, width: int) -> dict[str, float | None]:
    """Return the std of every tensor of a real model, None where it is left as it is made."""
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(0)
        return dict(_measured(owners(build(width))))


def _measured(found: dict[str, Owner]) -> Iterator[tuple[str, float | None]]:
    for name, owner in found.items():
        values = owner.parameter.detach().double()
        std, mean = values.std(correction=0).item(), values.mean().item()
        # Draws around another mean than zero (gains near one) cannot be redrawn from N(0, std²).
        is_centred = abs(mean) <= 6 * std / math.sqrt(values.numel())
        is_constant = bool((values == values.flatten()[0]).all())
        yield name, None if is_constant or not is_centred else std


# "unscaled" is μP without the study's scaling rule.
