"""Checksums of what a run directory holds, and the seal of what its verdict rests on.

They show damage and careless edits. Whoever wants to forge results can compute them too.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

CHECKSUM = "checksum"  # the key of a JSON file that holds the checksum of all else in it
SEAL = "seal"  # the key of study.json and of a decision that holds the seal
# What the verdict rests on and no trial's identity covers. Keys are never added, for a newer
# version must compute the seal of an older run directory; and none of these may change later.
SEALED = (
    "target.tolerance.rel_loss",
    "target.tolerance.abs_loss",
    "target.tolerance.share_of_width_gain",
    "target.width",
    "target.batch_size",
    "target.steps",
    "target.depth",
    "search.width",
    "transfer.axis",
    "transfer.parameters",
    "transfer.spacing_log2",
    "transfer.control",
    "transfer.control_parameters",
)


def digest(plain: Any) -> str:
    """16 hex digits that change with the content of JSON data, whatever the order of its keys."""
    canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def with_checksum(content: Mapping[str, Any]) -> dict[str, Any]:
    """The content with its checksum."""
    plain = json.loads(json.dumps({k: v for k, v in content.items() if k != CHECKSUM}))
    return {**plain, CHECKSUM: digest(plain)}


def is_intact(content: Mapping[str, Any]) -> bool | None:
    """Whether a JSON file has the checksum of its content; None where it has none."""
    if CHECKSUM not in content:
        return None
    return bool(with_checksum(content)[CHECKSUM] == content[CHECKSUM])


def seal(spec: Mapping[str, Any]) -> str:
    """The seal of a resolved spec."""
    return digest({path: _at(spec, path) for path in SEALED})


def _at(spec: Mapping[str, Any], path: str) -> Any:
    value: Any = spec
    for key in path.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def of_decision(content: Mapping[str, Any]) -> str:
    """The digest of what a decision decides: a version of a library beside it changes nothing."""
    return digest({k: v for k, v in content.items() if k not in ("versions", SEAL, CHECKSUM)})
