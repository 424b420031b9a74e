"""Cost of a trial in FLOPs and parameters, counted on the meta device without allocation."""

from functools import lru_cache

import torch
from torch.utils.flop_counter import FlopCounterMode

from mutransfer.proxies import data, models
from mutransfer.proxies.batch import DataInfo, condition
from mutransfer.proxies.config.data import DataConfig
from mutransfer.proxies.config.model import CustomConfig, ModelConfig
from mutransfer.proxies.config.trial import TrialConfig
from mutransfer.proxies.models import custom
from mutransfer.proxies.training.trial import data_info


def training_flops(config: TrialConfig) -> float:
    """Return the FLOPs of all matrix products of a run, forward and backward; a × b + c is two.

    Element-wise operations, the optimizer and validation are not counted.
    """
    return config.train.steps * step_flops(config)


def step_flops(config: TrialConfig) -> float:
    """Return the FLOPs of one training step; see `training_flops`."""
    return config.train.batch_size * sample_flops(config)


def sample_flops(config: TrialConfig) -> float:
    """Return the FLOPs of one training step per sample; see `training_flops`."""
    if not isinstance(config.model, CustomConfig):
        return _sample_flops(config.model, config.width, data_info(config))
    if config.recorded is not None:
        return config.recorded.sample_flops(config.width)
    return _custom_sample_flops(config.model, config.data, config.width)


def n_params(config: TrialConfig) -> int:
    """Return the number of trainable parameters."""
    if config.recorded is not None and isinstance(config.model, CustomConfig):
        return config.recorded.n_params(config.width)
    return _n_params(config.model, config.width, data_info(config))


@lru_cache
def _n_params(model: ModelConfig, width: int, info: DataInfo) -> int:
    with torch.device("meta"):
        built = models.build(model, width, info)
    return sum(p.numel() for p in built.parameters() if p.requires_grad)


@lru_cache
def _sample_flops(model: ModelConfig, width: int, info: DataInfo) -> float:
    """Return the FLOPs of a step per image; all counted FLOPs are proportional to the batch."""
    with torch.device("meta"):
        built = models.build(model, width, info)
        batch = info.zeros(1)
        inputs = batch["image"], torch.zeros(1), condition(batch)
        with FlopCounterMode(display=False) as counter:
            out = built(*inputs)
            # A projector's output is part of the loss as well.
            outputs = out if isinstance(out, tuple) else (out,)
            torch.cat([part.flatten() for part in outputs]).sum().backward()
    return float(counter.get_total_flops())


@lru_cache
def _custom_sample_flops(model: CustomConfig, data_config: DataConfig, width: int) -> float:
    """Return the FLOPs of a step per sample under the user's loss, which is run to count them."""
    batch = data.load(data_config).batch(0, 0, 2)
    with torch.random.fork_rng(devices=[]):
        built = custom.build(model, width)
        with FlopCounterMode(display=False) as counter:
            custom.losses(model, built, batch, "flops").sum().backward()
    return counter.get_total_flops() / 2
