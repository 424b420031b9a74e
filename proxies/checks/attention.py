"""Attention seen at run time: the logits of every softmax, their scale, and their head dim.

Attention is detected below the modules, in fused kernels and in softmaxes of batched products.
Scalar factors on queries, keys or logits are followed from one operation to the next, so that it
does not matter which of the three carries the scale.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_BATCHED = {"bmm": 0, "baddbmm": 1}  # position of the first factor among the arguments
# Products with a weight: a factor on their input is not followed any further.
_PLAIN = ("mm", "addmm", "linear", "convolution")
_SOFTMAX = ("_softmax", "_safe_softmax")
_PRODUCTS = (*_BATCHED, *_PLAIN, "mv", "addmv", "dot")
_COPIES = ("_to_copy", "clone")


@dataclass(frozen=True)
class Softmax:
    """A softmax, or a fused attention, that is about to run.

    Attributes:
        logits: Computes its argument, which a fused kernel does not return.
        head_dim: Size of the axis that its logits sum over; None if it is not attention.
        scale: Product of all scalar factors in its logits.
    """

    logits: Callable[[], Tensor]
    head_dim: int | None
    scale: float


@dataclass(frozen=True)
class _Origin:
    """How a tensor was computed: a scalar factor, and the axis that a batched product summed."""

    scale: float = 1.0
    head_dim: int | None = None


class SoftmaxMode(TorchDispatchMode):
    """A context that reports every softmax and fused attention, and notes what is multiplied.

    Args:
        report: Called with each of them, before it runs.
    """

    def __init__(self, report: Callable[[Softmax], object]) -> None:
        super().__init__()
        self._report = report
        # Keyed by storage, which all views of a tensor share. Every new tensor passes through this
        # mode, so the entry of a freed tensor is overwritten when its address is reused.
        self._origins: dict[int, _Origin] = {}
        self._multiplied: set[int] = set()
        self._copied: dict[int, int] = {}  # what a copy is of, by storage too

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        """Run an operation, and note the origin of its output."""
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        if name.startswith("_scaled_dot_product"):
            self._report(self._of_fused(args[0], args[1], kwargs.get("scale")))
        elif name in _SOFTMAX:
            origin = self._origin(args[0])
            self._report(Softmax(lambda: args[0], origin.head_dim, origin.scale))
        if name in _PRODUCTS:
            self._multiplied |= {self._source(a) for a in args if isinstance(a, Tensor)}
        origin = self._next_origin(name, args, kwargs)
        out = func(*args, **kwargs)
        for tensor in out if isinstance(out, tuple | list) else (out,):
            if isinstance(tensor, Tensor) and not _is_view(tensor, name, args):
                self._origins[_key(tensor)] = origin
                self._copied.pop(_key(tensor), None)
                if name in _COPIES:
                    self._copied[_key(tensor)] = self._source(args[0])
        return out

    def was_multiplied(self, tensor: Tensor) -> bool:
        """Return whether a tensor, a view or a copy of it was a factor of a matrix product."""
        return _key(tensor) in self._multiplied

    def _source(self, tensor: Tensor) -> int:
        """Return the key of what a tensor is a copy of, else its own."""
        return self._copied.get(_key(tensor), _key(tensor))

    def _of_fused(self, query: Tensor, key: Tensor, scale: float | None) -> Softmax:
        factor: float = scale or query.shape[-1] ** -0.5
        total = factor * self._origin(query).scale * self._origin(key).scale

        def logits() -> Tensor:
            if query.ndim < 3:
                return factor * query @ key.mT
            # Grouped-query attention: several query heads share a key head.
            shared = key.repeat_interleave(query.shape[-3] // key.shape[-3], dim=-3)
            return factor * query @ shared.mT

        return Softmax(logits, int(query.shape[-1]), total)

    def _origin(self, value: object) -> _Origin:
        if not isinstance(value, Tensor):
            return _Origin()
        return self._origins.get(_key(value), _Origin())

    def _next_origin(self, name: str, args: Any, kwargs: Any) -> _Origin:
        """Return the origin of the output of an operation that is about to run."""
        if name in _BATCHED:
            left, right = args[_BATCHED[name] :][:2]
            scale = self._origin(left).scale * self._origin(right).scale * kwargs.get("alpha", 1)
            return _Origin(scale, int(left.shape[-1]))
        if name in _PLAIN or "norm" in name or "softmax" in name:
            return _Origin()
        tensors = [a for a in args if isinstance(a, Tensor)]
        if name in ("cat", "stack") and args and isinstance(args[0], list | tuple):
            tensors = list(args[0])
        largest = max(tensors, key=lambda t: t.numel(), default=None)
        origin = self._origin(largest)
        return _Origin(origin.scale * _factor(name, args, largest), origin.head_dim)


def _is_view(out: Tensor, name: str, args: Any) -> bool:
    """Return whether an operation returned a view of an argument, unchanged."""
    if name.endswith("_") or name == "lift_fresh":
        return False
    return any(isinstance(a, Tensor) and _key(a) == _key(out) for a in args)


def _key(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _factor(name: str, args: Any, largest: Tensor | None) -> float:
    """Return the scalar by which a product or quotient multiplies its tensor; else 1."""
    if name.rstrip("_") not in ("mul", "div") or len(args) < 2:
        return 1.0
    other = args[1] if args[0] is largest else args[0]
    if isinstance(other, Tensor):
        if other.numel() != 1:
            return 1.0
        other = other.item()
    value = abs(float(other))
    if not (value > 0 and math.isfinite(value)):
        return 1.0
    return value if name.startswith("mul") else 1 / value
