"""A run directory belongs to one study: its resolved spec, versions, commit and history.

A run directory may be a stranger's. Its study comes with the facts that the run directory records
of its data and code, and neither is opened or imported.

Trials that are added once a verdict could have been seen count as another interim analysis of it.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mutransfer.proxies import data
from mutransfer.proxies.config.recorded import Recorded
from mutransfer.proxies.training.record import record
from mutransfer.sweep.errors import SpecError, UserError
from mutransfer.sweep.plan import estimate, settle
from mutransfer.sweep.plan.decisions import TRANSFERRED
from mutransfer.sweep.spec import Study, from_resolved, read, require_name
from mutransfer.sweep.store import code, older, study_file
from mutransfer.sweep.store.changes import (
    ADD_TO_VERDICT,
    MAY_BE_ADDED,
    MAY_GROW,
    Change,
    changes,
)
from mutransfer.sweep.store.checksums import digest, seal
from mutransfer.sweep.store.store import STUDY_FILE, Store
from mutransfer.sweep.store.study_file import provenance, reference_runs

__all__ = ["STUDY_FILE", "claim", "find", "find_run", "find_to_train", "provenance",
           "reference_runs"]  # fmt: skip


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
    if "/" not in name:
        store = Store(f"{runs.rstrip('/')}/{name}")
        if store.exists(STUDY_FILE):
            return _study_of(store), store
    if (named := _run_directory(name)) is not None:
        return _study_of(named), named
    require_name(spec, name)
    raise UserError(
        f"{runs.rstrip('/')}/{name}: nothing was run yet; start with `mutransfer run {name}`"
    )


def _study_of(store: Store) -> Study:
    """The study of a run directory, with the facts that are recorded there.

    Raises:
        UserError: study.json is damaged.
        SpecError: its study is not valid under today's rules.
    """
    content = study_file.read(store)
    plain, facts = content.get("spec"), content.get("recorded", {})
    if not isinstance(plain, dict) or not isinstance(facts, dict):
        raise UserError(f"{store.path(STUDY_FILE)}: has no study; restore the file")
    try:
        recorded = study_file.RECORDED.validate_python(
            {**facts, "fingerprint": content.get("data")}
        )
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
        The allowed changes of the spec and the code, now recorded in the run directory.

    Raises:
        UserError: the directory belongs to another spec or to another code; the message has every
            key that differs, or the files that changed.
    """
    if not store.exists(STUDY_FILE):
        if store.trial_ids() or store.names("decisions", ".json"):
            raise UserError(
                f"{store.root}: has results but no {STUDY_FILE}; move it away or restore that file"
            )
        study_file.write(store, study, _facts(study))
        return []
    recorded = study_file.read(store)
    study = code.named_by_run_directory(store, study, same_code=study.code is not None)
    facts = _facts(study, study_file.known_facts(recorded))
    differences = _differences(store, study, recorded, facts)
    differences += _declared_same(recorded, study, facts)
    if differences:
        _count_interim_analysis(store, differences)
    if differences or recorded.get("format") == 1:
        entry = {"at": study_file.now(), "changed": [vars(change) for change in differences]}
        older.seal(store, seal(study.resolved()))
        study_file.write(
            store, study, facts, earlier=recorded, entry=entry if differences else None
        )
    elif recorded.get("recorded") != study_file.plain_of(facts):  # older than these facts
        study_file.replace(store, recorded | {"recorded": study_file.plain_of(facts)})
    return differences


def _differences(
    store: Store, study: Study, recorded: Mapping[str, Any], facts: Recorded
) -> list[Change]:
    """The allowed changes of the spec. Raises UserError where there are others."""
    differences = list(changes(_with_defaults(recorded.get("spec", {})), study.resolved()))
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
    return differences


def _declared_same(recorded: dict[str, Any], study: Study, facts: Recorded) -> list[Change]:
    """The change of the user's own code that they declared harmless, noted in ``recorded``."""
    earlier = study_file.known_facts(recorded)
    if earlier is None or earlier.code_files is None or facts.code_files is None:
        return []  # an earlier version recorded no files
    was, now = dict(earlier.code_files), dict(facts.code_files)
    accepted = recorded.get("same_code", [])
    if was == now or digest(now) in accepted:
        return []
    recorded["same_code"] = [*accepted, digest(was), digest(now)]
    path = f"code declared the same ({code.changed_text(was, now)})"
    return [Change(path=path, was=digest(was), now=digest(now), allowed=True)]


def write_again(store: Store, study: Study) -> None:
    """Write a lost or damaged study.json from the user's spec."""
    entry = {"at": study_file.now(), "changed": [], "text": "written again after damage"}
    study_file.write(store, study, _facts(study), entry=entry)


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


def _facts(study: Study, earlier: Recorded | None = None) -> Recorded:
    """The facts of a study's data and code that the commands on its run directory need."""
    base, production = study.model.base_width, study.production
    return record(
        estimate.typical(study, study.search_at),
        trained_widths=study.axis_values if study.axis == "width" else (study.search.width,),
        other_widths=(base, 2 * base, *([production.width] if production else [])),
        earlier=earlier,
    )
