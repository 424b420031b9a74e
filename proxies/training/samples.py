"""Samples of a trained model, each paired with a real image of the same condition."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mutransfer.proxies.batch import Condition, condition
from mutransfer.proxies.diffusion.sampler import sample
from mutransfer.proxies.rng import generator
from mutransfer.proxies.training.task import DiffusionTask
from mutransfer.proxies.training.train import Training

STEPS = 50
GUIDANCE = 2.0


@dataclass(frozen=True, kw_only=True)
class SamplePairs:
    """N pairs of a real image and a sample, each (N, S, S, C) uint8; a text describes each pair."""

    texts: Sequence[str]
    real: Tensor
    drawn: Tensor


def sample_pairs(training: Training, n: int = 16) -> SamplePairs | None:
    """Return samples of a trained model, or None where its data are not images (latents).

    The conditions are those of `n` validation samples, the same for every model; the weights are
    those that are validated (the EMA, if any). Euler or ancestral sampling, 50 steps, guidance 2.

    Args:
        training: A finished run.
        n: Number of pairs; fewer if the validation set is smaller.
    """
    task = training.task
    if not isinstance(task, DiffusionTask):
        return None
    data = task.data
    if data.info.shape[0] not in (1, 3):
        return None
    batch = data.validation()
    rows = torch.randperm(len(batch["image"]), generator=generator("pictures"))[:n]
    chosen = {name: part[rows] for name, part in batch.items()}
    with training.validated_weights():
        drawn = sample(
            task.objective,
            training.model,
            _on(training.device, condition(chosen)),
            shape=data.info.shape,
            null=_on(training.device, data.null(len(rows))),
            rng=generator("pictures", 1),
            steps=STEPS,
            guidance=GUIDANCE,
        )
    texts = data.validation_texts()
    return SamplePairs(
        texts=[texts[row] for row in rows.tolist()],
        real=_pixels(chosen["image"]),
        drawn=_pixels(drawn.cpu()),
    )


def _on(device: torch.device, parts: Condition) -> dict[str, Tensor]:
    return {name: part.to(device) for name, part in parts.items()}


def _pixels(image_NCSS: Tensor) -> Tensor:
    """Return images in [-1, 1] as bytes, channels last."""
    scaled = ((image_NCSS.float() + 1) * 127.5).round().clamp(0, 255)
    return scaled.to(torch.uint8).permute(0, 2, 3, 1).contiguous()
