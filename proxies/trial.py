"""What a trial is: its plan, and the identity under which its result is stored."""

import dataclasses
import hashlib
import json
from functools import lru_cache
from typing import Any

from torch import nn

from proxies import data, families, mup, scaling, user_code
from proxies.config import ModelConfig, TrialConfig
from proxies.info import DataInfo
from proxies.roles import Facts

# Raise this whenever a change of code changes what a trial computes.
RESULT_SCHEMA = 1


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
    return scaling.factors(config.scaling, config.place(config.scaling.rule.axis))


def betas(config: TrialConfig) -> tuple[float, float]:
    """Return Adam's β of a trial, after its scaling rule."""
    if config.scaling is None or config.arm != "mup":
        return config.train.betas
    place = config.place(config.scaling.rule.axis)
    return scaling.betas(config.scaling, place, config.train.betas)


def resolve(config: TrialConfig) -> dict[str, Any]:
    """Return all that determines a trial's result, as plain JSON data.

    Names of arm, stage and base width are absent: only the multipliers that follow from them act,
    so that two trials which are the same run have the same content.
    """
    model = dataclasses.asdict(config.model)
    train = dataclasses.asdict(config.train)
    # These act through the plan alone.
    del model["base_width"], train["scale_eps"]
    train["betas"] = list(betas(config))
    planned = plan(config)
    residual = planned["residual_mult"]
    return {
        "result_schema": RESULT_SCHEMA,
        "params": planned["params"],
        # Named only where it acts: without a rule a trial keeps the identity it always had.
        **({"residual_mult": residual} if residual != 1 else {}),
        "model": model,
        "objective": dataclasses.asdict(config.objective),
        **_code(config),
        "data": data.identity(config.data),
        "train": train,
        "hps": config.hps.outside_plan(),
        "seed": config.seed,
        "device": config.device,
        "threads": config.threads,
    }


def _code(config: TrialConfig) -> dict[str, str]:
    """Return a digest of the user's own code, where a trial runs any."""
    references = [getattr(config.model, "build", None), getattr(config.model, "loss", None)]
    references.append(getattr(config.data, "build", None))
    references.append(config.trainer and config.trainer.run)
    named = tuple(name for name in references if name)
    found = {"code": user_code.source_digest(named)} if named else {}
    if config.trainer is not None:
        found["trainer"] = config.trainer.run or config.trainer.command or ""
    return found


def identity(config: TrialConfig) -> str:
    """Return 16 hex digits that name a trial: a hash of `resolve`."""
    canonical = json.dumps(_floats(resolve(config)), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def build(config: TrialConfig) -> nn.Module:
    """Return the newborn model of a trial, before the plan; draws from torch's global stream."""
    return families.build(config.model, config.width, data.info(config.data))


@lru_cache(maxsize=256)
def _facts(model: ModelConfig, width: int, info: DataInfo) -> tuple[Facts, ...]:
    """Return the facts of a model; kept, since every trial of a width shares them."""
    return mup.inspect(
        lambda any_width: families.build(model, any_width, info),
        base_width=model.base_width,
        width=width,
        declared=getattr(model, "roles", None),
    )


def _floats(plain: Any) -> Any:
    """Return JSON data with every number as a float, so that 4 and 4.0 are one identity."""
    if isinstance(plain, dict):
        return {key: _floats(value) for key, value in plain.items()}
    if isinstance(plain, list):
        return [_floats(value) for value in plain]
    is_whole = isinstance(plain, int) and not isinstance(plain, bool)
    return float(plain) if is_whole else plain
