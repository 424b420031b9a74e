"""A run directory belongs to one study: its resolved spec, versions, commit and history.

A run directory may be a stranger's. Its study comes with the facts that the run directory records
of its data and code, and neither is opened or imported.

Trials that are added once a verdict could have been seen count as another interim analysis of it.
"""

import dataclasses
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mutransfer.analysis.verdict.cost import ReferenceRuns
from mutransfer.proxies import data
from mutransfer.proxies.config.recorded import Recorded
from mutransfer.proxies.training.record import record
from mutransfer.sweep.errors import SpecError, UserError
from mutransfer.sweep.plan import estimate, settle
from mutransfer.sweep.plan.decisions import TRANSFERRED
from mutransfer.sweep.spec import Study, from_resolved, read, require_name
from mutransfer.sweep.store.changes import (
    ADD_TO_VERDICT,
    MAY_BE_ADDED,
    MAY_GROW,
    Change,
    changes,
)
from mutransfer.sweep.store.provenance import commit, versions
from mutransfer.sweep.store.store import Store

STUDY_FILE = "study.json"
RECORDED = TypeAdapter(Recorded)


def find(name: str, spec: Path, runs: str) -> tuple[Study, Store]:
    """The study and its run directory, from a study's name or a run directory's path.

    A name is looked up in the spec; its run directory is ``runs``/name.

    Raises:
        UserError: neither a run directory nor a study of the spec.
    """
    if (named := _run_directory(name)) is not None:
        return _study_of(named), named
    study = read(spec, (name,))[name]
    return study, Store(f"{runs.rstrip('/')}/{name}")


def find_to_train(name: str, spec: Path, runs: str) -> tuple[Study, Store]:
    """As ``find``, for a study whose data are opened and whose models are trained.

    A word that is a study of the spec as well as a run directory that names code is the study.

    Raises:
        UserError: a run directory that names code, which may be a stranger's; or as ``find``.
    """
    study, store = find(name, spec, runs)
    if study.recorded is not None and study.code_names:
        if "/" not in name and spec.exists():
            return read(spec, (name,))[name], Store(f"{runs.rstrip('/')}/{name}")
        names = ", ".join(dict.fromkeys(study.code_names))
        raise UserError(
            f"{name}: code that a run directory names is not executed, for it may be a stranger's; "
            f"it names {names}; if the code is yours, name the study and your spec: "
            f"`mutransfer run {study.name} --spec FILE --runs {Path(store.root).parent}`"
        )
    return dataclasses.replace(study, recorded=None), store


def _run_directory(name: str) -> Store | None:
    """The run directory at a path; None where the argument is a study's name."""
    named = Store(name) if name else None
    if named is not None and named.exists(STUDY_FILE):
        return named
    if "://" in name or (name and Path(name).is_dir() and "/" in name):
        raise UserError(f"{name}: no {STUDY_FILE} there, so it is no run directory")
    return None


def find_run(name: str, spec: Path, runs: str) -> tuple[Study, Store]:
    """As ``find``, for a study that was started; its spec is the one in the run directory.

    Raises:
        UserError: nothing was run yet, or as ``find``.
    """
    store = Store(f"{runs.rstrip('/')}/{name}")
    if "/" not in name and store.exists(STUDY_FILE):
        return _study_of(store), store
    if (named := _run_directory(name)) is not None:
        return _study_of(named), named
    require_name(spec, name)
    raise UserError(f"{store.root}: nothing was run yet; start with `mutransfer run {name}`")


def _study_of(store: Store) -> Study:
    """The study of a run directory, with the facts that are recorded there.

    Raises:
        UserError: study.json is damaged.
        SpecError: its study is not valid under today's rules.
    """
    content = store.read_json(STUDY_FILE)
    plain, facts = content.get("spec"), content.get("recorded", {})
    if not isinstance(plain, dict) or not isinstance(facts, dict):
        raise UserError(f"{store.path(STUDY_FILE)}: has no study; restore the file")
    try:
        recorded = RECORDED.validate_python({**facts, "fingerprint": content.get("data")})
        study = from_resolved(plain, recorded)
    except (ValidationError, KeyError, TypeError, AttributeError, ArithmeticError) as error:
        text = " ".join(str(error).split())[:300]
        raise UserError(
            f"{store.path(STUDY_FILE)}: is damaged ({text}); restore the file"
        ) from None
    if recorded.info is None:
        recorded = dataclasses.replace(recorded, info=data.declared_info(study.data))
    return dataclasses.replace(study, recorded=recorded)


def claim(store: Store, study: Study) -> list[Change]:
    """Claim the run directory for the study, or check that it is the study's.

    Returns:
        The allowed changes of the spec, now recorded in the run directory.

    Raises:
        UserError: the directory belongs to another spec; the message has every key that differs.
    """
    if not store.exists(STUDY_FILE):
        if store.names("trials", ".parquet") or store.names("decisions", ".json"):
            raise UserError(
                f"{store.root}: has results but no {STUDY_FILE}; move it away or restore that file"
            )
        _write(store, study, _facts(study), [])
        return []
    recorded = store.read_json(STUDY_FILE)
    differences = list(changes(_with_defaults(recorded.get("spec", {})), study.resolved()))
    facts = _facts(study, _known(recorded))
    was, now = recorded.get("data"), facts.fingerprint
    if was != now:
        content = "the content of the data"
        differences.append(Change(path=content, was=was, now=now, allowed=False))
    refused = [change for change in differences if not change.allowed]
    if refused:
        raise UserError(
            f"{store.root}: belongs to another spec of '{study.name}':\n"
            + "\n".join(f"    {change}" for change in refused)
            + "\nRestore these keys, or give the changed study another name or another --runs."
            f"\n(May change later: resources; may grow: {', '.join(MAY_GROW)}; "
            f"may be added: {', '.join(MAY_BE_ADDED)}.)"
        )
    differences += _changed_code(recorded, facts)
    if differences:
        _count_interim_analysis(store, differences)
        entry = {"at": _now(), "changed": [vars(change) for change in differences]}
        _write(store, study, facts, [*recorded.get("history", []), entry])
    elif recorded.get("recorded") != _plain(facts):  # older than these facts
        completed = recorded | {"recorded": _plain(facts)}
        store.write(json.dumps(completed, indent=1).encode(), STUDY_FILE)
    return differences


def _changed_code(recorded: Mapping[str, Any], facts: Recorded) -> list[Change]:
    """The change of the user's own code since the study began, under which trials run again."""
    earlier = _known(recorded)
    was = earlier.code if earlier else None
    if was is None or was == facts.code:
        return []
    return [Change(path="the study's own code", was=was, now=facts.code, allowed=True)]


def _with_defaults(spec: dict[str, Any]) -> dict[str, Any]:
    """A stored spec, with the defaults of keys that are newer than it."""
    try:
        return from_resolved(spec).resolved()
    except (SpecError, KeyError):
        return spec


def _count_interim_analysis(store: Store, differences: list[Change]) -> None:
    """Record a further interim analysis where trials are added after a verdict could be seen."""
    decisions = store.decisions()
    grown = [str(change) for change in differences if change.path in ADD_TO_VERDICT]
    if grown and TRANSFERRED in decisions:
        content = {"rests_on": "the spec has grown", "grown": grown, "trials": []}
        store.decide(settle.next_name(decisions), content)


def _known(content: Mapping[str, Any]) -> Recorded | None:
    """The facts in a run directory; None where there are none, or they are damaged."""
    try:
        return RECORDED.validate_python(content.get("recorded"))
    except ValidationError:
        return None


def _facts(study: Study, earlier: Recorded | None = None) -> Recorded:
    """The facts of a study's data and code that the commands on its run directory need."""
    base, production = study.model.base_width, study.production
    return record(
        estimate.typical(study, study.search_at),
        trained_widths=study.axis_values if study.axis == "width" else (study.search.width,),
        other_widths=(base, 2 * base, *([production.width] if production else [])),
        earlier=earlier,
    )


def _plain(facts: Recorded) -> dict[str, Any]:
    """The facts as JSON data, without the fingerprint, which has its own key."""
    plain: dict[str, Any] = RECORDED.dump_python(facts, mode="json", exclude={"fingerprint"})
    return plain


def _write(store: Store, study: Study, facts: Recorded, history: list[dict[str, Any]]) -> None:
    content = {
        "format": 1,
        "written_at": _now(),
        "versions": versions(),
        "commit": commit(),
        "history": history,
        "data": facts.fingerprint,
        "recorded": _plain(facts),
        "target_flops": estimate.target_flops(study),
        "production_flops": estimate.production_flops(study),
        "spec": study.resolved(),
    }
    store.write(json.dumps(content, indent=1).encode(), STUDY_FILE)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def provenance(store: Store) -> dict[str, Any]:
    """Everything that the run directory records beside the spec: versions, commit, history."""
    recorded = store.read_json(STUDY_FILE)
    return {key: value for key, value in recorded.items() if key not in ("spec", "recorded")}


def reference_runs(store: Store, study: Study) -> ReferenceRuns:
    """The runs that the cost is compared with, as recorded at the start: the data may be gone."""
    recorded = provenance(store) if store.exists(STUDY_FILE) else {}
    if recorded.get("target_flops") is None:
        return estimate.reference_runs(study)
    if "production_flops" in recorded:
        production_flops = _flops(store, recorded, "production_flops")
    else:  # by an earlier version; the user's own code is not run for a number
        production_flops = None if study.references else estimate.production_flops(study)
    return ReferenceRuns(
        target_flops=_flops(store, recorded, "target_flops"),
        production_flops=production_flops,
        n_searched=study.search.trials,
    )


def _flops(store: Store, recorded: dict[str, Any], key: str) -> float | None:
    """A recorded number of FLOPs; raises UserError where it is none."""
    flops = recorded[key]
    if flops is None or (type(flops) in (int, float) and 0 < flops < math.inf):
        return flops
    raise UserError(
        f"{store.path(STUDY_FILE)}: {key} must be a number above 0; got {flops!r}; restore the file"
    )
