"""A run directory belongs to one study: its resolved spec, versions and commit, and what changed.

A spec may not change under a run: a tolerance that is moved after looking at the result, or
another learning-rate range, would make another study. More seeds and more places only add
trials, so they may be asked for later; resources may change at will. Asked for once a verdict could
have been seen, they count as another look at it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mutransfer.proxies import data
from mutransfer.proxies.config.data import DATA_CONFIGS
from mutransfer.sweep.errors import SpecError, UserError
from mutransfer.sweep.plan import estimate, settle
from mutransfer.sweep.spec import sections
from mutransfer.sweep.spec.study import Study, from_resolved, read
from mutransfer.sweep.store import provenance as worker
from mutransfer.sweep.store.provenance import commit
from mutransfer.sweep.store.store import Store

FREE = ("resources.", "coordcheck", "production", "imports", "loggers")

# Where data lie may change; what they are is compared by content.
FREE_PATHS = tuple({f"data.{n}" for kind in DATA_CONFIGS.values() for n in kind.paths})

NOT_FREE = ("resources.gpus_per_trial", "resources.cpus_per_trial")  # device and threads: identity

LADDERS = tuple(f"transfer.{key}" for key in sections.LADDERS.values())

HAS_A_SAY = ("transfer.seeds", *LADDERS, "target.seeds", "transfer.max_extend")

MAY_GROW = (*HAS_A_SAY, "convergence.seeds")

# A section that adds trials and has no say in the verdict; what it said first stays.
MAY_COME = ("convergence",)

STUDY_FILE = "study.json"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One key that differs between the run directory and the spec."""

    path: str
    was: Any
    now: Any
    allowed: bool

    def __str__(self) -> str:
        return f"{self.path}: {json.dumps(self.was)} there, {json.dumps(self.now)} in the spec"


def find(name: str, spec: Path, runs: str) -> tuple[Study, Store]:
    """The study and its run directory, from a study's name or a run directory's path.

    A name is looked up in the spec; its run directory is ``runs``/name.

    Raises:
        UserError: neither a run directory nor a study of the spec.
    """
    at_name = Store(name) if name else None
    if at_name is not None and at_name.exists(STUDY_FILE):
        return from_resolved(at_name.read_json(STUDY_FILE)["spec"]), at_name
    if "://" in name or (name and Path(name).is_dir() and "/" in name):
        raise UserError(f"{name}: no {STUDY_FILE} there, so it is no run directory")
    study = read(spec, (name,))[name]
    return study, Store(f"{runs.rstrip('/')}/{name}")


def find_run(name: str, spec: Path, runs: str) -> tuple[Study, Store]:
    """As ``find``, of a study that was started; the study is as its run directory holds it.

    Raises:
        UserError: nothing was run yet, or as ``find``.
    """
    store = Store(f"{runs.rstrip('/')}/{name}")
    if "/" not in name and store.exists(STUDY_FILE):
        return from_resolved(store.read_json(STUDY_FILE)["spec"]), store
    _, store = find(name, spec, runs)
    if not store.exists(STUDY_FILE):
        raise UserError(f"{store.root}: nothing was run yet; start with `mutransfer run {name}`")
    return from_resolved(store.read_json(STUDY_FILE)["spec"]), store


def claim(store: Store, study: Study) -> list[Change]:
    """Make the run directory the study's, or check that it is; returns what was extended.

    Raises:
        UserError: the directory belongs to another spec, with every key that differs.
    """
    now = study.resolved()
    if not store.exists(STUDY_FILE):
        if store.names("trials", ".parquet") or store.names("decisions", ".json"):
            raise UserError(
                f"{store.root}: has results but no {STUDY_FILE}; move it away or restore that file"
            )
        _write(store, study, [])
        return []
    held = store.read_json(STUDY_FILE)
    changes = list(_changes(_completed(held.get("spec", {})), now))
    was, found = held.get("data"), data.identity(study.data)["fingerprint"]
    if was != found:
        changes.append(Change(path="the content of the data", was=was, now=found, allowed=False))
    refused = [change for change in changes if not change.allowed]
    if refused:
        raise UserError(
            f"{store.root}: belongs to another spec of '{study.name}':\n"
            + "\n".join(f"    {change}" for change in refused)
            + "\nRestore these keys, or give the changed study another name or another --runs."
            f"\n(May change later: resources; may grow: {', '.join(MAY_GROW)}; "
            f"may be added: {', '.join(MAY_COME)}.)"
        )
    if changes:
        _count_look(store, changes)
        past = [{"at": _now(), "changed": [vars(change) for change in changes]}]
        _write(store, study, [*held.get("history", []), *past])
    return changes


def _count_look(store: Store, changes: list[Change]) -> None:
    """Write down that the verdict is asked for again with more trials, if one could be seen."""
    decisions = store.decisions()
    grown = [str(change) for change in changes if change.path in HAS_A_SAY]
    if grown and "transferred" in decisions:
        content = {"rests_on": "the spec has grown", "grown": grown, "trials": []}
        store.decide(settle.next_name(decisions), content)


def provenance(store: Store) -> dict[str, Any]:
    """Versions, commit and history as the run directory holds them."""
    held = store.read_json(STUDY_FILE)
    return {key: value for key, value in held.items() if key != "spec"}


def target_flops(store: Store, study: Study) -> float:
    """FLOPs of one run at the target, as noted at the start: the data may be gone since."""
    noted = provenance(store).get("target_flops") if store.exists(STUDY_FILE) else None
    return float(noted) if noted is not None else estimate.target_flops(study)


def _write(store: Store, study: Study, history: list[dict[str, Any]]) -> None:
    content = {
        "format": 1,
        "written_at": _now(),
        "versions": worker.versions(),
        "commit": commit(),
        "history": history,
        "data": data.identity(study.data)["fingerprint"],
        "target_flops": estimate.target_flops(study),
        "spec": study.resolved(),
    }
    store.write(json.dumps(content, indent=1).encode(), STUDY_FILE)


def _completed(spec: dict[str, Any]) -> dict[str, Any]:
    """A spec that was written down, with the defaults of keys that came since."""
    try:
        return from_resolved(spec).resolved()
    except (SpecError, KeyError):
        return spec


def _changes(was: Any, now: Any, path: str = "") -> Iterator[Change]:
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for key in sorted({*was, *now}):
            below = f"{path}.{key}" if path else str(key)
            yield from _changes(was.get(key), now.get(key), below)
    elif was != now:
        yield Change(path=path, was=was, now=now, allowed=_allowed(path, was, now))


def _allowed(path: str, was: Any, now: Any) -> bool:
    if path in NOT_FREE:
        return False
    if path.startswith(FREE) or path in FREE_PATHS:
        return True
    if path in MAY_COME and was is None:
        return True
    if path not in MAY_GROW or was is None:
        return False
    if isinstance(was, list) and isinstance(now, list):
        return set(was) <= set(now)
    return None not in (was, now) and bool(now > was)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
