"""Facts about each tensor of a model that the rules need: role, fan-in, and std at initialization.

The role follows from the dimensions that grow with width (Tensor Programs V, appendix B). They are
read off models of two widths on the meta device, where a tensor has a shape and no memory.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from mutransfer.proxies.mup.inference import roles_of
from mutransfer.proxies.mup.modules import Readout
from mutransfer.proxies.mup.own_init import Build, OwnInit, Sizes, law_ratio, own_inits
from mutransfer.proxies.mup.parameters import (
    Declared,
    Owner,
    PlanError,
    fan_in,
    layer_fan_in,
    owners,
)
from mutransfer.proxies.mup.rules import MATRIX_ROLES, Role

DECLARED = "declared"  # the law of a tensor whose module says its std at every width


@dataclass(frozen=True, kw_only=True)
class TensorFacts:
    """What the rules of μP need to know about one tensor.

    Attributes:
        name: Parameter name, without the parts that wrappers add.
        role: See `rules.Role`.
        is_readout: Whether it is the weight of a `Readout` alone.
        is_tied_table: Whether it is a table and the weight of a `Readout`.
        shape: As in torch, at this width.
        base_shape: At base width.
        fan_in: Number of terms that it sums over; 1 for anything but a matrix.
        base_fan_in: Fan-in at base width.
        layer_fan_in: Fan-in of the weight of its module; 1 without one.
        base_layer_fan_in: The same at base width.
        base_std: Std, or measured root mean square, in a model of base width; None: constant, or a
            vector off zero.
        own_std: The std that its module declares at this width; None: constant, or not declared.
        law: How the size of the module's draws depends on width: "declared", a name of
            `own_init.LAWS`, or None where no law fits, or nothing is drawn.
        is_mixed: Whether it is a constant plus noise, which no single factor can scale.
        keeps_init: Whether its own init is declared to be right at every width.
        in_block: Whether it belongs to a `ResidualBlock`.
    """

    name: str
    role: Role
    is_readout: bool
    shape: tuple[int, ...]
    base_shape: tuple[int, ...]
    fan_in: int
    base_fan_in: int
    layer_fan_in: int
    base_layer_fan_in: int
    base_std: float | None
    own_std: float | None
    law: str | None = None
    is_tied_table: bool = False
    is_mixed: bool = False
    keeps_init: bool = False
    in_block: bool = False

    @property
    def fan_in_mult(self) -> float:
        """b, the fan-in over that at base width."""
        return self.fan_in / self.base_fan_in

    @property
    def fan_out_mult(self) -> float:
        """a, the fan-out over that at base width; the fan-out of a vector is its size."""
        base_fan_out = math.prod(self.base_shape) // self.base_fan_in
        return math.prod(self.shape) // self.fan_in / base_fan_out

    @property
    def drawn_std(self) -> float | None:
        """The size of the module's own draws at this width; None where it is not known."""
        if self.law is None or self.law == DECLARED or self.base_std is None:
            return self.own_std
        base = Sizes(
            shape=self.base_shape, fan_in=self.base_fan_in, layer_fan_in=self.base_layer_fan_in
        )
        sizes = Sizes(shape=self.shape, fan_in=self.fan_in, layer_fan_in=self.layer_fan_in)
        return self.base_std * law_ratio(self.law, base, sizes)


def tensor_facts(
    build: Build, *, base_width: int, width: int, declared: Mapping[str, str] | None = None
) -> tuple[TensorFacts, ...]:
    """Return the facts of every trainable tensor of `build(width)`, in the model's order.

    `declared` maps patterns of names to roles, for tensors whose shapes do not determine them; see
    `mup.plan`.

    Builds on the meta device only, unless some module does not declare its std in `param_std`
    (parameter name to std, 0 for a constant): then real models of base width and of twice that are
    built with several seeds, and their draws measured. The global random state is unchanged
    afterwards.

    Raises:
        PlanError: the roles of some tensors cannot be inferred, or the widths differ in their
            tensors.
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
    roles = roles_of(base, double, model, declared)
    drawn = _drawn(build, base_width, base, double, roles)
    facts = []
    for name, owner in model.items():
        found, at_base = roles[name], base[name]
        declares_std, own = _declares_std(owner), drawn.get(name, OwnInit())
        facts.append(
            TensorFacts(
                name=name,
                role=found.role,
                is_readout=isinstance(owner.module, Readout) and owner.attribute == "weight",
                shape=tuple(owner.parameter.shape),
                base_shape=tuple(at_base.parameter.shape),
                fan_in=fan_in(owner, found.axis),
                base_fan_in=fan_in(at_base, found.axis),
                layer_fan_in=layer_fan_in(owner),
                base_layer_fan_in=layer_fan_in(at_base),
                base_std=_declared_std(at_base) if declares_std else own.rms,
                own_std=_declared_std(owner) if declares_std else None,
                law=DECLARED if declares_std else own.law,
                is_tied_table=owner.is_tied_table,
                is_mixed=own.is_mixed,
                keeps_init=found.keeps_init,
                in_block=owner.in_block,
            )
        )
    return tuple(facts)


def _drawn(
    build: Build,
    base_width: int,
    base: Mapping[str, Owner],
    double: Mapping[str, Owner],
    roles: Mapping[str, Declared],
) -> dict[str, OwnInit]:
    """Return how each tensor is drawn whose module does not declare it; see `own_init`."""
    names = [name for name, owner in base.items() if not _declares_std(owner)]
    if not names:
        return {}
    sizes = {
        name: (_sizes(base[name], roles[name].axis), _sizes(double[name], roles[name].axis))
        for name in names
    }
    matrices = frozenset(name for name in names if roles[name].role in MATRIX_ROLES)
    return own_inits(build, base_width, sizes, matrices)


def _sizes(owner: Owner, axis: int | None) -> Sizes:
    return Sizes(
        shape=tuple(owner.parameter.shape),
        fan_in=fan_in(owner, axis),
        layer_fan_in=layer_fan_in(owner),
    )


def _on_meta(build: Build, width: int, declared: Mapping[str, str]) -> dict[str, Owner]:
    """Return the trainable parameters of a model without memory, by plain name.

    Raises:
        PlanError: the constructor reads values, which tensors on the meta device do not have.
    """
    try:
        with torch.device("meta"):
            model = build(width)
    except (RuntimeError, NotImplementedError) as error:
        if "meta" not in str(error):
            raise
        raise PlanError(
            f"plan: build({width}) is called on the meta device, where tensors have shapes and no "
            f"values; got {type(error).__name__}: {str(error).splitlines()[0]}; compute with "
            "Python numbers where the constructor calls .item(), float() or an `if` on a tensor, "
            'or make that tensor with device="cpu"'
        ) from error
    return owners(model, declared)


def _declares_std(owner: Owner) -> bool:
    return owner.attribute in getattr(owner.module, "param_std", {})


def _declared_std(owner: Owner) -> float | None:
    """Return the std that a module declares; None where it is zero: a constant."""
    declared: dict[str, float] = owner.module.param_std  # type: ignore[assignment]
    return declared[owner.attribute] or None
