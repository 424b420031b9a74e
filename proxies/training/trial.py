"""What a trial is: its plan, and the identity under which its result is stored."""

from functools import lru_cache
from typing import Any

from torch import nn

from mutransfer.proxies import data, models, mup
from mutransfer.proxies.batch import DataInfo
from mutransfer.proxies.config.model import ModelConfig
from mutransfer.proxies.config.scaling import Scaling
from mutransfer.proxies.config.trial import TrialConfig
from mutransfer.proxies.mup import scaling
from mutransfer.proxies.mup.roles import Facts


def plan(config: TrialConfig) -> dict[str, Any]:
    """Return the μP or SP plan of a trial's model; see `mup.plan`.

    Raises:
        ConfigError: the width or the images do not fit the model.
    """
    info = data.info(config.data)
    return mup.plan_of(
        _facts(config.model, config.width, info),
        base_width=config.base_width,
        width=config.width,
        arm=config.arm,
        scale_eps=config.train.scale_eps,
        factors=factors(config),
        **config.hps.of_plan(),
    )


def factors(config: TrialConfig) -> scaling.Factors:
    """Return what a trial's scaling rule multiplies; ones without a rule, or in another arm."""
    if config.scaling is None or config.arm != "mup":
        return mup.UNSCALED
    rule = config.scaling.rule
    return scaling.factors(rule.kind, _growth(config, config.scaling), alpha=rule.alpha)


def betas(config: TrialConfig) -> tuple[float, float]:
    """Return Adam's β of a trial, after its scaling rule."""
    if config.scaling is None or config.arm != "mup" or not config.scaling.rule.scale_betas:
        return config.train.betas
    return scaling.betas(_growth(config, config.scaling), config.train.betas)


def _growth(config: TrialConfig, rule: Scaling) -> float:
    """Return a trial's value on the rule's axis over the value where base HPs are written."""
    return config.axis_value(rule.rule.axis) / rule.base


def build(config: TrialConfig) -> nn.Module:
    """Return the newborn model of a trial, before the plan; draws from torch's global stream."""
    return models.build(config.model, config.width, data.info(config.data))


@lru_cache(maxsize=256)
def _facts(model: ModelConfig, width: int, info: DataInfo) -> tuple[Facts, ...]:
    """Return the facts of a model; kept, since every trial of a width shares them."""
    return mup.inspect(
        lambda any_width: models.build(model, any_width, info),
        base_width=model.base_width,
        width=width,
        declared=getattr(model, "roles", None),
    )
