"""The identity under which the result of a trial is stored."""

import dataclasses
import hashlib
import json
from typing import Any

from mutransfer.proxies import data, user_code
from mutransfer.proxies.config.trial import TrialConfig, references
from mutransfer.proxies.mup.rows import DESCRIPTIVE, Row
from mutransfer.proxies.training.trial import betas, plan

# Raise this whenever a change of the code changes what a trial computes.
RESULT_SCHEMA = 2


def resolve(config: TrialConfig) -> dict[str, Any]:
    """Return all that determines a trial's result, as plain JSON data.

    The names of arm and stage and the base width are left out: they act only through the
    multipliers that follow from them, so trials that compute the same have equal content.
    """
    model = dataclasses.asdict(config.model)
    train = dataclasses.asdict(config.train)
    # These act through the plan alone.
    del model["base_width"], train["scale_eps"]
    for name in ("hidden_lr_power", "decay_power"):
        del train["optimizer"][name]
    train["betas"] = list(betas(config))
    planned = plan(config)
    residual, hps = planned["residual_mult"], config.hps.outside_plan()
    if hps["adamw_lr"] is None:  # trials without it keep the identity from before it was an HP
        del hps["adamw_lr"]
    return {
        "result_schema": RESULT_SCHEMA,
        "params": {name: _acting(row) for name, row in planned["params"].items()},
        # Only where it acts: trials without a depth rule keep the identity from before it existed.
        **({"residual_mult": residual} if residual != 1 else {}),
        "model": model,
        "objective": dataclasses.asdict(config.objective),
        **_code(config),
        "data": data.identity(config.data, config.recorded),
        "train": train,
        "hps": hps,
        "seed": config.seed,
        "device": config.device,
        "threads": config.threads,
    }


def _acting(row: Row) -> dict[str, Any]:
    """Return a row of a plan without what acts through its other fields alone."""
    return {key: value for key, value in row.items() if key not in DESCRIPTIVE}


def _code(config: TrialConfig) -> dict[str, str]:
    """Return a digest of the user's own code, and their trainer, if the trial runs any."""
    named = references(config.model, config.data, config.trainer)
    code = {}
    if named and config.code is not None:
        code["code"] = config.code
    elif named and config.recorded is not None:
        code["code"] = config.recorded.code_digest()
    elif named:
        code["code"] = user_code.source_digest(named)
    if config.trainer is not None:
        code["trainer"] = config.trainer.run or config.trainer.command or ""
    return code


def identity(config: TrialConfig) -> str:
    """Return 16 hex digits that name a trial: a hash of `resolve`."""
    canonical = json.dumps(_floats(resolve(config)), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _floats(plain: Any) -> Any:
    """Return JSON data with every number as a float, so that 4 and 4.0 give one identity."""
    if isinstance(plain, dict):
        return {key: _floats(value) for key, value in plain.items()}
    if isinstance(plain, list):
        return [_floats(value) for value in plain]
    is_whole = isinstance(plain, int) and not isinstance(plain, bool)
    return float(plain) if is_whole else plain
