"""Rules about the axis of a study: its ladder, its target, its scaling rule and its control."""

import dataclasses
from collections.abc import Iterator

from mutransfer.proxies.config import TrainConfig, TrainerConfig
from mutransfer.proxies.config.constraints import depth_faults
from mutransfer.proxies.config.model import CustomConfig, ModelConfig, UViTConfig
from mutransfer.proxies.errors import Fault
from mutransfer.sweep.spec.sections import LADDERS, Search, Target, Transfer, search_at
from mutransfer.sweep.spec.yaml_file import YamlPath
from mutransfer.words import STUDY_AXES, StudyAxis

EXAMPLES: dict[StudyAxis, str] = {
    "width": "[16, 32, 64]",
    "batch_size": "[16, 32, 64]",
    "steps": "[1000, 2000, 4000]",
    "depth": "[2, 4, 8]",
}
# The key of the spec that gives the axis value of the search.
SEARCH_PATHS: dict[StudyAxis, YamlPath] = {
    "width": ("search", "width"),
    "batch_size": ("train", "batch_size"),
    "steps": ("train", "steps"),
    "depth": ("model", "depth"),
}
# Of a spacing at a single axis value over the study's: a quarter is the finest part of the lattice.
SPACING_RATIOS = (0.25, 0.5, 1.0, 2.0, 4.0)


def keys_match_axis(transfer: Transfer, target: Target) -> Iterator[Fault]:
    """The ladder and the target are given under the keys of the study's axis, and no other."""
    targets = {name: str(name) for name in STUDY_AXES}
    yield from _key_faults("transfer", transfer, transfer.axis, LADDERS, EXAMPLES[transfer.axis])
    yield from _key_faults("target", target, transfer.axis, targets, None)


def _key_faults(
    section: str,
    values: Transfer | Target,
    axis: StudyAxis,
    keys: dict[StudyAxis, str],
    example: str | None,
) -> Iterator[Fault]:
    axis_key = keys[axis]
    if getattr(values, axis_key) is None:
        rule = f"`{axis_key}` is given where the axis is {axis}"
        hint = "larger than that of the search" if example is None else f"e.g. {example}"
        remedy = f"add `{axis_key}: …` ({hint}), or choose another axis"
        yield Fault((section,), rule, "nothing", remedy)
    for name, key in keys.items():
        value = getattr(values, key)
        if name != axis and value is not None:
            rule = f"in a study along {axis}, {section} has the key `{axis_key}` alone"
            remedy = f"set `axis: {name}` in transfer, or remove `{key}`"
            got = list(value) if isinstance(value, tuple) else value
            yield Fault((section, key), rule, got, remedy)


def ladder_ascends(
    model: ModelConfig, train: TrainConfig, search: Search, transfer: Transfer, target: Target
) -> Iterator[Fault]:
    """The ladder ascends and contains the search; the target lies beyond it."""
    axis, axis_values = transfer.axis, transfer.axis_values
    target_at = getattr(target, axis)
    has_no_depth = axis == "depth" and isinstance(model, CustomConfig)
    if not axis_values or target_at is None or has_no_depth:
        return  # faults of `keys_match_axis` and `depths_can_be_built`
    search_value, key = search_at(axis, model=model, train=train, search=search), LADDERS[axis]
    larger = "wider" if axis == "width" else "larger"
    if len(axis_values) < 2 or list(axis_values) != sorted(set(axis_values)):
        rule = f"at least two {key.replace('_', ' ')}, each {larger} than the one before"
        remedy = f"list each {axis.replace('_', ' ')} once, ascending"
        yield Fault(("transfer", key), rule, list(axis_values), remedy)
    if search_value not in axis_values:
        path = SEARCH_PATHS[axis]
        rule = f"the search {axis} is on the ladder (its slices give the transferred set)"
        move = "search at" if axis == "width" else f"set {'.'.join(map(str, path))} to"
        remedy = f"add {search_value} to transfer.{key}, or {move} one of them"
        yield Fault(path, rule, search_value, remedy)
    if target_at <= max(search_value, axis_values[0]):
        rule = f"the target is {larger} than the search {axis}"
        yield Fault(("target", axis), rule, target_at, f"raise target.{axis}")


def single_sizes_fit_ladder(transfer: Transfer) -> Iterator[Fault]:
    """Sizes are of slices on the ladder, and their values on the parts of the lattice."""
    for value, size in (transfer.at or {}).items():
        path: YamlPath = ("transfer", "at", value)
        if value not in transfer.axis_values:
            rule = f"`at` gives single values of `{LADDERS[transfer.axis]}` another size"
            got = f"{value}, not one of {list(transfer.axis_values)}"
            yield Fault(path, rule, got, "add it to the ladder, or remove it")
        if size.spacing_log2 is not None:
            ratio = size.spacing_log2 / transfer.spacing_log2
            if ratio not in SPACING_RATIOS:
                ratios = ", ".join(f"{r * transfer.spacing_log2:g}" for r in SPACING_RATIOS)
                rule = f"slices share a lattice: here the spacing is one of {ratios}"
                yield Fault((*path, "spacing_log2"), rule, size.spacing_log2, "choose one of them")


def depths_can_be_built(
    model: ModelConfig, trial: TrainerConfig | None, transfer: Transfer, target: Target
) -> Iterator[Fault]:
    """The model can be built at each depth, and the trainer is not the user's own."""
    if transfer.axis != "depth":
        return
    if isinstance(model, CustomConfig):
        rule = "the depth of a custom model is not known"
        yield Fault(("transfer", "axis"), rule, "the family custom", "choose another axis")
        return
    if trial is not None:
        rule = "your own trainer is given a width, a batch size and steps, but no depth"
        remedy = "choose another axis, or leave `trial` out"
        yield Fault(("transfer", "axis"), rule, "depth", remedy)
    depths: list[tuple[YamlPath, int]] = [
        (("transfer", "depths", i), depth) for i, depth in enumerate(transfer.axis_values)
    ]
    depths += [(("target", "depth"), target.depth)] if target.depth else []
    for path, depth in depths:
        for fault in depth_faults(dataclasses.replace(model, depth=depth)):
            yield fault._replace(path=path)


def scaling_fits_axis(
    model: ModelConfig,
    train: TrainConfig,
    trial: TrainerConfig | None,
    transfer: Transfer,
    target: Target,
) -> Iterator[Fault]:
    """The scaling rule is for the study's axis, and its options and the model fit it."""
    scaling, axis, path = transfer.rule, transfer.axis, ("transfer", "rule")
    if scaling is None:
        return
    if scaling.axis != axis:
        rule = f"the rule {scaling.kind} is for the axis {scaling.axis}"
        remedy = f"set `axis: {scaling.axis}`, or choose another rule"
        yield Fault(path, rule, f"axis {axis}", remedy)
        return
    if scaling.kind == "completep" and isinstance(model, UViTConfig):
        rule = "CompleteP scales residual branches, which the long skips of a U-ViT are not"
        yield Fault(path, rule, model.family, "leave the rule out, or choose another family")
    if scaling.kind != "completep" and scaling.alpha != 1:
        rule = "`alpha` is an option of completep"
        yield Fault((*path, "alpha"), rule, scaling.alpha, "remove it")
    if scaling.scale_betas:
        yield from _beta_faults(train, trial, transfer, target)


def _beta_faults(
    train: TrainConfig, trial: TrainerConfig | None, transfer: Transfer, target: Target
) -> Iterator[Fault]:
    path = ("transfer", "rule", "scale_betas")
    if transfer.rule is None or transfer.rule.kind != "sqrt_batch":
        yield Fault(path, "`scale_betas` is an option of sqrt_batch", True, "remove it")
        return
    if trial is not None:
        yield Fault(path, "your own trainer is not given Adam's β", True, "remove it")
    ratio = max([*transfer.axis_values, target.batch_size or 0]) / train.batch_size
    if ratio * (1 - min(train.betas)) >= 1:
        rule = "(1 − β) × largest batch size / search batch size stays below 1"
        got = f"{ratio:g} × {1 - min(train.betas):.3g}"
        yield Fault(path, rule, got, "remove it, or raise train.betas")


def control_fits_axis(transfer: Transfer, target: Target) -> Iterator[Fault]:
    """SP is the control along width; along another axis it is the ladder without the rule."""
    path, axis = ("transfer", "control"), transfer.axis
    if transfer.control == "sp" and axis != "width":
        rule = "SP differs from μP along width alone"
        remedy = "choose unscaled (beside a rule) or none"
        yield Fault(path, rule, f"sp along {axis}", remedy)
    if transfer.control == "unscaled" and transfer.rule is None:
        rule = "the control `unscaled` is the ladder without the scaling rule"
        hint = "sp is the control along width" if axis == "width" else "add `rule: …`"
        yield Fault(path, rule, "no rule", f"{hint}, or set `control: none`")
    if target.tolerance.share_of_width_gain is not None and axis != "width":
        rule = "share_of_width_gain needs a study along width"
        remedy = "e.g. `tolerance: {rel_loss: 0.005}`"
        yield Fault(("target", "tolerance"), rule, f"axis {axis}", remedy)
