"""The trace of one forward pass: inputs and outputs of every module, and every attention."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from mutransfer.proxies.checks.attention import Softmax, SoftmaxMode
from mutransfer.proxies.mup.parameters import plain_name

# Entries of an output that are kept; more would change its RMS by less than another seed does.
KEPT = 2**16

# Names in a trace: the model itself, and the logits of a softmax.
MODEL, LOGITS = "(model)", "(logits)"
TensorShapes = list[tuple[int, ...]]


@dataclass(frozen=True, kw_only=True)
class AttentionScale:
    """One attention: its module, the head dim that its logits sum over, and their scale."""

    module: str
    head_dim: int
    scale: float


class ForwardTrace:
    """The trace of a forward pass, by module path; `MODEL` is the model itself.

    Attributes:
        inputs: Shapes of the floating-point inputs of every module that ran.
        outputs: Floating-point outputs of every module that has any.
        attentions: Every attention, in the order of the pass.
    """

    def __init__(self, *, with_graph: bool) -> None:
        """Take whether outputs are kept complete and on the autograd graph; see `trace`."""
        self.inputs: dict[str, TensorShapes] = {}
        self.outputs: dict[str, list[Tensor]] = {}
        self.attentions: list[AttentionScale] = []
        self._with_graph = with_graph
        self._running: list[str] = []
        self._mode = SoftmaxMode(self._note_softmax)

    @contextmanager
    def recording(self, model: nn.Module) -> Iterator[None]:
        """Record what runs in a `with` block; the user's own hooks run before ours."""
        with ExitStack() as stack:
            for path, module in model.named_modules():
                enter, leave = (
                    partial(hook, plain_name(path) or MODEL) for hook in (self._enter, self._leave)
                )
                stack.enter_context(module.register_forward_pre_hook(enter))
                stack.enter_context(module.register_forward_hook(leave, with_kwargs=True))
            stack.enter_context(self._mode)
            yield

    def was_multiplied(self, parameter: nn.Parameter) -> bool:
        """Return whether a parameter was a factor of a matrix product, not only added."""
        return self._mode.was_multiplied(parameter)

    def _enter(self, name: str, module: nn.Module, inputs: object) -> None:
        self._running.append(name)

    def _leave(self, name: str, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        self._running.pop()
        shapes = [tuple(tensor.shape) for tensor in tensors_of([args, kwargs])]
        self.inputs.setdefault(name, []).extend(shapes)
        self._note_output(name, output)

    def _note_output(self, name: str, output: object) -> None:
        for tensor in tensors_of(output):
            kept = tensor if self._with_graph else _sampled(tensor)
            self.outputs.setdefault(name, []).append(kept)

    def _note_softmax(self, softmax: Softmax) -> None:
        if softmax.head_dim is not None:
            module = self._running[-1] if self._running else MODEL
            self.attentions.append(
                AttentionScale(module=module, head_dim=softmax.head_dim, scale=softmax.scale)
            )
        if not self._with_graph:
            logits = softmax.logits()
            # Masked logits are -inf at every width: they carry no information.
            finite = torch.where(logits.isfinite(), logits, 0)
            self._note_output(".".join([*self._running[-1:], LOGITS]), finite)


def trace(
    model: nn.Module, forward: Callable[[], object], *, with_graph: bool = False
) -> ForwardTrace:
    """Return the trace of one forward pass in evaluation mode.

    Args:
        model: The model whose modules are recorded.
        forward: Runs the model, alone or as part of a loss.
        with_graph: Keep outputs complete and on the autograd graph, so that derivatives can be
            taken. Otherwise the pass is without gradients, about `KEPT` entries of each output
            are kept, and the logits of every softmax are outputs too, under `<module>.(logits)`.
    """
    recorded = ForwardTrace(with_graph=with_graph)
    was_training = model.training
    model.eval()
    try:
        with _no_fast_path(), torch.set_grad_enabled(with_graph), recorded.recording(model):
            forward()
    finally:
        model.train(was_training)
    return recorded


@contextmanager
def _no_fast_path() -> Iterator[None]:
    """Keep torch's Transformer layers from skipping their submodules in evaluation mode."""
    was_enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was_enabled)


def tensors_of(value: object) -> Iterator[Tensor]:
    """Yield the floating-point tensors in nested mappings and sequences."""
    if isinstance(value, Tensor):
        if value.is_floating_point():
            yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from tensors_of(part)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from tensors_of(part)


def _sampled(tensor: Tensor) -> Tensor:
    """Return a copy of evenly spaced entries; an odd spacing visits every channel."""
    flat = tensor.detach().flatten()
    return flat[:: (flat.numel() // KEPT) | 1].clone()


def feeds(recorded: ForwardTrace, module: str, targets: list[Tensor]) -> bool:
    """Return whether any of some tensors of the forward pass depends on a module's output."""
    return bool(_slopes(recorded, module, targets))


def acts(recorded: ForwardTrace, module: str, targets: list[Tensor]) -> bool:
    """Return whether some tensor changes with a module's output: not if what reads it is zero."""
    return any(bool(slope.any()) for slope in _slopes(recorded, module, targets))


def _slopes(recorded: ForwardTrace, module: str, targets: list[Tensor]) -> list[Tensor]:
    """Return the derivatives of the sum of some tensors by a module's outputs, if any."""
    outputs = [t for t in recorded.outputs.get(module, ()) if t.requires_grad]
    sums = [t.sum() for t in targets if t.requires_grad]
    if not (outputs and sums):
        return []
    slopes = torch.autograd.grad(
        torch.stack([t.float() for t in sums]).sum(),
        outputs,
        retain_graph=True,
        allow_unused=True,
    )
    return [slope for slope in slopes if slope is not None]
