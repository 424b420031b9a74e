"""The spec: `sweeps.yaml` as typed, validated studies.

Defaults stand in ``sweep.sections`` and ``proxies.config``; this file reads them.
"""

import dataclasses
import difflib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge
from pydantic import TypeAdapter, ValidationError

from mutransfer.proxies import config as pc
from mutransfer.proxies import user_code
from mutransfer.proxies.config.data import DATA_CONFIGS, is_name
from mutransfer.proxies.config.model import MODEL_CONFIGS
from mutransfer.sweep.errors import Fault, SpecError, UserError
from mutransfer.sweep.spec import rules, space
from mutransfer.sweep.spec.sections import (
    Convergence,
    CoordCheck,
    Logger,
    Method,
    Metric,
    Production,
    Resources,
    Search,
    Target,
    Transfer,
    search_at,
)
from mutransfer.sweep.spec.yaml_file import Path_, YamlFile, load
from mutransfer.words import HP_NAMES, Axis


@dataclass(frozen=True, kw_only=True)
class Study:
    """One entry of `studies:`, complete with defaults."""

    name: str
    model: Any  # one of proxies.config.MODEL_CONFIGS
    data: pc.DataConfig
    objective: pc.ObjectiveConfig
    train: pc.TrainConfig
    metric: Metric
    method: Method
    parameters: Mapping[str, space.Distribution]
    search: Search
    transfer: Transfer
    target: Target
    resources: Resources
    coordcheck: CoordCheck
    seed: int
    production: Production | None = None
    convergence: Convergence | None = None
    loggers: tuple[Logger, ...] | None = None  # viewers that finished trials are written to
    trial: pc.TrainerConfig | None = None
    imports: tuple[str, ...] = ()  # folders that the user's own code is imported from

    @property
    def control_parameters(self) -> tuple[str, ...]:
        """The HPs that are sliced in the control's arm as well."""
        if self.transfer.control == "none":
            return ()
        chosen = self.transfer.control_parameters
        return self.transfer.parameters if chosen is None else chosen

    @property
    def axis(self) -> Axis:
        """The axis along which transfer is asked about."""
        return self.transfer.axis

    @property
    def search_at(self) -> int:
        """Where on the axis the search is, which is where base HPs are written."""
        return search_at(self.axis, model=self.model, train=self.train, search=self.search)

    @property
    def target_at(self) -> int:
        """Where on the axis the check is."""
        axis_value: int = getattr(self.target, self.axis)
        return axis_value

    @property
    def axis_values(self) -> tuple[int, ...]:
        """Every place at which trials are asked for, ascending."""
        return tuple(sorted({*self.transfer.axis_values, self.search_at, self.target_at}))

    @property
    def references(self) -> tuple[str, ...]:
        """The user's own functions, as `package.module:function`."""
        references = [(self.model, "build"), (self.model, "loss"), (self.data, "build")]
        references += [(self.trial, "run")]
        found = (getattr(part, key, None) for part, key in references)
        return tuple(reference for reference in found if reference)

    def limits_log2(self, hp: str) -> tuple[float, float]:
        """log2 of the hard limits of ``hp``; infinite where none is declared."""
        found = self.parameters[hp]
        low, high = getattr(found, "hard_min", None), getattr(found, "hard_max", None)
        return (math.log2(low) if low else -math.inf, math.log2(high) if high else math.inf)

    def resolved(self) -> dict[str, Any]:
        """The whole study as plain data, defaults included."""
        plain = dataclasses.asdict(dataclasses.replace(self, parameters={}))
        plain["parameters"] = {
            name: {"distribution": _kind_name(found), **dataclasses.asdict(found)}
            for name, found in self.parameters.items()
        }
        return json.loads(json.dumps(plain))


# Sections of several kinds, and the key that tells them apart.
KINDS: dict[str, tuple[str, Mapping[str, Any]]] = {
    "model": ("family", MODEL_CONFIGS),
    "data": ("source", DATA_CONFIGS),
}
SECTIONS: dict[str, Any] = {
    "model": None,  # by KINDS
    "data": None,
    "objective": pc.ObjectiveConfig,
    "train": pc.TrainConfig,
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
    "loggers": tuple[Logger, ...] | None,
    "trial": pc.TrainerConfig | None,
}
OPTIONAL: dict[str, Any] = {  # a section that may be left out, and what stands for it then
    "objective": {},
    "metric": {},
    "method": "tpe",
    "resources": {},
    "coordcheck": {},
    "seed": 0,
    "production": None,
    "convergence": None,
    "loggers": None,
    "trial": None,
}
KEYS = ("parameters", *SECTIONS)


def read(path: Path, names: tuple[str, ...] = ()) -> dict[str, Study]:
    """The studies of the spec at ``path``, validated.

    Args:
        path: A YAML file with `version: 1` and `studies:`.
        names: Only these studies; all where empty.

    Raises:
        UserError: the file cannot be read, or has no study of that name.
        SpecError: faults, all of them, each with file, line, path, rule, found and remedy.
    """
    return read_file(load(path), names)


def read_file(file: YamlFile, names: tuple[str, ...] = ()) -> dict[str, Study]:
    """As ``read``, of a parsed file."""
    faults = _top_faults(file)
    studies = file.data.get("studies")
    studies = studies if isinstance(studies, dict) else {}
    for name in names:
        if name not in studies:
            known = ", ".join(map(str, studies)) or "none"
            near = _nearest(name, studies)
            raise UserError(f"{file.name}: no study '{name}'{near}; studies here: {known}")
    found: dict[str, Study] = {}
    for name in names or tuple(studies):
        folders = (str(Path(file.name).absolute().parent), str(Path.cwd()))
        study, study_faults = _study(file, name, studies[name], imports=folders)
        faults += study_faults
        if study is not None:
            found[name] = study
    if faults:
        raise SpecError(faults)
    return found


def from_resolved(plain: Mapping[str, Any]) -> Study:
    """The study that ``Study.resolved`` wrote down. Raises SpecError where it no longer fits.

    Its data, which were looked at when the study began, may be gone by now: a result can still be
    analyzed.
    """
    data = {k: v for k, v in plain.items() if k not in ("name", "imports") and v is not None}
    data["parameters"] = {
        name: {key: value for key, value in entry.items() if value is not None}
        for name, entry in plain["parameters"].items()
    }
    file = YamlFile(name="run directory's spec", data={}, marks={})
    imports = tuple(plain.get("imports", ()))
    study, faults = _study(file, str(plain["name"]), data, imports=imports, look_at_data=False)
    if study is None:
        raise SpecError(faults)
    return study


def _top_faults(file: YamlFile) -> list[Fault]:
    faults = []
    for key in file.data:
        if key not in ("version", "studies"):
            near = _nearest(key, ("version", "studies"))
            faults.append(
                file.fault(
                    (key,), "top-level keys are `version` and `studies`", key, f"remove{near}"
                )
            )
    if file.data.get("version") != 1 or isinstance(file.data.get("version"), bool):
        got = file.data.get("version", "no version")
        faults.append(file.fault(("version",), "`version: 1`", got, "write `version: 1`"))
    studies = file.data.get("studies")
    if not (isinstance(studies, dict) and studies):
        got = studies if studies is not None else "no studies"
        remedy = "add `studies:` with one entry a study"
        faults.append(file.fault(("studies",), "a mapping of at least one study", got, remedy))
    return faults


def _study(
    file: YamlFile, name: Any, data: Any, *, imports: tuple[str, ...], look_at_data: bool = True
) -> tuple[Study | None, list[Fault]]:
    """The study, or None with all its faults."""
    at: Path_ = ("studies", name)
    faults = _name_faults(file, at, name)
    if not isinstance(data, dict):
        rule, remedy = "a study is a mapping", f"give it the keys {', '.join(KEYS)}"
        return None, [*faults, file.fault(at, rule, data, remedy)]
    faults += [
        file.fault((*at, key), "a known key", key, f"remove it{_nearest(key, KEYS)}")
        for key in data
        if key not in KEYS
    ]
    valid: dict[str, Any] = {}
    for key, kind in SECTIONS.items():
        if key not in data and key not in OPTIONAL:
            faults.append(file.fault(at, f"`{key}` is given", "nothing", f"add `{key}: …`"))
            continue
        value, section_faults = _section(file, (*at, key), kind, data.get(key, OPTIONAL.get(key)))
        faults += section_faults
        if not section_faults:
            valid[key] = value
    parameters, space_faults = _parameters(file, (*at, "parameters"), data.get("parameters"))
    faults += space_faults
    if not space_faults:
        valid["parameters"] = parameters
    if valid.get("trial") or "build" in {
        *vars(valid.get("model", file)),
        *vars(valid.get("data", file)),
    }:
        valid["imports"] = tuple(dict.fromkeys(imports))
        user_code.add_paths(imports)
    about_here = ("data", "loggers")  # rules that depend on the machine
    looked_at = {k: v for k, v in valid.items() if look_at_data or k not in about_here}
    for path, rule, got, remedy in rules.faults(looked_at):
        faults.append(file.fault((*at, *path), rule, got, remedy))
    return (None, faults) if faults else (Study(name=name, **valid), [])


def _name_faults(file: YamlFile, at: Path_, name: Any) -> list[Fault]:
    plain = isinstance(name, str) and name.strip(".") and name.replace("-", "a").replace("_", "a")
    if plain and plain.replace(".", "a").isalnum() and len(name) <= 80:
        return []
    rule = "a study's name is letters, digits, '-', '_' and '.' (it names the run directory)"
    return [file.fault(at, rule, name, "rename the study")]


def _section(file: YamlFile, at: Path_, kind: Any, value: Any) -> tuple[Any, list[Fault]]:
    section = str(at[-1])
    if section == "trial" and isinstance(value, str):
        value = {"run": value}
    if section == "transfer" and isinstance(value, dict):
        value = _with_rule(value)
    if section in KINDS:
        tag, kinds = KINDS[section]
        named = value.get(tag) if isinstance(value, dict) else None
        if not isinstance(named, str) or named not in kinds:
            got = f"no {tag}" if named is None else named
            rule = f"{section}.{tag} is one of {', '.join(kinds)}"
            near = _nearest(named, kinds)
            return None, [file.fault((*at, tag), rule, got, f"choose a known {tag}{near}")]
        kind = kinds[named]
    try:
        text = json.dumps(value)
    except TypeError:
        return None, [file.fault(at, "plain numbers, texts, lists", str(value), "remove dates")]
    try:
        found = TypeAdapter(kind).validate_json(text, strict=True)
        return (_located(found, file) if section == "data" else found), []
    except ValidationError as error:
        return None, [_pydantic_fault(file, at, kind, dict(e)) for e in error.errors()]


def _with_rule(transfer: dict[Any, Any]) -> dict[Any, Any]:
    """The section with a rule given by its name, or as `none`, as a mapping or null."""
    rule = transfer.get("rule")
    if not isinstance(rule, str):
        return transfer
    return {**transfer, "rule": None if rule == "none" else {"kind": rule}}


def _located(data: Any, file: YamlFile) -> Any:
    """The data section with its relative paths taken from the folder of the spec."""
    folder = Path(file.name).absolute().parent
    found = {}
    for name in data.paths:
        given = getattr(data, name)
        if given is not None and not is_name(name, given):
            found[name] = str(folder / Path(given).expanduser())
    return dataclasses.replace(data, **found)


def _pydantic_fault(file: YamlFile, at: Path_, kind: Any, error: dict[str, Any]) -> Fault:
    path = (*at, *(part for part in error["loc"] if isinstance(part, str | int)))
    while path not in file.marks and len(path) > len(at) + 1 and error["type"] != "missing":
        path = path[:-1]  # pydantic adds the names of union members
    if error["type"] in ("unexpected_keyword_argument", "extra_forbidden"):
        known = [f.name for f in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []
        near = _nearest(path[-1], known) or f"; known here: {', '.join(known)}"
        return file.fault(path, "a known key", path[-1], f"remove it{near}")
    if error["type"] in ("missing", "missing_argument"):
        return file.fault(path[:-1], f"`{path[-1]}` is given", "nothing", f"add `{path[-1]}: …`")
    rule = error["msg"].replace("Input should be", "is").removeprefix("is ")
    return file.fault(path, f"`{path[-1]}`: {rule}", error["input"], "correct the value")


def _parameters(file: YamlFile, at: Path_, data: Any) -> tuple[dict[str, Any], list[Fault]]:
    if not isinstance(data, dict) or not data:
        example = "lr: {distribution: log_uniform_values, min: 2^-12, max: 2^-3}"
        got = "nothing" if data is None else data
        rule = "`parameters` maps at least `lr` to a distribution"
        return {}, [file.fault(at, rule, got, f"add `{example}`")]
    found, faults = {}, []
    for name, entry in data.items():
        if name not in HP_NAMES:
            near = _nearest(name, HP_NAMES) or f"; known: {', '.join(HP_NAMES)}"
            faults.append(file.fault((*at, name), "a known HP", name, f"remove it{near}"))
            continue
        distribution, space_faults = space.read(name, entry)
        for fault in space_faults:
            path = (*at, name) if fault.key is None else (*at, name, fault.key)
            faults.append(file.fault(path, fault.rule, fault.got, fault.remedy))
        if distribution is not None:
            found[name] = distribution
    return found, faults


def _nearest(word: Any, known: Any) -> str:
    """' (did you mean …?)' where some known word is near."""
    near = difflib.get_close_matches(str(word), [str(k) for k in known], n=1, cutoff=0.6)
    return f" (did you mean '{near[0]}'?)" if near else ""


def _kind_name(distribution: space.Distribution) -> str:
    return next(name for name, kind in space.KINDS.items() if isinstance(distribution, kind))
