"""Trials of small models with REPA's projector."""

from mutransfer.proxies.config.model import DiTConfig, MMDiTConfig
from mutransfer.proxies.config.trial import HPs, TrainConfig, TrialConfig
from mutransfer.proxies.training.train import Training

COMMON = {"depth": 2, "head_dim": 8, "base_width": 16, "patch_size": 4}

FAMILIES = {"dit": DiTConfig, "mmdit": MMDiTConfig}


def config_of(featured, family="dit", *, weight=None, block=0, **train) -> TrialConfig:
    return TrialConfig(
        model=FAMILIES[family](**COMMON, repa_block=block, repa_hidden=32),
        data=featured,
        train=TrainConfig(**{"steps": 40, "batch_size": 16, "n_val": 1} | train),
        hps=HPs(lr=2**-6, grad_clip=1.0, repa_weight=weight),
        width=16,
    )


def trained(config):
    training = Training(config)
    for _ in training.run():
        pass
    return training
