"""The words of W&B's sweep files: what they mean here, or what to write instead.

After W&B's reference of sweep configurations: `{min, max}` without a distribution is `int_uniform`
where both are whole and `uniform` else, which is asked about here where the range is wide;
`log_uniform` has natural exponents; `bayes` is a Gaussian process.
"""

import math
from collections.abc import Mapping
from typing import Any

from mutransfer.proxies.errors import Fault
from mutransfer.words import round_hp

METHODS = {"bayes": "gp"}

# Names of HPs elsewhere, in W&B's examples, Hugging Face's Trainer and Lightning.
HP_WORDS = {
    "learning_rate": "lr",
    "learning-rate": "lr",
    "base_lr": "lr",
    "wd": "weight_decay",
    "weight-decay": "weight_decay",
    "max_grad_norm": "grad_clip",
    "clip_grad_norm": "grad_clip",
    "gradient_clip_val": "grad_clip",
    "grad_norm_clip": "grad_clip",
    "warmup": "warmup_steps",
    "num_warmup_steps": "warmup_steps",
    "adam_beta1": "beta1",
    "adam_beta2": "beta2",
}
# What is no HP of a search here, and where it stands.
ELSEWHERE = {
    "batch_size": "`train: {batch_size: …}`",
    "per_device_train_batch_size": "`train: {batch_size: …}`",
    "steps": "`train: {steps: …}`",
    "max_steps": "`train: {steps: …}`",
    "epochs": "`train: {steps: …}`",
    "num_train_epochs": "`train: {steps: …}`",
    "lr_scheduler_type": "`train: {schedule: cosine}`",
    "optimizer": "the section `train`",
    "width": "`search: {width: …}` and `transfer: {widths: […]}`",
    "hidden_size": "`search: {width: …}` and `transfer: {widths: […]}`",
    "seed": "`transfer: {seeds: …}`",
}
# Keys of a sweep beside `method`, `metric` and `parameters`.
SWEEP_KEYS = {
    "early_terminate": "remove it: trials are judged by their last loss, since a rank of learning "
    "rates after few steps is not that after many; divergence ends a trial by itself",
    "run_cap": "write `search: {trials: …}`",
    "program": "write `trial: {command: 'python … {config_json}'}`",
    "command": "write `trial: {command: 'python … {config_json}'}`",
    "project": "write `loggers: [wandb]`; the project is set by WANDB_PROJECT",
    "entity": "write `loggers: [wandb]`; the entity is set by WANDB_ENTITY",
    "name": "remove it: the key under `studies` is the name",
    "description": "write it as a comment, after #",
}
WIDE = 10  # ratio of bounds from which on a linear range is hardly meant
MOST_VALUES = 50  # that are written out in a remedy


def is_sweep(data: Mapping[Any, Any]) -> bool:
    """Whether the top of a file is that of a sweep of W&B."""
    return "parameters" in data and "studies" not in data


def hp_remedy(name: str, entry: Any) -> str | None:
    """What to write for an HP of that name; None where the name says nothing."""
    if name in HP_WORDS:
        return f"write `{HP_WORDS[name]}: …`"
    if isinstance(entry, Mapping) and isinstance(entry.get("parameters"), Mapping):
        inner = ", ".join(map(str, entry["parameters"]))
        return f"nested parameters: write {inner} directly below `parameters`, without `{name}`"
    if name in ELSEWHERE:
        return f"it is no base HP: set {ELSEWHERE[name]}"
    return None


def in_our_words(entry: dict[str, Any], *, is_integer: bool) -> tuple[dict[str, Any], Fault | None]:
    """An HP's entry with W&B's distributions in words of ours, or what to write instead.

    Args:
        entry: The entry, in a form of ours or of W&B's.
        is_integer: Whether the HP takes whole numbers.
    """
    named: Any = entry.get("distribution")
    bounds: list[Any] = [entry.get("min"), entry.get("max")]
    if "probabilities" in entry:
        rule, remedy = "all values are equally likely", "remove `probabilities`"
        return entry, Fault(("probabilities",), rule, entry["probabilities"], remedy)
    if named is None and "min" in entry and "max" in entry:
        is_whole = all(isinstance(b, int) and not isinstance(b, bool) for b in bounds)
        named = "int_uniform" if is_whole else "uniform"
        if is_whole and not is_integer:
            return entry, Fault((), *_of_whole_bounds(*bounds))
        if _numbers(*bounds) and 0 < WIDE * bounds[0] <= bounds[1] and not is_integer:
            return entry, Fault((), *_of_wide_bounds(*bounds))
    if named == "int_uniform":
        if is_integer:
            return {**entry, "distribution": "uniform"}, None
        return entry, Fault(("distribution",), *_of_whole_bounds(*bounds))
    if isinstance(named, str) and (translation := _instead(named, entry)) is not None:
        return entry, Fault(("distribution",), "a distribution of ours", named, translation)
    return ({**entry, "distribution": named} if named == "uniform" else entry), None


def _of_whole_bounds(low: Any, high: Any) -> tuple[str, str, str]:
    rule = "this HP takes any number, and W&B's int_uniform whole ones (so does {min, max} alone)"
    remedy = f"for all numbers write `{_range('uniform', low, high)}`"
    if _numbers(low, high) and 0 <= high - low < MOST_VALUES:
        remedy += f"; for whole ones `{{values: {list(range(int(low), int(high) + 1))}}}`"
    return rule, f"min {low}, max {high}", remedy


def _of_wide_bounds(low: Any, high: Any) -> tuple[str, str, str]:
    rule = f"a range of a factor of {WIDE} or more names its distribution"
    remedy = f"write `{_range('log_uniform_values', low, high)}`; as W&B reads it, with nearly all "
    remedy += f"values near the upper end, it is `{_range('uniform', low, high)}`"
    return rule, f"min {low}, max {high}", remedy


def _instead(named: str, entry: Mapping[str, Any]) -> str | None:
    """What to write for a distribution that is not ours; None where it is, or is unknown."""
    low: Any = entry.get("min")
    high: Any = entry.get("max")
    q: Any = entry.get("q", 1)
    if named == "log_uniform" and _numbers(low, high):
        values = _range("log_uniform_values", math.exp(low), math.exp(high))
        return f"in W&B, its min and max are natural exponents: write `{values}`"
    if named == "inv_log_uniform_values" and _numbers(low, high):
        return f"the same as `{_range('log_uniform_values', low, high)}`: write that"
    if named == "q_uniform" and _numbers(low, high, q) and q > 0:
        steps = math.floor((high - low) / q + 1e-9) + 1
        if 0 < steps <= MOST_VALUES:
            return f"write `{{values: {[round_hp(low + i * q) for i in range(steps)]}}}`"
        return f"write `{_range('uniform', low, high)}`, without steps of {q}"
    if named == "q_log_uniform_values" and _numbers(low, high):
        values = _range("log_uniform_values", low, high)
        return f"write `{values}`, without steps, which say nothing on a log scale"
    return _of_normal(named, entry.get("mu"), entry.get("sigma"))


def _of_normal(named: str, mu: Any, sigma: Any) -> str | None:
    """What to write for a bell curve: the range that holds 95 % of it."""
    if not _numbers(mu, sigma):
        return None
    low, high = mu - 2 * sigma, mu + 2 * sigma
    if named in ("normal", "q_normal"):
        return f"95 % of it lie in `{_range('uniform', low, high)}`: write that"
    if named in ("log_normal", "q_log_normal"):
        values = _range("log_uniform_values", math.exp(low), math.exp(high))
        return f"95 % of it lie in `{values}`: write that"
    return None


def _range(kind: str, low: Any, high: Any) -> str:
    shown = [round_hp(v) if _numbers(v) else v for v in (low, high)]
    return f"{{distribution: {kind}, min: {shown[0]}, max: {shown[1]}}}"


def _numbers(*values: Any) -> bool:
    """Whether all are numbers whose exponential is finite."""
    return all(
        isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 500 for v in values
    )
