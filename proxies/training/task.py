"""What a trial trains on: the inputs of a step, and their losses."""

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
    """Inputs and losses of a trial; `inputs` returns whatever `losses` takes.

    Attributes:
        trivial_val_loss: Validation loss of the trivial (zero) predictor; None if there is none.
    """

    trivial_val_loss: float | None

    def inputs(self, step: int) -> Any:
        """Return the inputs of a step, on the device; drawn on the CPU from (seed, step)."""

    def losses(self, inputs: Any) -> tuple[Tensor, Tensor]:
        """Return the reported loss and the loss that is minimized; both 0-dim."""

    def trivial_loss(self, inputs: Any) -> Tensor | None:
        """Return the trivial predictor's loss on the same inputs, 0-dim; None if there is none."""

    def val_loss(self, model: nn.Module, autocast: AbstractContextManager[object]) -> float:
        """Return the mean loss over the validation set."""


def task_of(config: TrialConfig, forward: Callable[..., Any], device: torch.device) -> Task:
    """Return the task of a trial; `forward` is its model, compiled or not."""
    if isinstance(config.model, CustomConfig):
        return CustomTask(config, forward, device)
    return DiffusionTask(config, forward, device)


class DiffusionTask:
    """Denoising of images, with the alignment of REPA where the model has a projector."""

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
        """Return the diffusion loss, and that plus REPA's weighted loss."""
        if self._recorder is None:
            loss = self.objective.loss(self._forward, *inputs).mean()
            return loss, loss
        loss = self.objective.loss(self._recorder, *inputs).mean()
        repa_loss = self._recorder.loss(inputs[0]["feature"])
        assert self._config.hps.repa_weight is not None, "TrialConfig sets its default"
        return loss, loss + self._config.hps.repa_weight * repa_loss

    def trivial_loss(self, inputs: tuple[dict[str, Tensor], Tensor, Tensor]) -> Tensor:
        """Return the loss of the zero predictor."""
        return self.objective.trivial_loss(*inputs).mean()

    def val_loss(self, model: nn.Module, autocast: AbstractContextManager[object]) -> float:
        """Return the mean loss over the validation set."""
        return self._validation.loss(model, autocast)


class CustomTask:
    """The user's own loss, on their data or on ours."""

    trivial_val_loss: float | None = None

    def __init__(
        self, config: TrialConfig, forward: Callable[..., Any], device: torch.device
    ) -> None:
        assert isinstance(config.model, CustomConfig), "task_of checks this"
        self._config, self._model, self._forward, self._device = (
            config, config.model, forward, device,
        )  # fmt: skip
        self.data = data.load(config.data)
        samples = self.data.validation()
        rows = torch.arange(len(next(iter(samples.values())))).split(CHUNK)
        self._chunks = [self._on_device({n: part[r] for n, part in samples.items()}) for r in rows]

    def _on_device(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: part.to(self._device) for name, part in batch.items()}

    def inputs(self, step: int) -> tuple[dict[str, Tensor], int]:
        """Return the batch, and the step, which is part of the key of its random numbers."""
        batch = self.data.batch(self._config.seed, step, self._config.train.batch_size)
        return self._on_device(batch), step

    def losses(self, inputs: tuple[dict[str, Tensor], int]) -> tuple[Tensor, Tensor]:
        """Return the user's loss, mean over the batch, as both losses."""
        batch, step = inputs
        key = ("noise", self._config.seed, step)
        loss = custom.losses(self._model, self._forward, batch, *key).mean()
        return loss, loss

    def trivial_loss(self, inputs: object) -> Tensor | None:
        """Return None: a user's loss has no trivial predictor."""
        return None

    @torch.no_grad()
    def val_loss(self, model: nn.Module, autocast: AbstractContextManager[object]) -> float:
        """Return the mean loss over the validation set, with `val_draws` draws of each sample."""
        draws = range(self._config.data.val_draws)
        with autocast:
            losses = [
                custom.losses(self._model, model, chunk, "validation", draw, k).double()
                for draw in draws
                for k, chunk in enumerate(self._chunks)
            ]
        return torch.cat(losses).mean().item()
