"""The validation set of a trial: images, timesteps and noise that are the same for all trials."""

from contextlib import AbstractContextManager

import torch
from torch import Tensor, nn

from mutransfer.proxies.config.data import DataConfig
from mutransfer.proxies.data.load import Data
from mutransfer.proxies.diffusion.objective import Objective, validation_draws

# Samples per forward pass: enough to amortize it, few enough for the cache of a CPU core.
CHUNK = 360


class Validation:
    """The validation set of a data set, with fixed timesteps and noise, on a device."""

    def __init__(
        self, config: DataConfig, data: Data, objective: Objective, device: torch.device
    ) -> None:
        self._objective = objective
        samples = data.validation()
        n_images = len(samples["image"])
        t_B, noise = validation_draws(objective, n_images, config.val_draws, data.info.shape)
        repeats = torch.arange(n_images).repeat(config.val_draws)
        self._chunks: list[tuple[dict[str, Tensor], Tensor, Tensor]] = []
        for rows in torch.arange(len(t_B)).split(CHUNK):
            batch = {name: part[repeats[rows]].to(device) for name, part in samples.items()}
            self._chunks.append((batch, t_B[rows].to(device), noise[rows].to(device)))
        losses = [objective.trivial_loss(*chunk).double() for chunk in self._chunks]
        self.trivial_loss = torch.cat(losses).mean().item()

    @torch.no_grad()
    def loss(self, model: nn.Module, autocast: AbstractContextManager[object]) -> float:
        """Return the mean loss of a model, every forward pass within `autocast`."""
        with autocast:
            losses = [self._objective.loss(model, *chunk).double() for chunk in self._chunks]
        return torch.cat(losses).mean().item()
