"""Rules between the sections of a study. Each runs where the sections that it needs are valid."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from mutransfer.proxies import user_code
from mutransfer.proxies.config.model import CustomConfig, repa_block, width_faults
from mutransfer.proxies.config.trial import faults as faults_of_trial
from mutransfer.proxies.data.load import info as data_info
from mutransfer.proxies.data.load import load as load_data
from mutransfer.proxies.errors import ConfigError, DataError
from mutransfer.proxies.models import custom
from mutransfer.sweep.spec import axis_rules, space
from mutransfer.sweep.spec import loggers as viewers

Path = tuple[str | int, ...]
Found = tuple[Path, str, object, str]  # path, rule, got, remedy
Rule = Callable[..., Iterator[Found]]
RULES: list[tuple[tuple[str, ...], Rule]] = []
MAX_EPS = 1e-10
EFFECT_OF_INIT_STD = ("init_std_hidden", "init_std_input")


def faults(valid: Mapping[str, Any]) -> list[Found]:
    """All faults between the valid sections ``valid`` of one study."""
    found: list[Found] = []
    for needs, rule in RULES:
        if all(name in valid for name in needs):
            found += rule(*(valid[name] for name in needs))
    return found


def _rule(*needs: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        RULES.append((needs, rule))
        return rule

    return register


@_rule("model", "search", "transfer", "target", "production")
def _widths_fit(
    model: Any, search: Any, transfer: Any, target: Any, production: Any
) -> Iterator[Found]:
    """Each width that is trained can be built."""
    places: list[tuple[Path, int]] = [(("search", "width"), search.width)]
    places += [(("transfer", "widths", i), width) for i, width in enumerate(transfer.widths or ())]
    places += [(("target", "width"), target.width)] if target.width else []
    places += [(("production", "width"), production.width)] if production else []
    for place, width in places:
        for fault in width_faults(model, width, ()):
            yield place, fault.rule, fault.got, fault.remedy


@_rule("model", "data", "objective", "train")
def _model_fits(model: Any, data: Any, objective: Any, train: Any) -> Iterator[Found]:
    """The base width, the data and the objective fit the model."""
    try:
        info = data_info(data)
    except ConfigError:
        return  # `_data_fit` says what is wrong with them
    for fault in faults_of_trial(model, objective, train, widths=(), info=info):
        yield fault.path, fault.rule, fault.got, fault.remedy


@_rule("data")
def _data_fit(data: Any) -> Iterator[Found]:
    """The data can be loaded (latents may still be absent: their shapes are declared)."""
    try:
        data_info(data)
    except DataError as error:
        for fault in error.faults:
            yield fault.path, fault.rule, fault.got, fault.remedy
    except ConfigError as error:
        yield ("data", "build"), "a function that can be imported", str(error), "correct it"


@_rule("trial")
def _one_trainer(trial: Any) -> Iterator[Found]:
    if trial is None:
        return
    if (trial.run is None) == (trial.command is None):
        rule, remedy = "either a function or a command", "e.g. `trial: 'mypackage.train:run'`"
        yield ("trial",), rule, "both" if trial.run else "neither", remedy
    elif trial.run is not None:
        try:
            user_code.function(trial.run)
        except ConfigError as error:
            yield ("trial",), "a function that can be imported", str(error), "correct it"
    elif "{config_json}" not in trial.command:
        rule = "a command has {config_json}, where the name of the file stands that tells it what"
        yield ("trial", "command"), rule, trial.command, "add it"


@_rule("model", "data", "search", "transfer", "target")
def _custom_fits(model: Any, data: Any, search: Any, transfer: Any, target: Any) -> Iterator[Found]:
    """The user's module can be built at each width, and its loss is one."""
    if not isinstance(model, CustomConfig):
        return
    try:
        loaded = load_data(data)
        some = {name: part[: custom.N_SAMPLES] for name, part in loaded.validation().items()}
        batches = (loaded.batch(0, 0, custom.N_SAMPLES), some)
    except ConfigError:
        return  # `_data_fit` says what is wrong with them
    widths = (search.width, *(transfer.widths or ()), *filter(None, [target.width]))
    for fault in custom.faults(model, batches, widths):
        yield fault.path, fault.rule, fault.got, fault.remedy


_rule("transfer", "target")(axis_rules.keys)
_rule("transfer", "target")(axis_rules.control)
_rule("transfer", "convergence")(axis_rules.convergence)
_rule("model", "train", "search", "transfer", "target")(axis_rules.ladder)
_rule("model", "trial", "transfer", "target")(axis_rules.of_depth)
_rule("model", "train", "trial", "transfer", "target")(axis_rules.scaling)


@_rule("target")
def _one_tolerance(target: Any) -> Iterator[Found]:
    tolerance = target.tolerance
    given = [name for name, value in vars(tolerance).items() if value is not None]
    if len(given) != 1:
        rule = "exactly one of rel_loss, abs_loss, share_of_width_gain"
        got = ", ".join(given) or "none"
        yield ("target", "tolerance"), rule, got, "e.g. `tolerance: {rel_loss: 0.005}`"


@_rule("parameters", "transfer")
def _sliced_hps(parameters: Mapping[str, Any], transfer: Any) -> Iterator[Found]:
    at = ("transfer", "parameters")
    if len(set(transfer.parameters)) != len(transfer.parameters) or not transfer.parameters:
        yield at, "at least one HP, each once", list(transfer.parameters), "list each HP once"
    for i, name in enumerate(transfer.parameters):
        found = parameters.get(name)
        if found is None:
            rule = "a sliced HP stands in `parameters`"
            yield (*at, i), rule, name, f"add `{name}` to parameters, or do not slice it"
        elif isinstance(found, space.Categorical) or _lowest(found) <= 0:
            rule = "a sliced HP is positive and varies on a log scale"
            yield (*at, i), rule, name, "use log_uniform_values, or do not slice it"
    integer = sorted(set(transfer.parameters) & space.INTEGER_HPS)
    if integer and (transfer.refine or transfer.spacing_log2 != round(transfer.spacing_log2)):
        rule = "an integer HP is sliced at whole powers of two"
        got = f"{integer[0]}, spacing_log2 {transfer.spacing_log2:g}, refine {transfer.refine}"
        yield at, rule, got, "set `refine: false` and a whole `spacing_log2`"
    for i, name in enumerate(transfer.control_parameters or ()):
        if name not in transfer.parameters:
            rule = "the control slices HPs that μP slices too"
            remedy = f"add it to transfer.parameters, or choose of {list(transfer.parameters)}"
            yield ("transfer", "control_parameters", i), rule, name, remedy


def _lowest(distribution: Any) -> float:
    return float(getattr(distribution, "min", getattr(distribution, "value", 0.0)))


@_rule("parameters")
def _lr_given(parameters: Mapping[str, Any]) -> Iterator[Found]:
    if "lr" not in parameters:
        remedy = "add `lr: {distribution: log_uniform_values, min: 2^-12, max: 2^-3}`"
        yield ("parameters",), "`lr` is given", "no lr", remedy
    if "init_std" in parameters:
        for name in EFFECT_OF_INIT_STD:
            if name in parameters:
                rule = "`init_std` multiplies what this multiplies: one of the two"
                yield ("parameters", name), rule, name, "remove one of them"


@_rule("model", "parameters")
def _repa_weight_acts(model: Any, parameters: Mapping[str, Any]) -> Iterator[Found]:
    if "repa_weight" in parameters and repa_block(model) is None:
        rule = "`repa_weight` weighs a model's projector"
        can = model.family in ("dit", "mmdit")
        remedy = "set `model.repa_block`" if can else "remove it, or take the family dit or mmdit"
        yield ("parameters", "repa_weight"), rule, "a model without projector", remedy


@_rule("parameters", "train", "transfer")
def _warmup_fits(parameters: Mapping[str, Any], train: Any, transfer: Any) -> Iterator[Found]:
    found = parameters.get("warmup_steps")
    if found is None:
        return
    longest = max(getattr(found, "values", ()), default=getattr(found, "max", 0.0))
    longest = max(longest, getattr(found, "value", 0.0))
    if longest >= (steps := axis_rules.shortest(train, transfer)):
        rule = f"warmup is shorter than the training of {steps} steps"
        yield ("parameters", "warmup_steps"), rule, longest, "lower it"


@_rule("train")
def _eps_small(train: Any) -> Iterator[Found]:
    if train.eps > MAX_EPS and not train.scale_eps:
        rule = f"Adam's eps is at most {MAX_EPS:g} or scaled with width (`scale_eps: true`)"
        remedy = "gradients shrink with width: a fixed large eps breaks transfer; use 1e-12"
        yield ("train", "eps"), rule, train.eps, remedy


@_rule("model", "train", "target", "convergence")
def _convergence_shows(model: Any, train: Any, target: Any, convergence: Any) -> Iterator[Found]:
    if convergence is None:
        return
    at = ("convergence",)
    if target.width == model.base_width:
        rule = "SP and μP differ at the target width: it is not the base width"
        yield at, rule, f"both are {target.width}", "raise target.width, or leave the section out"
    n_interim = -(-train.steps // train.steps_per_log)
    if convergence.n_val > n_interim:
        rule = f"validations happen at points of the training curve, of which there are {n_interim}"
        remedy = f"lower it to {n_interim}, or set train.log_every"
        yield (*at, "n_val"), rule, convergence.n_val, remedy


@_rule("loggers")
def _loggers_installed(loggers: Any) -> Iterator[Found]:
    for name, sink in viewers.missing(loggers or ()):
        rule = f"the logger {name} needs the package {sink.package}"
        yield ("loggers",), rule, "it is not installed", f"pip install 'mutransfer[{sink.extra}]'"


@_rule("method", "parameters", "search")
def _grid_fits(method: str, parameters: Mapping[str, Any], search: Any) -> Iterator[Found]:
    if method != "grid":
        return
    if space.grid_points(parameters, search.trials) < 2:
        rule = "the grid has at least two values of each HP"
        free = [n for n, d in parameters.items() if not isinstance(d, space.Constant)]
        got = f"{search.trials} trials for {len(free)} HPs"
        yield ("search", "trials"), rule, got, f"raise it to {2 ** len(free)} or more"


@_rule("transfer", "parameters")
def _limits_leave_room(transfer: Any, parameters: Mapping[str, Any]) -> Iterator[Found]:
    for name in transfer.parameters:
        found = parameters.get(name)
        low, high = getattr(found, "hard_min", None), getattr(found, "hard_max", None)
        if low and high and math.log2(high / low) < 2 * transfer.spacing_log2:
            rule = "at least three lattice values lie between the hard limits"
            got = f"hard_min {low:g}, hard_max {high:g}, spacing {transfer.spacing_log2:g}"
            yield ("parameters", name), rule, got, "widen the limits or lower spacing_log2"
