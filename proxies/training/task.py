"""What a trial trains on: the inputs of a step, their loss, and the loss that is judged."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from mutransfer.proxies import data, diffusion
from mutransfer.proxies.config.model import CustomConfig, learns_sigma, repa_block
from mutransfer.proxies.config.trial import TrialConfig
from mutransfer.proxies.models import custom
from mutransfer.proxies.models.repa import Recorder
from mutransfer.proxies.rng import generator
from mutransfer.proxies.training.validation import CHUNK, Validation


class Task(Protocol):
    """Inputs and losses of a trial; `inputs` are whatever `losses` takes.

    `trivial_val_loss` is the loss of the trivial predictor, None where there is none.
    """

    trivial_val_loss: float | None

    def inputs(self, step: int) -> Any:
        """Return the inputs of a step, on the device; drawn on the CPU from (seed, step)."""

    def losses(self, inputs: Any) -> tuple[Tensor, Tensor]:
        """Return the loss that is judged, and the loss that is trained on; both 0-dim."""

    def trivial_loss(self, inputs: Any) -> Tensor | None:
        """Return the trivial predictor's loss on the same inputs, 0-dim."""

    def val_loss(self, model: nn.Module, autocast: AbstractContextManager[object]) -> float:
        """Return the mean loss over the validation set."""


def task_of(config: TrialConfig, forward: Callable[..., Any], device: torch.device) -> Task:
    """Return the task of a trial; `forward` is its model, maybe compiled."""
    if isinstance(config.model, CustomConfig):
        return Custom(config, forward, device)
    return Diffusion(config, forward, device)


class Diffusion:
    """Noised images, and the alignment of REPA where the model has a projector."""

    def __init__(
        self, config: TrialConfig, forward: Callable[..., Any], device: torch.device
    ) -> None:
        self._config, self._forward, self._device = config, forward, device
        self.data = data.load(config.data)
        self.objective = diffusion.objective(
            config.objective, learn_sigma=learns_sigma(config.model)
        )
        self._recorder = None if repa_block(config.model) is None else Recorder(forward)
        self._validation = Validation(config.data, self.data, self.objective, device)
        self.trivial_val_loss: float | None = self._validation.trivial_loss

    def inputs(self, step: int) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Return batch, timesteps and noise."""
        seed, size = self._config.seed, self._config.train.batch_size
        batch = self.data.batch(seed, step, size)
        rng = generator("noise", seed, step)
        t_B, noise = diffusion.draw(self.objective, rng, size, self.data.info.shape)
        batch = {name: part.to(self._device) for name, part in batch.items()}
        return batch, t_B.to(self._device), noise.to(self._device)

    def losses(self, inputs: tuple[dict[str, Tensor], Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the diffusion loss, and the same with REPA's."""
        if self._recorder is None:
            loss = self.objective.loss(self._forward, *inputs).mean()
            return loss, loss
        loss = self.objective.loss(self._recorder, *inputs).mean()
        repa_loss = self._recorder.loss(inputs[0]["feature"])
        assert self._config.hps.repa_weight is not None, "a TrialConfig fills it in"
        return loss, loss + self._config.hps.repa_weight * repa_loss

    def trivial_loss(self, inputs: tuple[dict[str, Tensor], Tensor, Tensor]) -> Tensor:
        """Return the loss of the zero predictor."""
        return self.objective.trivial_loss(*inputs).mean()

    def val_loss(self, model: nn.Module, autocast: AbstractContextManager[object]) -> float:
        """Return the mean loss over the validation set."""
        return self._validation.loss(model, autocast)


class Custom:
    """The user's loss on the user's data, or on ours."""

    trivial_val_loss: float | None = None

    def __init__(
        self, config: TrialConfig, forward: Callable[..., Any], device: torch.device
    ) -> None:
        assert isinstance(config.model, CustomConfig), "task_of looks"
        self._config, self._model, self._forward, self._device = (
            config, config.model, forward, device,
        )  # fmt: skip
        self.data = data.load(config.data)
        whole = self.data.validation()
        rows = torch.arange(len(next(iter(whole.values())))).split(CHUNK)
        self._chunks = [self._on_device({n: part[r] for n, part in whole.items()}) for r in rows]

    def _on_device(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: part.to(self._device) for name, part in batch.items()}

    def inputs(self, step: int) -> tuple[dict[str, Tensor], int]:
        """Return the batch, and the step that names its random numbers."""
        batch = self.data.batch(self._config.seed, step, self._config.train.batch_size)
        return self._on_device(batch), step

    def losses(self, inputs: tuple[dict[str, Tensor], int]) -> tuple[Tensor, Tensor]:
        """Return the user's loss, mean over the batch, twice."""
        batch, step = inputs
        key = ("noise", self._config.seed, step)
        loss = custom.losses(self._model, self._forward, batch, *key).mean()
        return loss, loss

    def trivial_loss(self, inputs: object) -> Tensor | None:
        """Return None: what is trivial here is not known."""
        return None

    @torch.no_grad()
    def val_loss(self, model: nn.Module, autocast: AbstractContextManager[object]) -> float:
        """Return the mean loss over the validation set, drawn over it `val_draws` times."""
        draws = range(self._config.data.val_draws)
        with autocast:
            losses = [
                custom.losses(self._model, model, chunk, "validation", draw, k).double()
                for draw in draws
                for k, chunk in enumerate(self._chunks)
            ]
        return torch.cat(losses).mean().item()
