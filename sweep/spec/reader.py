"""`sweeps.yaml` as validated studies, or all of its faults together."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mutransfer.proxies import user_code
from mutransfer.proxies.config.recorded import Recorded
from mutransfer.sweep.errors import SpecError, SpecFault, UserError
from mutransfer.sweep.spec import rules, wandb
from mutransfer.sweep.spec.section_reader import (
    OPTIONAL,
    SECTIONS,
    nearest,
    read_parameters,
    read_section,
)
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.spec.yaml_file import YamlFile, YamlPath, load

KEYS = ("parameters", *SECTIONS)
TOP_KEYS = ("version", "studies")
MAX_NAME_LENGTH = 80  # it names the run directory


def read(
    path: str | Path, names: tuple[str, ...] = (), *, with_data: bool = True
) -> dict[str, Study]:
    """The studies of the spec at ``path``, validated.

    Args:
        path: A YAML file with `version: 1` and `studies:`.
        names: Only these studies; all where empty.
        with_data: Whether to open the data. Without it a user's own model, which is built on a
            batch, is not built either.

    Raises:
        UserError: the file cannot be read, or has no study of that name.
        SpecError: faults, all of them, each with file, line, path, rule, found and remedy.
    """
    return read_file(load(Path(path)), names, with_data=with_data)


def read_file(
    file: YamlFile, names: tuple[str, ...] = (), *, with_data: bool = True
) -> dict[str, Study]:
    """As ``read``, but from a parsed file."""
    faults = _top_faults(file)
    imports = (str(Path(file.name).absolute().parent), str(Path.cwd()))
    entries = _entries(file)
    for name in names:
        _require_name(file, name)
    studies: dict[str, Study] = {}
    for name in names or tuple(entries):
        study, study_faults = _study(
            file, name, entries[name], imports=imports, with_data=with_data
        )
        faults += study_faults
        if study is not None:
            studies[name] = study
    if not faults:
        faults = [f for study in studies.values() for f in _faults_of_code(file, study, with_data)]
    if faults:
        raise SpecError(faults)
    return studies


def _faults_of_code(file: YamlFile, study: Study, with_data: bool) -> list[SpecFault]:
    """The faults of the user's own code, which is imported once all else in the spec is right."""
    if not study.code_names:
        return []
    user_code.allow(study.code_names, study.imports)
    of_data = (*rules.DATA_RULES, *rules.MODEL_RULES) if with_data else ()
    code_faults = rules.faults(vars(study), (*of_data, *rules.CODE_RULES))
    return [file.below(("studies", study.name), fault) for fault in code_faults]


def require_name(path: str | Path, name: str) -> None:
    """Return where the spec at ``path`` has a study of that name; the study is not looked at.

    Raises:
        UserError: the file cannot be read, or has no such study.
    """
    _require_name(load(Path(path)), name)


def _require_name(file: YamlFile, name: str) -> None:
    if name not in (entries := _entries(file)):
        study_names = ", ".join(map(str, entries)) or "none"
        hint = nearest(name, entries)
        raise UserError(f"{file.name}: no study '{name}'{hint}; studies here: {study_names}")


def _entries(file: YamlFile) -> dict[Any, Any]:
    entries = file.data.get("studies")
    return entries if isinstance(entries, dict) else {}


def from_resolved(plain: Mapping[str, Any], recorded: Recorded | None = None) -> Study:
    """The study whose ``Study.resolved`` is ``plain``, as the run directory stores it.

    Its data, code and loggers are not looked at: the data may be gone since the study began, and
    the run directory may be a stranger's. So such a study opens and imports nothing that it names,
    and facts that follow from them come from ``recorded``.

    Args:
        plain: The resolved study.
        recorded: What the run directory records of its data and code.

    Raises:
        SpecError: the stored study is not valid under today's rules.
    """
    entry = {k: v for k, v in plain.items() if k not in ("name", "imports") and v is not None}
    entry["parameters"] = {
        name: {key: value for key, value in distribution.items() if value is not None}
        for name, distribution in plain["parameters"].items()
    }
    target = plain.get("target")
    # A resolved study has every key; before there were stars it lacked this one.
    if isinstance(target, Mapping) and "check" not in target:
        entry["target"] = {**target, "check": "slices"}
    file = YamlFile(name="run directory's spec", data={}, marks={})
    imports = tuple(plain.get("imports", ()))
    study, faults = _study(file, str(plain["name"]), entry, imports=imports, is_recorded=True)
    if study is None:
        raise SpecError(faults)
    return dataclasses.replace(study, recorded=recorded)


def _top_faults(file: YamlFile) -> list[SpecFault]:
    if wandb.is_sweep(file.data):
        rule, remedy = "studies stand below `studies:`", "write `version: 1`, then"
        remedy += " `studies: {NAME: …}` with what is here as the study NAME"
        return [file.fault((), rule, "`parameters` at the top, as in W&B", remedy)]
    faults = []
    for key in file.data:
        if key not in TOP_KEYS:
            rule = "top-level keys are `version` and `studies`"
            faults.append(file.fault((key,), rule, key, f"remove it{nearest(key, TOP_KEYS)}"))
    if file.data.get("version") != 1 or isinstance(file.data.get("version"), bool):
        got = file.data.get("version", "no version")
        faults.append(file.fault(("version",), "`version: 1`", got, "write `version: 1`"))
    studies = file.data.get("studies")
    if not (isinstance(studies, dict) and studies):
        got = studies if studies is not None else "no studies"
        remedy = "add `studies:` with one entry per study"
        faults.append(file.fault(("studies",), "a mapping of at least one study", got, remedy))
    return faults


def _study(
    file: YamlFile,
    name: Any,
    entry: Any,
    *,
    imports: tuple[str, ...],
    is_recorded: bool = False,
    with_data: bool = True,
) -> tuple[Study | None, list[SpecFault]]:
    """The study, or None and all its faults but those of the user's own code.

    Of a recorded study the rules that depend on this machine, its data and loggers, do not run.
    """
    path: YamlPath = ("studies", name)
    faults = _name_faults(file, path, name)
    if not isinstance(entry, dict):
        rule, remedy = "a study is a mapping", f"give it the keys {', '.join(KEYS)}"
        return None, [*faults, file.fault(path, rule, entry, remedy)]
    faults += [
        file.fault((*path, key), "a known key", key, _instead_of(key))
        for key in entry
        if key not in KEYS
    ]
    valid, section_faults = _sections(file, path, entry)
    is_own = bool(valid.get("trial")) or any(
        "build" in vars(valid.get(key, file)) for key in ("model", "data")
    )
    if is_own:
        valid["imports"] = tuple(dict.fromkeys(imports))
    checked = {key: s for key, s in valid.items() if not (is_recorded and key == "loggers")}
    opens_data = with_data and not is_own and not is_recorded
    of_rules = (*rules.RULES, *rules.DATA_RULES) if opens_data else rules.RULES
    rule_faults = rules.faults(checked, of_rules)
    faults += section_faults + [file.below(path, fault) for fault in rule_faults]
    return (None, faults) if faults else (Study(name=name, **valid), [])


def _instead_of(key: Any) -> str:
    """What to do about an unknown key of a study."""
    return wandb.SWEEP_KEYS.get(key) or f"remove it{nearest(key, KEYS)}"


def _name_faults(file: YamlFile, path: YamlPath, name: Any) -> list[SpecFault]:
    is_text = isinstance(name, str) and name.strip(".") and len(name) <= MAX_NAME_LENGTH
    if is_text and all(letter.isalnum() or letter in "-_." for letter in name):
        return []
    rule = f"a study's name, which names its run directory, is at most {MAX_NAME_LENGTH} letters, "
    rule += "digits, '-', '_' and '.'"
    return [file.fault(path, rule, name, "rename the study")]


def _sections(
    file: YamlFile, path: YamlPath, entry: dict[Any, Any]
) -> tuple[dict[str, Any], list[SpecFault]]:
    """The valid sections of a study by name, and the faults of the others."""
    valid: dict[str, Any] = {}
    faults: list[SpecFault] = []
    for key in SECTIONS:
        if key not in entry and key not in OPTIONAL:
            faults.append(file.fault(path, f"`{key}` is given", "nothing", f"add `{key}: …`"))
            continue
        value = entry.get(key, OPTIONAL.get(key))
        section, section_faults = read_section(file, (*path, key), value)
        faults += section_faults
        if not section_faults:
            valid[key] = section
    parameters, parameter_faults = read_parameters(
        file, (*path, "parameters"), entry.get("parameters")
    )
    if not parameter_faults:
        valid["parameters"] = parameters
    return valid, faults + parameter_faults
