"""One section of a spec as typed data, or its faults."""

import dataclasses
import difflib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge
from pydantic import TypeAdapter, ValidationError

from mutransfer.proxies.config import DataConfig, ObjectiveConfig, TrainConfig, TrainerConfig
from mutransfer.proxies.config.data import DATA_CONFIGS, is_name
from mutransfer.proxies.config.model import MODEL_CONFIGS
from mutransfer.sweep.errors import SpecFault
from mutransfer.sweep.spec import space, wandb
from mutransfer.sweep.spec.sections import (
    Assume,
    Convergence,
    CoordCheck,
    Limits,
    Logger,
    Method,
    Metric,
    Production,
    Resources,
    Search,
    Target,
    Transfer,
)
from mutransfer.sweep.spec.yaml_file import YamlFile, YamlPath
from mutransfer.words import HP_NAMES

# Sections of several kinds, and the key that names the kind.
KINDS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "model": ("family", MODEL_CONFIGS),
    "data": ("source", DATA_CONFIGS),
}
SECTIONS: dict[str, Any] = {
    "model": None,  # by KINDS
    "data": None,
    "objective": ObjectiveConfig,
    "train": TrainConfig,
    "metric": Metric,
    "method": Method,
    "search": Search,
    "transfer": Transfer,
    "target": Target,
    "resources": Resources,
    "coordcheck": CoordCheck,
    "seed": Annotated[int, Ge(0)],
    "production": Production | None,
    "convergence": Convergence | None,
    "assume": Assume | None,
    "limits": Limits | None,
    "loggers": tuple[Logger, ...] | None,
    "trial": TrainerConfig | None,
}
OPTIONAL: dict[str, Any] = {  # the value of a section that is left out
    "objective": {},
    "metric": {},
    "method": "tpe",
    "resources": {},
    "coordcheck": {},
    "seed": 0,
    "production": None,
    "convergence": None,
    "assume": None,
    "limits": None,
    "loggers": None,
    "trial": None,
}


def read_section(file: YamlFile, path: YamlPath, value: Any) -> tuple[Any, list[SpecFault]]:
    """The section at ``path`` as typed data, or None and its faults.

    Args:
        file: The spec.
        path: The path of the section; its last part is the section's name.
        value: The section as parsed, or its default.
    """
    name = str(path[-1])
    value = _long_form(name, value)
    kind = SECTIONS[name]
    if name in KINDS:
        tag, kinds = KINDS[name]
        chosen = value.get(tag) if isinstance(value, dict) else None
        if not isinstance(chosen, str) or chosen not in kinds:
            got = f"no {tag}" if chosen is None else chosen
            rule = f"{name}.{tag} is one of {', '.join(kinds)}"
            remedy = f"choose a known {tag}{nearest(chosen, kinds)}"
            return None, [file.fault((*path, tag), rule, got, remedy)]
        kind = kinds[chosen]
    try:
        text = json.dumps(value)
    except TypeError:
        return None, [
            file.fault(
                path, "only numbers, strings, lists and mappings", str(value), "remove dates"
            )
        ]
    try:
        section = TypeAdapter(kind).validate_json(text, strict=True)
    except ValidationError as error:
        return None, [_pydantic_fault(file, path, kind, dict(e)) for e in error.errors()]
    return (_with_absolute_paths(section, file) if name == "data" else section), []


def read_parameters(
    file: YamlFile, path: YamlPath, value: Any
) -> tuple[dict[str, space.Distribution], list[SpecFault]]:
    """The section `parameters`: a distribution for each HP without faults, and all faults."""
    if not isinstance(value, dict) or not value:
        example = "lr: {distribution: log_uniform_values, min: 2^-12, max: 2^-3}"
        got = "nothing" if value is None else value
        rule = "`parameters` maps at least `lr` to a distribution"
        return {}, [file.fault(path, rule, got, f"add `{example}`")]
    distributions, faults = {}, []
    for name, entry in value.items():
        if name not in HP_NAMES:
            hint = nearest(name, HP_NAMES) or f"; known: {', '.join(HP_NAMES)}"
            remedy = wandb.hp_remedy(str(name), entry) or f"remove it{hint}"
            faults.append(file.fault((*path, name), "a known HP", name, remedy))
            continue
        distribution, entry_faults = space.read(name, entry)
        faults += [file.below((*path, name), fault) for fault in entry_faults]
        if distribution is not None:
            distributions[name] = distribution
    return distributions, faults


def nearest(word: object, known_words: Iterable[object]) -> str:
    """' (did you mean …?)' where a known word is similar, else nothing."""
    similar = difflib.get_close_matches(str(word), [str(k) for k in known_words], n=1, cutoff=0.6)
    return f" (did you mean '{similar[0]}'?)" if similar else ""


def _long_form(name: str, value: Any) -> Any:
    """A section in its long form: one given by its name alone; a method in our words."""
    if name == "method" and isinstance(value, str):
        return wandb.METHODS.get(value, value)
    if name == "trial" and isinstance(value, str):
        return {"run": value}
    if name == "transfer" and isinstance(value, dict) and isinstance(value.get("rule"), str):
        rule = value["rule"]
        return {**value, "rule": None if rule == "none" else {"kind": rule}}
    if name == "train" and isinstance(value, dict) and isinstance(value.get("optimizer"), str):
        return {**value, "optimizer": {"name": value["optimizer"]}}
    return value


def _with_absolute_paths(data: DataConfig, file: YamlFile) -> DataConfig:
    """The data section with relative paths made absolute, from the folder of the spec."""
    folder = Path(file.name).absolute().parent
    absolute: dict[str, Any] = {}
    for name in data.paths:
        given = getattr(data, name)
        if given is not None and not is_name(name, given):
            absolute[name] = str(folder / Path(given).expanduser())
    return dataclasses.replace(data, **absolute)


def _pydantic_fault(
    file: YamlFile, section: YamlPath, kind: Any, error: dict[str, Any]
) -> SpecFault:
    path = (*section, *(part for part in error["loc"] if isinstance(part, str | int)))
    while path not in file.marks and len(path) > len(section) + 1 and error["type"] != "missing":
        path = path[:-1]  # pydantic inserts names of union members
    if error["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        keys = [f.name for f in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []
        hint = nearest(path[-1], keys) or f"; known here: {', '.join(keys)}"
        return file.fault(path, "a known key", path[-1], f"remove it{hint}")
    if error["type"] in ("missing", "missing_argument"):
        return file.fault(path[:-1], f"`{path[-1]}` is given", "nothing", f"add `{path[-1]}: …`")
    rule = error["msg"].replace("Input should be", "is").removeprefix("is ")
    return file.fault(path, f"`{path[-1]}`: {rule}", error["input"], "correct the value")
