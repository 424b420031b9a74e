"""study.json: the resolved spec of a run directory, its seal, versions, history and facts."""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mutransfer.analysis.verdict.cost import ReferenceRuns
from mutransfer.proxies.config.recorded import Recorded
from mutransfer.proxies.training.identity import RESULT_SCHEMA
from mutransfer.sweep.errors import UserError
from mutransfer.sweep.plan import estimate
from mutransfer.sweep.spec import Study
from mutransfer.sweep.store import checksums
from mutransfer.sweep.store.provenance import commit, versions
from mutransfer.sweep.store.store import STUDY_FILE, Store

FORMAT = 2  # 1 had no checksum and no seal
RECORDED = TypeAdapter(Recorded)


def read(store: Store) -> dict[str, Any]:
    """The content of study.json.

    Raises:
        UserError: it is damaged, or was edited.
    """
    content = store.read_json(STUDY_FILE)
    is_sealed = content.get("format") != 1
    if is_sealed and not store.has_checksum(STUDY_FILE):
        raise UserError(
            f"{store.path(STUDY_FILE)}: was written by another program: it has no checksum; "
            "restore it; `mutransfer doctor` says what else can be done"
        )
    spec = content.get("spec")
    if is_sealed and isinstance(spec, dict) and content.get(checksums.SEAL) != checksums.seal(spec):
        raise UserError(
            f"{store.path(STUDY_FILE)}: what the verdict rests on (tolerance, target, …) is not "
            "what was sealed when the study started; restore it"
        )
    return content


def write(
    store: Store,
    study: Study,
    facts: Recorded,
    *,
    earlier: Mapping[str, Any] | None = None,
    entry: Mapping[str, Any] | None = None,
) -> None:
    """Write study.json, sealed.

    Args:
        store: The run directory.
        study: The study.
        facts: Those of its data and code.
        earlier: The content that is replaced; its start, history and accepted code are kept.
        entry: An entry of the history: what changed.
    """
    known = earlier or {}
    spec = study.resolved()
    content = {
        "format": FORMAT,
        "written_at": known.get("written_at") or now(),
        "versions": versions(),
        "commit": commit(),
        "result_schema": RESULT_SCHEMA,
        "history": [*known.get("history", []), *([entry] if entry else [])],
        "data": facts.fingerprint,
        "recorded": plain_of(facts),
        "same_code": list(known.get("same_code", [])),
        "target_flops": estimate.target_flops(study),
        "production_flops": estimate.production_flops(study),
        "spec": spec,
        checksums.SEAL: checksums.seal(spec),
    }
    replace(store, content)


def replace(store: Store, content: Mapping[str, Any]) -> None:
    """Write this content, with its checksum."""
    store.write_json(content, STUDY_FILE)
    store.forget_seal()


def known_facts(content: Mapping[str, Any]) -> Recorded | None:
    """The facts in a run directory; None where there are none, or they are damaged."""
    try:
        return RECORDED.validate_python(content.get("recorded"))
    except ValidationError:
        return None


def plain_of(facts: Recorded) -> dict[str, Any]:
    """The facts as JSON data, without the fingerprint, which has its own key."""
    plain: dict[str, Any] = RECORDED.dump_python(facts, mode="json", exclude={"fingerprint"})
    return plain


def now() -> str:
    """The time as text, in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def provenance(store: Store) -> dict[str, Any]:
    """Everything that the run directory records beside the spec: versions, commit, history."""
    hidden = ("spec", "recorded", "same_code", checksums.SEAL)
    return {key: value for key, value in read(store).items() if key not in hidden}


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
