"""Rules about the axis of a study: its ladder, its target, its scaling rule and its control."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from mutransfer.proxies.config.model import CustomConfig, UViTConfig, depth_faults
from mutransfer.sweep.spec.sections import LADDERS, search_at

Path = tuple[str | int, ...]
Found = tuple[Path, str, object, str]  # path, rule, got, remedy
EXAMPLES = {
    "width": "[16, 32, 64]",
    "batch_size": "[16, 32, 64]",
    "steps": "[1000, 2000, 4000]",
    "depth": "[2, 4, 8]",
}
# Where a study says its search place.
SEARCH_PATHS: dict[str, Path] = {
    "width": ("search", "width"),
    "batch_size": ("train", "batch_size"),
    "steps": ("train", "steps"),
    "depth": ("model", "depth"),
}


def keys(transfer: Any, target: Any) -> Iterator[Found]:
    """The ladder and the target stand under the keys of the axis, and under no other."""
    axis = transfer.axis
    for section, part, names in (
        ("transfer", transfer, LADDERS),
        ("target", target, {name: name for name in LADDERS}),
    ):
        own = names[axis]
        if getattr(part, own) is None:
            rule = f"`{own}` is given where the axis is {axis}"
            remedy = (
                "larger than the search place" if section == "target" else f"e.g. {EXAMPLES[axis]}"
            )
            yield (section,), rule, "nothing", f"add `{own}: …` ({remedy}), or choose another axis"
        for name, key in names.items():
            if name != axis and getattr(part, key) is not None:
                rule = f"of a study along {axis}, {section} has `{own}` alone"
                remedy = f"set `axis: {name}` in transfer, or remove it"
                yield (section, key), rule, _plain(getattr(part, key)), remedy


def ladder(model: Any, train: Any, search: Any, transfer: Any, target: Any) -> Iterator[Found]:
    """The ladder ascends, holds the search place, and the target lies beyond that."""
    axis, axis_values = transfer.axis, transfer.axis_values
    end = getattr(target, axis)
    if not axis_values or end is None or (axis == "depth" and isinstance(model, CustomConfig)):
        return  # `keys` and `of_depth` say so
    own, key = search_at(axis, model=model, train=train, search=search), LADDERS[axis]
    many = key.replace("_", " ")
    wider = "wider" if axis == "width" else "larger"
    if len(axis_values) < 2 or list(axis_values) != sorted(set(axis_values)):
        rule = f"at least two {many}, each {wider} than the one before"
        remedy = f"list each {axis.replace('_', ' ')} once, ascending"
        yield ("transfer", key), rule, list(axis_values), remedy
    where = SEARCH_PATHS[axis]
    if own not in axis_values:
        other = "search at one of them" if axis == "width" else f"set {'.'.join(map(str, where))}"
        other += "" if axis == "width" else " to one of them"
        rule = f"the search {axis} is on the ladder (its slices give the transferred set)"
        yield where, rule, own, f"add {own} to transfer.{key}, or {other}"
    if end <= max(own, axis_values[0]):
        rule = f"the target is {wider} than the search {axis}"
        yield ("target", axis), rule, end, f"raise target.{axis}"


def of_depth(model: Any, trial: Any, transfer: Any, target: Any) -> Iterator[Found]:
    """Each depth can be built, and is told to whoever trains."""
    if transfer.axis != "depth":
        return
    if isinstance(model, CustomConfig):
        rule = "only our families have a depth that we know"
        yield ("transfer", "axis"), rule, "the family custom", "choose another axis"
        return
    if trial is not None:
        rule = "a trainer of yours is told a width, batch size and steps, no depth"
        yield ("transfer", "axis"), rule, "depth", "choose another axis, or leave `trial` out"
    axis_values: list[tuple[Path, int]] = [
        (("transfer", "depths", i), depth) for i, depth in enumerate(transfer.axis_values)
    ]
    axis_values += [(("target", "depth"), target.depth)] if target.depth else []
    for path, depth in axis_values:
        for fault in depth_faults(dataclasses.replace(model, depth=depth)):
            yield path, fault.rule, fault.got, fault.remedy


def scaling(model: Any, train: Any, trial: Any, transfer: Any, target: Any) -> Iterator[Found]:
    """A scaling rule is one of the study's axis, with options and a model that it can act on."""
    found, axis, at = transfer.rule, transfer.axis, ("transfer", "rule")
    if found is None:
        return
    if found.axis != axis:
        rule = f"the rule {found.kind} is about the axis {found.axis}"
        yield at, rule, f"axis {axis}", f"set `axis: {found.axis}`, or choose another rule"
        return
    if found.kind == "completep" and isinstance(model, UViTConfig):
        rule = "CompleteP is about residual blocks; a U-ViT's long skips are none"
        yield at, rule, model.family, "leave the rule out, or take another family"
    if found.kind != "completep" and found.alpha != 1:
        yield (*at, "alpha"), "`alpha` is an option of completep", found.alpha, "remove it"
    if not found.scale_betas:
        return
    if found.kind != "sqrt_batch":
        yield (*at, "scale_betas"), "`scale_betas` is an option of sqrt_batch", True, "remove it"
        return
    if trial is not None:
        rule = "a trainer of yours is not told Adam's β"
        yield (*at, "scale_betas"), rule, True, "remove it"
    largest = max([*transfer.axis_values, target.batch_size or 0]) / train.batch_size
    if largest * (1 - min(train.betas)) >= 1:
        rule = "1 − β times the largest batch size over the base's stays below 1"
        got = f"{largest:g} × {1 - min(train.betas):.3g}"
        yield (*at, "scale_betas"), rule, got, "remove it, or raise train.betas"


def control(transfer: Any, target: Any) -> Iterator[Found]:
    """SP is the control along width, no rule that along another axis."""
    at, axis = ("transfer", "control"), transfer.axis
    if transfer.control == "sp" and axis != "width":
        rule = "SP differs from μP along width alone"
        yield at, rule, f"sp along {axis}", "choose unscaled (beside a rule) or none"
    if transfer.control == "unscaled" and transfer.rule is None:
        rule = "the control `unscaled` is the ladder without the rule"
        remedy = "sp is the control along width" if axis == "width" else "add `rule: …`"
        yield at, rule, "no rule", f"{remedy}, or take `control: none`"
    if target.tolerance.share_of_width_gain is not None and axis != "width":
        rule = "share_of_width_gain is a share of what width gains"
        remedy = "e.g. `tolerance: {rel_loss: 0.005}`"
        yield ("target", "tolerance"), rule, f"axis {axis}", remedy


def convergence(transfer: Any, convergence: Any) -> Iterator[Found]:
    """Convergence compares μP with SP, which differ along width alone."""
    if convergence is not None and transfer.axis != "width":
        rule = "convergence is asked for in a study along width"
        yield ("convergence",), rule, f"axis {transfer.axis}", "remove it"


def shortest(train: Any, transfer: Any) -> int:
    """The fewest steps that a trial of the study trains."""
    ladder: Mapping[str, Any] = {"steps": transfer.axis_values}
    return int(min([train.steps, *ladder.get(transfer.axis, ())]))


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
