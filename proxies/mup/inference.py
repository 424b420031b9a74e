"""The role of each tensor from its shapes at several widths, or a list of what to declare.

A dimension that differs between widths grows. What a layer of a known type does with its dimensions
is known; what a module does with a parameter that it uses by itself is not, and nothing is guessed.
"""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from mutransfer.proxies.mup.parameters import (
    Declared,
    Owner,
    PlanError,
    declarations,
    fan_in,
    fan_out,
    matrix_axes,
    plain_shape,
)
from mutransfer.proxies.mup.rules import MATRIX_ROLES, Role


class Widths(NamedTuple):
    """One tensor at base width, at twice that, and at the width of the plan."""

    base: Owner
    double: Owner
    at_width: Owner

    @property
    def growing(self) -> list[int]:
        """The axes that grow from base width to twice that."""
        pairs = zip(self.base.parameter.shape, self.double.parameter.shape, strict=True)
        return [axis for axis, (a, b) in enumerate(pairs) if a != b]

    @property
    def text(self) -> str:
        """The shapes at base width and at twice that."""
        module = type(self.base.module).__name__
        return f"{plain_shape(self.base)} → {plain_shape(self.double)} in a {module}"


def roles_of(
    base: Mapping[str, Owner],
    double: Mapping[str, Owner],
    model: Mapping[str, Owner],
    declared: Mapping[str, str],
) -> dict[str, Declared]:
    """Return the role of each tensor: as declared, as its module says, or as its shapes tell.

    A module of one's own may say it in `param_roles`, by parameter name.

    Args:
        base: The tensors of a model of base width.
        double: Of twice that.
        model: Of the width of the plan.
        declared: Roles by pattern of names; see `parameters.declarations`.

    Raises:
        PlanError: roles that cannot be known, with all of them as a `roles:` block; or declared
            ones that do not fit their tensors.
        ConfigError: as `parameters.declarations`.
    """
    of_patterns = declarations(declared, model)
    roles: dict[str, Declared] = {}
    faults: list[str] = []
    unknown: dict[str, Widths] = {}
    for name, owner in model.items():
        widths = Widths(base[name], double[name], owner)
        own = getattr(owner.module, "param_roles", {}).get(owner.attribute)
        if name in of_patterns:
            roles[name] = _with_axis(of_patterns[name], owner)
            faults += _misfits(name, roles[name], widths)
        elif own is not None:
            roles[name] = _with_axis(Declared(own), owner)
        elif (role := _inferred(widths)) is not None:
            roles[name] = Declared(role)
            faults += _late_growth(name, widths)
        else:
            unknown[name] = widths
    if unknown:
        faults.append(_block(unknown))
    if faults:
        raise PlanError("plan: " + "\n".join(faults))
    return roles


def _with_axis(found: Declared, owner: Owner) -> Declared:
    """Return a declared role with the axis of a matrix: by default the last, like a Linear's."""
    if found.axis is not None or matrix_axes(owner) is not None or found.role not in MATRIX_ROLES:
        return found
    return found._replace(axis=owner.parameter.ndim - 1)


def _inferred(widths: Widths) -> Role | None:
    """Return a tensor's role from its shapes; None where they do not tell."""
    base, growing = widths.base, widths.growing
    shape = base.parameter.shape
    if not growing:
        return "scalar"
    if len(shape) == 1:
        return "vector"
    axes = matrix_axes(base)
    if axes is None:
        return "vector" if _is_broadcast(shape, growing) else None
    if not set(growing) <= set(axes):
        return None
    if fan_in(base) == fan_in(widths.double):
        return "input"
    return "output" if fan_out(base) == fan_out(widths.double) else "hidden"


def _is_broadcast(shape: Iterable[int], growing: list[int]) -> bool:
    """Return whether a raw tensor can only be added to, or multiplied with, a stream (B, …, width).

    That is one of at least three axes whose first has size 1, as positions (1, T, width), or all
    but the growing one, as (width, 1, 1). A matrix (k, width) may be summed over or not.
    """
    sizes = list(shape)
    if len(sizes) < 3 or len(growing) != 1:
        return False
    others = [n for axis, n in enumerate(sizes) if axis != growing[0]]
    return all(n == 1 for n in others) or (sizes[0] == 1 and growing[0] == len(sizes) - 1)


def _misfits(name: str, found: Declared, widths: Widths) -> list[str]:
    """Return what is wrong with a declared role: an axis that is none, or that does not grow."""
    shape = widths.base.parameter.shape
    if found.axis is not None and found.axis >= len(shape):
        rule = f"an axis after @ is one of 0 to {len(shape) - 1}"
        return [f"{name}: {rule}; got {found.role}@{found.axis} for {widths.text}"]
    sums = {fan_in(owner, found.axis) for owner in widths}
    grows = len(sums) > 1
    if found.role not in ("hidden", "output") or grows:
        return []
    where = "" if found.axis is None else f"@{found.axis}"
    options = [f"{found.role}@{axis}" for axis in widths.growing]
    return [
        f"{name}: what a tensor of role {found.role} sums over grows with width; got "
        f"{found.role}{where} for {widths.text}; declare {' or '.join(options) or 'scalar'}"
    ]


def _late_growth(name: str, widths: Widths) -> list[str]:
    """Return a fault where a dimension grows only above twice the base width."""
    shapes = [owner.parameter.shape for owner in widths]
    if not any(a == b and a != c for a, b, c in zip(*shapes, strict=True)):
        return []
    return [
        f"{name}: a dimension grows at every width or at none; got {list(shapes[0])} at base "
        f"width, {list(shapes[1])} at twice that and {list(shapes[2])} at this width; take a base "
        f"width above which it grows, or declare it: roles: {{'{name}': hidden}}"
    ]


def _block(unknown: Mapping[str, Widths]) -> str:
    """Return all tensors without a role as a `roles:` block with the choices that fit each."""
    lines: dict[str, str] = {}
    for name, widths in unknown.items():
        # Blocks that are alike are one line: layers.0.router, layers.1.router: layers.*.router.
        pattern = re.sub(r"(?<![^.])\d+(?![^.])", "*", name)
        first = lines.setdefault(pattern, _line(pattern, widths))
        if first != _line(pattern, widths):
            lines[name] = _line(name, widths)
    names = ", ".join([*unknown][:3]) + (" …" if len(unknown) > 3 else "")
    return (
        "the in and out axes of a matrix are known of a Linear, Conv or Embedding; got parameters "
        f"whose use their shapes do not tell: {names}; declare them, choosing one of the words on "
        "each line (input, hidden, output: matrices, @ the axis that is summed over; vector: added "
        "or a gain):\nroles:\n" + "\n".join(lines.values())
    )


def _line(name: str, widths: Widths) -> str:
    return f"  '{name}': {' | '.join(_options(widths))}  # {widths.text}"


def _options(widths: Widths) -> list[str]:
    """Return the roles that fit a tensor, with the axis that would be summed over."""
    axes, growing = range(widths.base.parameter.ndim), widths.growing
    if len(growing) > 1:
        return [f"hidden@{axis}" for axis in growing]
    others = [a for a in axes if a not in growing and widths.base.parameter.shape[a] > 1]
    return ["vector", f"output@{growing[0]}", *(f"input@{axis}" for axis in others)]
