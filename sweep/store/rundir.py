"""A run directory belongs to one study: its resolved spec, versions, commit and history.

Trials that are added once a verdict could have been seen count as another interim analysis of it.
"""

import json
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mutransfer.analysis.verdict.cost import ReferenceRuns
from mutransfer.proxies import data
from mutransfer.sweep.errors import SpecError, UserError
from mutransfer.sweep.plan import estimate, settle
from mutransfer.sweep.plan.decisions import TRANSFERRED
from mutransfer.sweep.spec import Study, from_resolved, read
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


def find(name: str, spec: Path, runs: str) -> tuple[Study, Store]:
    """The study and its run directory, from a study's name or a run directory's path.

    A name is looked up in the spec; its run directory is ``runs``/name.

    Raises:
        UserError: neither a run directory nor a study of the spec.
    """
    named = Store(name) if name else None
    if named is not None and named.exists(STUDY_FILE):
        return _study_of(named), named
    if "://" in name or (name and Path(name).is_dir() and "/" in name):
        raise UserError(f"{name}: no {STUDY_FILE} there, so it is no run directory")
    study = read(spec, (name,))[name]
    return study, Store(f"{runs.rstrip('/')}/{name}")


def find_run(name: str, spec: Path, runs: str) -> tuple[Study, Store]:
    """As ``find``, for a study that was started; its spec is the one in the run directory.

    Raises:
        UserError: nothing was run yet, or as ``find``.
    """
    store = Store(f"{runs.rstrip('/')}/{name}")
    if "/" not in name and store.exists(STUDY_FILE):
        return _study_of(store), store
    _, store = find(name, spec, runs)
    if not store.exists(STUDY_FILE):
        raise UserError(f"{store.root}: nothing was run yet; start with `mutransfer run {name}`")
    return _study_of(store), store


def _study_of(store: Store) -> Study:
    return from_resolved(store.read_json(STUDY_FILE)["spec"])


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
        _write(store, study, [])
        return []
    recorded = store.read_json(STUDY_FILE)
    differences = list(changes(_with_defaults(recorded.get("spec", {})), study.resolved()))
    was, now = recorded.get("data"), data.identity(study.data)["fingerprint"]
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
    if differences:
        _count_interim_analysis(store, differences)
        entry = {"at": _now(), "changed": [vars(change) for change in differences]}
        _write(store, study, [*recorded.get("history", []), entry])
    return differences


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


def _write(store: Store, study: Study, history: list[dict[str, Any]]) -> None:
    content = {
        "format": 1,
        "written_at": _now(),
        "versions": versions(),
        "commit": commit(),
        "history": history,
        "data": data.identity(study.data)["fingerprint"],
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
    return {key: value for key, value in recorded.items() if key != "spec"}


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
