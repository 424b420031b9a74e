"""What every module of a model answers to one forward pass, and the logits of every attention."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from mutransfer.proxies.checks.attention import Attention, attentions_of
from mutransfer.proxies.mup.parameters import plain_name

# Entries of an output that are kept: RMS values of more differ by less than the seeds do.
KEPT = 2**16

MODEL, LOGITS = "(model)", "(logits)"


def outputs_of(model: nn.Module, forward: Callable[[], object]) -> dict[str, list[Tensor]]:
    """Return samples of the outputs of every module in a forward pass, by name.

    Attention logits, wherever a softmax or fused attention is called, stand under
    `<module>.(logits)`. The pass is without gradients and in evaluation mode.
    """
    recorder = _Recorder()
    was_training = model.training
    model.eval()
    try:
        with recorder.watching(model), no_fast_path(), torch.no_grad(), _Logits(recorder):
            forward()
    finally:
        model.train(was_training)
    return recorder.found


class _Recorder:
    """Keeps outputs by the path of the module that made them."""

    def __init__(self) -> None:
        self.found: dict[str, list[Tensor]] = {}
        self.stack: list[str] = []

    @contextmanager
    def watching(self, model: nn.Module) -> Iterator[None]:
        """Hook every module for the duration of a context."""
        with ExitStack() as hooks:
            for path, module in model.named_modules():
                name = plain_name(path) or MODEL
                enter, leave = partial(self._enter, name), partial(self._leave, name)
                hooks.enter_context(module.register_forward_pre_hook(enter))
                hooks.enter_context(module.register_forward_hook(leave))
            yield

    def note(self, name: str, value: object) -> None:
        for tensor in tensors_of(value):
            self.found.setdefault(name, []).append(_sampled(tensor))

    def note_logits(self, logits: Tensor) -> None:
        # Masked logits are -inf at every width: they say nothing.
        finite = torch.where(logits.isfinite(), logits, 0)
        self.note(f"{self.stack[-1]}.{LOGITS}" if self.stack else LOGITS, finite)

    def _enter(self, name: str, module: nn.Module, inputs: object) -> None:
        self.stack.append(name)

    def _leave(self, name: str, module: nn.Module, inputs: object, output: object) -> None:
        self.stack.pop()
        self.note(name, output)


class _Logits(TorchDispatchMode):
    """Sees the operations below modules: softmax, and attention in one kernel."""

    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> object:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        if name in ("_softmax", "_safe_softmax"):
            self._recorder.note_logits(args[0])
        elif name.startswith("_scaled_dot_product"):
            query, key = args[0], args[1]
            scale = kwargs.get("scale") or query.shape[-1] ** -0.5
            self._recorder.note_logits(scale * query @ key.mT)
        return func(*args, **kwargs)


@contextmanager
def no_fast_path() -> Iterator[None]:
    """Keep torch's Transformer layers from leaving their submodules out in evaluation mode."""
    was_enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was_enabled)


def tensors_of(value: object) -> Iterator[Tensor]:
    """Yield the real-valued tensors in an output."""
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


Shapes = list[tuple[int, ...]]


@dataclass
class Look:
    """What a pass showed: by module, shapes that went in and tensors that came out.

    The tensors hang on the graph of the pass, so that derivatives can be asked for.
    """

    inputs: dict[str, Shapes] = field(default_factory=dict)
    outputs: dict[str, list[Tensor]] = field(default_factory=dict)
    attentions: list[Attention] = field(default_factory=list)


def look(model: nn.Module, forward: Callable[[], object]) -> Look:
    """Return what one forward pass in evaluation mode shows."""
    found, stack = Look(), [MODEL]
    was_training = model.training
    model.eval()
    try:
        with no_fast_path():
            with _stacked(model, stack):
                found.attentions = attentions_of(lambda: stack[-1], forward)
            with _noted(model, found), torch.enable_grad():
                forward()
    finally:
        model.train(was_training)
    return found


@contextmanager
def _stacked(model: nn.Module, stack: list[str]) -> Iterator[None]:
    """Keep the path of the running module on top of a stack."""

    def enter(name: str, *_: Any) -> None:
        stack.append(name)

    def leave(*_: Any) -> None:
        stack.pop()

    with ExitStack() as hooks:
        for path, module in model.named_modules():
            name = plain_name(path) or MODEL
            hooks.enter_context(module.register_forward_pre_hook(partial(enter, name)))
            hooks.enter_context(module.register_forward_hook(leave))
        yield


@contextmanager
def _noted(model: nn.Module, found: Look) -> Iterator[None]:
    """Note inputs and outputs of every module; hooks of the user's own have run before."""

    def note(name: str, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        shapes = [tuple(t.shape) for t in tensors_of([args, kwargs])]
        found.inputs.setdefault(name, []).extend(shapes)
        found.outputs.setdefault(name, []).extend(tensors_of(output))

    with ExitStack() as hooks:
        for path, module in model.named_modules():
            hook = partial(note, plain_name(path) or MODEL)
            hooks.enter_context(module.register_forward_hook(hook, with_kwargs=True))
        yield
