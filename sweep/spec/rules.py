"""The rules between the sections of a study, listed in ``RULES``, and the faults they give.

A rule is a function whose parameters are named as the sections it needs. It runs where all of these
are valid. Those of ``DATA_RULES`` open the data, which may be the user's own code, those of
``CODE_RULES`` import such code, and those of ``MODEL_RULES`` build the user's model on their data.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mutransfer.proxies.config import TrainConfig
from mutransfer.proxies.config.model import ModelConfig
from mutransfer.proxies.errors import Fault
from mutransfer.sweep.spec import axis_rules, hp_rules, model_rules, optimizer_rules
from mutransfer.sweep.spec.loggers import missing
from mutransfer.sweep.spec.sections import (
    CHECK_DEFAULTS,
    MAX_TRIALS,
    Convergence,
    Logger,
    Search,
    Target,
    Transfer,
)

MAX_EPS = 1e-10
Rule = Callable[..., Iterator[Fault]]


def one_tolerance_is_given(target: Target) -> Iterator[Fault]:
    """Exactly one kind of tolerance is given."""
    given = [name for name, value in vars(target.tolerance).items() if value is not None]
    if len(given) != 1:
        rule = "exactly one of rel_loss, abs_loss, share_of_width_gain"
        got = ", ".join(given) or "none"
        yield Fault(("target", "tolerance"), rule, got, "e.g. `tolerance: {rel_loss: 0.005}`")


def check_has_its_own_keys(target: Target) -> Iterator[Fault]:
    """A star has no `points` and `seeds`, slices have no `max_looks`."""
    for check, defaults in CHECK_DEFAULTS.items():
        for name in defaults:
            got = getattr(target, name)
            if check != target.check and got is not None:
                rule = f"`{name}` belongs to `check: {check}`; the check here is {target.check}"
                remedy = f"remove it, or set `check: {check}`"
                yield Fault(("target", name), rule, got, remedy)


def trials_are_countable(
    search: Search, transfer: Transfer, target: Target, convergence: Convergence | None
) -> Iterator[Fault]:
    """The study has at most ``MAX_TRIALS`` trials, before any slice is extended."""
    n_arms = 1 if transfer.control == "none" else 2
    n_hps = len(transfer.parameters)
    counts = {
        ("search", "trials"): search.trials,
        ("transfer",): n_hps
        * n_arms
        * sum(
            (s.points or 0) * (s.seeds or 0) for s in map(transfer.size_at, transfer.axis_values)
        ),
        ("target",): _n_at_target(target, n_hps),
    }
    if convergence is not None:
        counts["convergence",] = (convergence.points + 3) * convergence.seeds
    if sum(counts.values()) <= MAX_TRIALS:
        return
    path = max(counts, key=lambda key: counts[key])
    rule = f"a study has at most {MAX_TRIALS:,} trials (values × seeds × sizes × HPs × arms)"
    got = f"{sum(counts.values()):,}, of which {counts[path]:,} by `{'.'.join(path)}`"
    yield Fault(path, rule, got, "lower its numbers, or make two studies of it")


def _n_at_target(target: Target, n_hps: int) -> int:
    """Trials of the check, before any slice is extended."""
    if target.points is None or target.seeds is None:
        return (4 * n_hps + 1) * 2  # all looks of a star
    return (n_hps * target.points + 1) * target.seeds


def eps_is_small(train: TrainConfig) -> Iterator[Fault]:
    """Adam's ε is far below the gradients of every width, or scaled with them."""
    if train.eps > MAX_EPS and not train.scale_eps:
        rule = f"Adam's eps is at most {MAX_EPS:g} or scaled with width (`scale_eps: true`)"
        remedy = "gradients shrink with width: a fixed large eps breaks transfer; use 1e-12"
        yield Fault(("train", "eps"), rule, train.eps, remedy)


def convergence_is_along_width(
    transfer: Transfer, convergence: Convergence | None
) -> Iterator[Fault]:
    """Convergence compares μP with SP, which differ along width alone."""
    if convergence is not None and transfer.axis != "width":
        rule = "`convergence` needs a study along width"
        yield Fault(("convergence",), rule, f"axis {transfer.axis}", "remove it")


def convergence_is_measurable(
    model: ModelConfig, train: TrainConfig, target: Target, convergence: Convergence | None
) -> Iterator[Fault]:
    """SP differs from μP at the target, and the training curve has enough points."""
    if convergence is None:
        return
    if target.width == model.base_width:
        rule = "SP and μP differ at the target width, which is not the base width"
        got, remedy = f"both are {target.width}", "raise target.width, or leave the section out"
        yield Fault(("convergence",), rule, got, remedy)
    n_points = -(-train.steps // train.steps_per_log)
    if convergence.n_val > n_points:
        rule = f"a validation is at a point of the training curve, which has {n_points} points"
        remedy = f"lower it to {n_points}, or set train.log_every"
        yield Fault(("convergence", "n_val"), rule, convergence.n_val, remedy)


def loggers_are_installed(loggers: Sequence[Logger] | None) -> Iterator[Fault]:
    """The package of each logger is installed."""
    for name, sink in missing(loggers or ()):
        rule = f"the logger {name} needs the package {sink.package}"
        remedy = f"pip install 'mutransfer[{sink.extra}]'"
        yield Fault(("loggers",), rule, "not installed", remedy)


RULES: tuple[Rule, ...] = (
    model_rules.widths_can_be_built,
    model_rules.trainer_is_function_or_command,
    axis_rules.keys_match_axis,
    axis_rules.control_fits_axis,
    convergence_is_along_width,
    axis_rules.ladder_ascends,
    axis_rules.single_sizes_fit_ladder,
    axis_rules.depths_can_be_built,
    axis_rules.scaling_fits_axis,
    one_tolerance_is_given,
    check_has_its_own_keys,
    trials_are_countable,
    hp_rules.sliced_hps_are_given,
    hp_rules.lr_is_given,
    hp_rules.init_std_is_given_once,
    hp_rules.repa_weight_acts,
    hp_rules.warmup_is_short,
    eps_is_small,
    optimizer_rules.options_are_the_optimizers,
    optimizer_rules.optimizer_is_installed,
    optimizer_rules.adam_has_no_weight_decay,
    optimizer_rules.adamw_lr_is_given_once,
    optimizer_rules.scaling_is_for_adam,
    convergence_is_measurable,
    loggers_are_installed,
    hp_rules.grid_is_large_enough,
    hp_rules.limits_leave_room,
)
DATA_RULES: tuple[Rule, ...] = (
    model_rules.model_fits_data,
    model_rules.data_can_be_loaded,
)
CODE_RULES: tuple[Rule, ...] = (model_rules.trainer_can_be_imported,)
MODEL_RULES: tuple[Rule, ...] = (model_rules.custom_model_works,)


def faults(valid: Mapping[str, Any], rules: Sequence[Rule] = RULES) -> list[Fault]:
    """All faults between the sections of one study, in the order of ``rules``.

    Args:
        valid: The valid sections, by name. A rule that needs any other section does not run.
        rules: The rules.
    """
    result: list[Fault] = []
    for rule in rules:
        needed = inspect.signature(rule).parameters
        if valid.keys() >= needed.keys():
            result += rule(**{name: valid[name] for name in needed})
    return result
