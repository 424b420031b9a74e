"""What follows from a trial's configuration: plan, scaling factors, Adam's β, and the model."""

from functools import lru_cache
from typing import Any

from torch import nn

from mutransfer.proxies import data, models
from mutransfer.proxies.batch import DataInfo
from mutransfer.proxies.config.model import CustomConfig, ModelConfig
from mutransfer.proxies.config.scaling import Scaling
from mutransfer.proxies.config.trial import TrialConfig
from mutransfer.proxies.mup import scaling
from mutransfer.proxies.mup.plan import UNSCALED, Plan, plan_of
from mutransfer.proxies.mup.roles import TensorFacts, tensor_facts


def plan(config: TrialConfig) -> Plan:
    """Return the μP or SP plan of a trial's model; see `mup.plan`.

    Raises:
        ConfigError: the width or the images do not fit the model.
    """
    return plan_of(
        _tensors(config),
        base_width=config.base_width,
        width=config.width,
        arm=config.arm,
        scale_eps=config.train.scale_eps,
        factors=factors(config),
        optimizer=config.train.optimizer,
        **config.hps.of_plan(),
    )


def data_info(config: TrialConfig) -> DataInfo:
    """Return the shapes of a trial's data."""
    return data.info(config.data) if config.recorded is None else config.recorded.data_info()


def _tensors(config: TrialConfig) -> tuple[TensorFacts, ...]:
    if config.recorded is not None and isinstance(config.model, CustomConfig):
        return config.recorded.tensors(config.width, is_exact=config.arm == "sp")
    return _facts(config.model, config.width, data_info(config))


def factors(config: TrialConfig) -> scaling.Factors:
    """Return the factors of a trial's scaling rule; all 1 without a rule or in another arm."""
    if config.scaling is None or config.arm != "mup":
        return UNSCALED
    rule = config.scaling.rule
    return scaling.factors(rule.kind, _growth(config, config.scaling), alpha=rule.alpha)


def betas(config: TrialConfig) -> tuple[float, float]:
    """Return Adam's (β₁, β₂) of a trial, after its scaling rule."""
    if config.scaling is None or config.arm != "mup" or not config.scaling.rule.scale_betas:
        return config.train.betas
    return scaling.betas(_growth(config, config.scaling), config.train.betas)


def optimizer(config: TrialConfig) -> dict[str, Any]:
    """Return what a trial's configuration says of its optimizer: arguments of `mup.optimizer`.

    Those that the optimizer has, besides base LR and weight decay, as JSON data.
    """
    options = config.train.optimizer
    own = {
        name: getattr(options, name)
        for name in ("momentum", "nesterov", "adamw_lr", "adamw_weight_decay")
        if getattr(options, name) is not None
    }
    if config.hps.adamw_lr is not None:
        own["adamw_lr"] = config.hps.adamw_lr
    has_adam = options.name in ("adamw", "adam", "muon")
    return {
        "name": options.name,
        **({"betas": list(betas(config))} if has_adam or options.name == "lion" else {}),
        **({"eps": config.train.eps} if has_adam else {}),
        **own,
    }


def _growth(config: TrialConfig, by: Scaling) -> float:
    """Return k: the trial's value on the rule's axis over the axis value of the base HPs."""
    return config.axis_value(by.rule.axis) / by.base


def build(config: TrialConfig) -> nn.Module:
    """Return the model of a trial before its plan is applied; draws from torch's global RNG."""
    return models.build(config.model, config.width, data_info(config))


@lru_cache(maxsize=256)
def _facts(model: ModelConfig, width: int, info: DataInfo) -> tuple[TensorFacts, ...]:
    """Return the facts of a model; cached, since every trial of a width shares them."""
    return tensor_facts(
        lambda any_width: models.build(model, any_width, info),
        base_width=model.base_width,
        width=width,
        declared=getattr(model, "roles", None),
    )
