"""What differs between the spec of a run directory and the current spec, and what may differ.

The spec of a run directory is fixed: a tolerance moved after a result was seen, or another range of
learning rates, would make another study. More seeds and more axis values only add trials, so they
may be added later; resources may change at will.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mutransfer.proxies.config.data import DATA_CONFIGS
from mutransfer.sweep.spec.sections import LADDERS

# Keys, and prefixes of keys, that may change at will.
FREE = ("resources.", "coordcheck", "production", "assume", "limits", "imports", "loggers")
# Device and threads are part of a trial's identity.
NOT_FREE = ("resources.gpus_per_trial", "resources.cpus_per_trial")
# Data may be moved; the data themselves are compared by content.
DATA_PATHS = tuple({f"data.{name}" for config in DATA_CONFIGS.values() for name in config.paths})

# Keys that add trials on which the verdict rests.
ADD_TO_VERDICT = (
    "transfer.seeds",
    *(f"transfer.{key}" for key in LADDERS.values()),
    "target.seeds",
    "transfer.max_extend",
)
MAY_GROW = (*ADD_TO_VERDICT, "convergence.seeds")
# A section that adds trials on which no verdict rests; once there, it stays.
MAY_BE_ADDED = ("convergence",)


@dataclass(frozen=True, kw_only=True)
class Change:
    """A key whose value in the run directory (``was``) differs from that in the spec (``now``)."""

    path: str
    was: Any
    now: Any
    allowed: bool

    def __str__(self) -> str:
        return f"{self.path}: {json.dumps(self.was)} there, {json.dumps(self.now)} in the spec"


def changes(was: Any, now: Any, path: str = "") -> Iterator[Change]:
    """The differences between two resolved studies, in the order of their keys."""
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for key in sorted({*was, *now}):
            below = f"{path}.{key}" if path else str(key)
            yield from changes(was.get(key), now.get(key), below)
    elif was != now:
        yield Change(path=path, was=was, now=now, allowed=_is_allowed(path, was, now))


def _is_allowed(path: str, was: Any, now: Any) -> bool:
    if path in NOT_FREE:
        return False
    if path.startswith(FREE) or path in DATA_PATHS:
        return True
    if path in MAY_BE_ADDED and was is None:
        return True
    if path not in MAY_GROW or was is None:
        return False
    if isinstance(was, list) and isinstance(now, list):
        return set(was) <= set(now)
    return None not in (was, now) and bool(now > was)
