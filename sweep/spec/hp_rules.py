"""Rules about the HPs: which are given, which are sliced, and the ranges they need."""

import math
from collections.abc import Iterator, Mapping

from mutransfer.proxies.config import TrainConfig
from mutransfer.proxies.config.model import ModelConfig, repa_block
from mutransfer.proxies.errors import Fault
from mutransfer.sweep.spec import space
from mutransfer.sweep.spec.sections import Method, Search, Transfer
from mutransfer.sweep.spec.space import Categorical, Constant, Distribution, LogUniform
from mutransfer.words import HPName

Parameters = Mapping[str, Distribution]
MULTIPLIED_BY_INIT_STD: tuple[HPName, ...] = ("init_std_hidden", "init_std_input")


def sliced_hps_are_given(parameters: Parameters, transfer: Transfer) -> Iterator[Fault]:
    """Each sliced HP has a distribution that a lattice in log2 can cover."""
    path = ("transfer", "parameters")
    if len(set(transfer.parameters)) != len(transfer.parameters) or not transfer.parameters:
        got = list(transfer.parameters)
        yield Fault(path, "at least one HP, each once", got, "list each HP once")
    for i, name in enumerate(transfer.parameters):
        distribution = parameters.get(name)
        if distribution is None:
            rule = "a sliced HP is given in `parameters`"
            yield Fault((*path, i), rule, name, f"add `{name}` to parameters, or do not slice it")
        elif isinstance(distribution, Categorical) or _lowest(distribution) <= 0:
            rule = "a sliced HP is positive and varies on a log scale"
            yield Fault((*path, i), rule, name, "use log_uniform_values, or do not slice it")
    integer = sorted(set(transfer.parameters) & space.INTEGER_HPS)
    if integer and (transfer.refine or transfer.spacing_log2 != round(transfer.spacing_log2)):
        rule = "an integer HP is sliced at whole powers of two"
        got_text = f"{integer[0]}, spacing_log2 {transfer.spacing_log2:g}, refine {transfer.refine}"
        yield Fault(path, rule, got_text, "set `refine: false` and a whole `spacing_log2`")
    for i, name in enumerate(transfer.control_parameters or ()):
        if name not in transfer.parameters:
            rule = "the control slices HPs that μP slices too"
            remedy = f"add it to transfer.parameters, or choose from {list(transfer.parameters)}"
            yield Fault(("transfer", "control_parameters", i), rule, name, remedy)


def _lowest(distribution: Distribution) -> float:
    return float(getattr(distribution, "min", getattr(distribution, "value", 0.0)))


def lr_is_given(parameters: Parameters) -> Iterator[Fault]:
    """The LR is among the HPs."""
    if "lr" not in parameters:
        remedy = "add `lr: {distribution: log_uniform_values, min: 2^-12, max: 2^-3}`"
        yield Fault(("parameters",), "`lr` is given", "no lr", remedy)


def init_std_is_given_once(parameters: Parameters) -> Iterator[Fault]:
    """No two HPs multiply the same init std."""
    if "init_std" in parameters:
        for name in MULTIPLIED_BY_INIT_STD:
            if name in parameters:
                rule = f"`init_std` and `{name}` multiply the same std: give one of them"
                yield Fault(("parameters", name), rule, name, "remove one of them")


def repa_weight_acts(model: ModelConfig, parameters: Parameters) -> Iterator[Fault]:
    """The weight of REPA's loss is given only where the model has REPA's projector."""
    if "repa_weight" in parameters and repa_block(model) is None:
        rule = "`repa_weight` weights a loss that needs REPA's projector"
        can_have_it = model.family in ("dit", "mmdit")
        remedy = (
            "set `model.repa_block`"
            if can_have_it
            else "remove it, or choose the family dit or mmdit"
        )
        yield Fault(("parameters", "repa_weight"), rule, "a model without the projector", remedy)


def warmup_is_short(
    parameters: Parameters, train: TrainConfig, transfer: Transfer
) -> Iterator[Fault]:
    """The longest warmup is shorter than the shortest training."""
    distribution = parameters.get("warmup_steps")
    if distribution is None:
        return
    longest = max(getattr(distribution, "values", ()), default=getattr(distribution, "max", 0.0))
    longest = max(longest, getattr(distribution, "value", 0.0))
    steps = min([train.steps, *(transfer.axis_values if transfer.axis == "steps" else ())])
    if longest >= steps:
        rule = f"warmup is shorter than the training of {steps} steps"
        yield Fault(("parameters", "warmup_steps"), rule, longest, "lower it")


def grid_is_large_enough(method: Method, parameters: Parameters, search: Search) -> Iterator[Fault]:
    """A grid search has at least two values of each HP."""
    if method == "grid" and space.grid_points(parameters, search.trials) < 2:
        rule = "the grid has at least two values of each HP"
        free = [n for n, d in parameters.items() if not isinstance(d, Constant)]
        got = f"{search.trials} trials for {len(free)} HPs"
        yield Fault(("search", "trials"), rule, got, f"raise it to {2 ** len(free)} or more")


def limits_leave_room(transfer: Transfer, parameters: Parameters) -> Iterator[Fault]:
    """A slice between hard limits has at least three lattice values."""
    for name in transfer.parameters:
        distribution = parameters.get(name)
        if not isinstance(distribution, LogUniform):
            continue
        low, high = distribution.hard_min, distribution.hard_max
        if low and high and math.log2(high / low) < 2 * transfer.spacing_log2:
            rule = "at least three lattice values lie between the hard limits"
            got = f"hard_min {low:g}, hard_max {high:g}, spacing {transfer.spacing_log2:g}"
            yield Fault(("parameters", name), rule, got, "widen the limits or lower spacing_log2")
