"""Reading a verdict.json back."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mutransfer.analysis.table.arguments import shown
from mutransfer.analysis.verdict.cost import ReferenceRuns, total
from mutransfer.analysis.verdict.judge import FORMAT, Verdict

# What a verdict.json contains besides the verdict (`reporting.files.to_dict`).
BESIDE = frozenset({"convergence", "notes", "progress"})
REMEDY = "write it anew with `mutransfer analyze STUDY` or `mutransfer analyze TABLE -o FOLDER`"
TOO_DEEP = "must be a verdict.json; got lists or objects nested too deeply"


class VerdictError(ValueError):
    """A verdict.json that cannot be read."""


def read_verdict(path: str | Path) -> Verdict:
    """Return the verdict in a verdict.json, equal to the one that was written.

    One of format 3 to 5 is read too, without predictions: ``n_collapsed`` of format 3 are None, and
    so is what a cost of before format 5 has of the production run.

    Example:
        >>> read_verdict("runs/digits-dit/verdict.json").of_hp("lr").drift_mup.estimate

    Raises:
        VerdictError: not a verdict.json, or one of another format.
    """
    content = _content(path)
    _check_format(path, content)
    record = {key: value for key, value in content.items() if key not in BESIDE}
    try:
        if record["format"] != FORMAT:
            cost = record.get("cost") if record["format"] == 5 else _cost_of_today(record)
            record = {**_of_today(record), "cost": cost, "predictions": [], "format": FORMAT}
        # Strict: True and "3" are no integers. As JSON, in which a list may stand for a tuple.
        verdict = TypeAdapter(Verdict).validate_json(json.dumps(record), strict=True)
    except RecursionError:
        raise VerdictError(f"{path}: {TOO_DEEP}; {REMEDY}") from None
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(map(str, fault["loc"])) or "content"
        got = shown(fault["input"])
        raise VerdictError(f"{path}: {key}: {fault['msg']}; got {got}; {REMEDY}") from None
    if verdict.to_dict() != record:
        raise VerdictError(f"{path}: must have the keys of format {FORMAT}; got others; {REMEDY}")
    if not verdict.hps:
        raise VerdictError(f"{path}: hps: the verdict on one HP or more; got []; {REMEDY}")
    return verdict


def _content(path: str | Path) -> Any:
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        got = error.strerror
    except RecursionError:
        raise VerdictError(f"{path}: {TOO_DEEP}; {REMEDY}") from None
    except (TypeError, ValueError) as error:  # no path; no text, no JSON
        got = str(error)
    raise VerdictError(f"{path}: must be a verdict.json; got {got}; {REMEDY}")


def _of_today(value: Any) -> Any:
    """A record of format 3 to 5 with what it lacks: `n_collapsed`, not counted, `Tolerance.of`."""
    if isinstance(value, list):
        return [_of_today(v) for v in value]
    if not isinstance(value, dict):
        return value
    record = {key: _of_today(v) for key, v in value.items()}
    if "log2_first_diverged" in record:
        record.setdefault("n_collapsed", None)
    if record.keys() == {"kind", "value"}:
        record["of"] = "loss"
    return record


def _cost_of_today(record: dict[str, Any]) -> Any:
    """The cost of a record of format 3 or 4; as it stands where it is none, for the validation.

    These formats had no production run. A study that was judged has ended its search, so the
    trials of that stage are all that it proposed.
    """
    old = record.get("cost")
    try:
        n_trials, flops = old["trials_by_stage"], old["by_stage"]  # type: ignore[index]
        runs = ReferenceRuns(
            target_flops=old["target_flops"],  # type: ignore[index]
            n_searched=n_trials.get("search"),
        )
        by_stage = {stage: (n, flops[stage]) for stage, n in n_trials.items()}
        n_without = old["trials_without_flops"]  # type: ignore[index]
        return dataclasses.asdict(total(by_stage, runs, n_trials_without_flops=n_without))
    except (KeyError, TypeError, AttributeError, ValueError):
        return old


def _check_format(path: str | Path, content: Any) -> None:
    number = content.get("format") if isinstance(content, dict) else None
    if type(number) is int and number in (1, 2):
        raise VerdictError(
            f"{path}: format must be {FORMAT}; got {number}, whose keys are search_width, "
            "target_width, width and level in place of search_at, target_at, axis_value and "
            f"confidence; {REMEDY}"
        )
    if type(number) is not int or number not in (3, 4, 5, FORMAT):  # not 3.0, True or "3"
        raise VerdictError(f"{path}: format must be {FORMAT}; got {shown(number)}; {REMEDY}")
