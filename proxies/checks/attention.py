"""What every attention of a forward pass divides its logits by, and the head dim that it sums over.

Attention is found where it happens, below the modules: in a fused kernel, or in a softmax of a
batched product. Numbers that queries, keys or logits are multiplied by are followed from one
operation to the next, so that it does not matter which of them carries the scale.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

_BATCHED = {"bmm": 0, "baddbmm": 1}  # where the first factor stands
_PLAIN = ("mm", "addmm", "linear", "convolution")
_SOFTMAX = ("_softmax", "_safe_softmax")


@dataclass(frozen=True, kw_only=True)
class Attention:
    """One attention: where, the head dim that its logits sum over, and what multiplies them."""

    module: str
    head_dim: int
    scale: float


@dataclass(frozen=True)
class _Mark:
    """What is known of a tensor: the axis summed over in the batched product behind it, if any."""

    scale: float = 1.0
    head_dim: int | None = None


class Attentions(TorchDispatchMode):
    """A context that collects the attentions of a forward pass in `found`.

    Args:
        place: Says in which module the pass is.
    """

    def __init__(self, place: Callable[[], str]) -> None:
        super().__init__()
        self.found: list[Attention] = []
        self._place = place
        # By storage, which all views of a tensor share. Every new tensor passes here, so that the
        # mark of a freed one, whose place is taken again, is overwritten.
        self._marks: dict[int, _Mark] = {}

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        """Run an operation, and mark what it returns."""
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        if name.startswith("_scaled_dot_product"):
            query, key = args[0], args[1]
            scale = kwargs.get("scale") or query.shape[-1] ** -0.5
            self._note(query.shape[-1], scale * self._mark(query).scale * self._mark(key).scale)
        elif name in _SOFTMAX and (head_dim := self._mark(args[0]).head_dim) is not None:
            self._note(head_dim, self._mark(args[0]).scale)
        mark = self._marked(name, args, kwargs)
        out = func(*args, **kwargs)
        for tensor in out if isinstance(out, tuple | list) else (out,):
            if isinstance(tensor, Tensor) and not self._is_view(tensor, name, args):
                self._marks[_key(tensor)] = mark
        return out

    def _note(self, head_dim: int, scale: float) -> None:
        self.found.append(Attention(module=self._place(), head_dim=int(head_dim), scale=scale))

    def _mark(self, value: object) -> _Mark:
        known = isinstance(value, Tensor)
        return self._marks.get(_key(value), _Mark()) if known else _Mark()  # type: ignore[arg-type]

    def _marked(self, name: str, args: Any, kwargs: Any) -> _Mark:
        """Return the mark of what an operation is about to return."""
        if name in _BATCHED:
            left, right = args[_BATCHED[name] :][:2]
            scale = self._mark(left).scale * self._mark(right).scale * kwargs.get("alpha", 1)
            return _Mark(scale, left.shape[-1])
        if name in _PLAIN or "norm" in name or "softmax" in name:
            return _Mark()
        tensors = [a for a in args if isinstance(a, Tensor)]
        if name in ("cat", "stack") and args and isinstance(args[0], list | tuple):
            tensors = list(args[0])
        largest = max(tensors, key=lambda t: t.numel(), default=None)
        mark = self._mark(largest)
        return _Mark(mark.scale * _factor(name, args, largest), mark.head_dim)

    def _is_view(self, out: Tensor, name: str, args: Any) -> bool:
        """Return whether an operation made no tensor of its own (nor changed one in place)."""
        if name.endswith("_") or name == "lift_fresh":
            return False
        return any(isinstance(a, Tensor) and _key(a) == _key(out) for a in args)


def _key(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _factor(name: str, args: Any, largest: Tensor | None) -> float:
    """Return the number that a product or quotient multiplies its tensor by; 1 elsewhere."""
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


def attentions_of(place: Callable[[], str], forward: Callable[[], object]) -> list[Attention]:
    """Return the attentions of a forward pass, in their order."""
    with torch.no_grad(), Attentions(place) as seen:
        forward()
    return seen.found
