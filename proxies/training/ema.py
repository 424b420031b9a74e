"""An exponential moving average of weights, with a horizon in steps."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class EMA:
    """The moving average of parameters over about the last `horizon_steps` steps.

    Over the first `horizon_steps` it is the plain mean of the weights after each step. The initial
    weights, which a fixed decay would keep for long in a short run, do not enter.
    """

    def __init__(self, parameters: Sequence[nn.Parameter], horizon_steps: float) -> None:
        self._parameters: list[Tensor] = list(parameters)
        self._horizon_steps = max(1.0, horizon_steps)
        self.average = [p.detach().clone() for p in self._parameters]

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Add the weights after a step, counted from 1."""
        weight = max(1 / step, 1 / self._horizon_steps)
        torch._foreach_lerp_(self.average, self._parameters, weight)

    @torch.no_grad()
    def load(self, average: Sequence[Tensor]) -> None:
        """Continue from the average of another run."""
        for own, loaded in zip(self.average, average, strict=True):
            own.copy_(loaded)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the average into the model for the duration of a `with` block."""
        raw = [p.detach().clone() for p in self._parameters]
        with torch.no_grad():
            torch._foreach_copy_(self._parameters, self.average)
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self._parameters, raw)
