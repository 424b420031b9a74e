"""What a stored decision must hold: a run directory may be damaged, or a stranger's."""

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from mutransfer.sweep.plan import convergence, settle
from mutransfer.sweep.plan.decisions import CENTRE, TRANSFERRED, generation_name
from mutransfer.words import ARMS, HP_NAMES

MAY_BE_ZERO = ("weight_decay", "warmup_steps", "repa_weight")
SEARCH = generation_name(0).rpartition("-")[0] + "-"


def fault(name: str, content: Mapping[str, Any], parameters: Collection[str]) -> str | None:
    """What is wrong with the content of a decision; None where nothing is.

    Args:
        name: The decision.
        content: Its content.
        parameters: The HPs that the study varies.
    """
    return next(_faults(name, content, parameters), None)


def _faults(name: str, content: Mapping[str, Any], parameters: Collection[str]) -> Iterator[str]:
    if name.startswith(SEARCH):
        yield from _hp_sets("proposals", content.get("proposals"), parameters)
    elif name == CENTRE:
        for key in ("centre", "search_best"):
            yield from _hp_set(key, content.get(key), parameters)
    elif name == TRANSFERRED:
        yield from _hp_set("transferred", content.get("transferred"), parameters)
        flags = content.get("flags")
        if not isinstance(flags, dict) or not all(isinstance(v, list) for v in flags.values()):
            yield "flags: a list for each HP"
    elif name.startswith(settle.PREFIX):
        yield from _trials(content.get("trials"), parameters)
    elif name == convergence.NAME and not _is_number(content.get("lr")):
        yield "lr: a number above 0"


def _hp_sets(key: str, sets: Any, parameters: Collection[str]) -> Iterator[str]:
    if not isinstance(sets, list):
        yield f"{key}: a list of HP sets"
        return
    for i, hps in enumerate(sets):
        yield from _hp_set(f"{key}[{i}]", hps, parameters)


def _hp_set(key: str, hps: Any, parameters: Collection[str]) -> Iterator[str]:
    if not isinstance(hps, dict) or not {"lr", *parameters} <= set(hps) <= set(HP_NAMES):
        yield f"{key}: an HP set with {', '.join(sorted({'lr', *parameters}))}"
        return
    for name, value in hps.items():
        if not (_is_number(value) or (value == 0 and name in MAY_BE_ZERO)):
            yield f"{key}.{name}: a number above 0"


def _trials(trials: Any, parameters: Collection[str]) -> Iterator[str]:
    if not isinstance(trials, list):
        yield "trials: a list"
        return
    for i, entry in enumerate(trials):
        entry = entry if isinstance(entry, dict) else {}
        if not _is_count(entry.get("place", entry.get("width"))) or entry.get("arm") not in ARMS:
            yield f"trials[{i}]: an axis value and an arm"
        if not _is_count(entry.get("seed")) and entry.get("seed") != 0:
            yield f"trials[{i}].seed: a whole number"
        yield from _hp_set(f"trials[{i}].hps", entry.get("hps"), parameters)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < math.inf


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0
