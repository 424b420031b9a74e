"""One forward pass of a newborn model, kept with its graph: what each module reads and writes."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from proxies.attends import Attention, attentions_of
from proxies.probe import MODEL, no_fast_path, tensors_of
from proxies.roles import plain_name

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
