"""Reading a verdict.json back."""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mutransfer.analysis.table.arguments import shown
from mutransfer.analysis.verdict.judge import FORMAT, Verdict

# What the verdict.json of a study contains besides the verdict (`reporting.files.to_dict`).
BESIDE = frozenset({"convergence", "progress"})
REMEDY = "write it anew with `mutransfer analyze STUDY` or `mutransfer analyze TABLE -o FOLDER`"
TOO_DEEP = "must be a verdict.json; got lists or objects nested too deeply"


class VerdictError(ValueError):
    """A verdict.json that cannot be read."""


def read_verdict(path: str | Path) -> Verdict:
    """Return the verdict in a verdict.json, equal to the one that was written.

    One of format 3 is read too; its ``n_collapsed`` are None.

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
            record = {**_of_today(record), "format": FORMAT}
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
    """A record of format 3 with what it lacks: collapsed runs, not counted, and `Tolerance.of`."""
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


def _check_format(path: str | Path, content: Any) -> None:
    number = content.get("format") if isinstance(content, dict) else None
    if type(number) is int and number in (1, 2):
        raise VerdictError(
            f"{path}: format must be {FORMAT}; got {number}, whose keys are search_width, "
            "target_width, width and level in place of search_at, target_at, axis_value and "
            f"confidence; {REMEDY}"
        )
    if type(number) is not int or number not in (3, FORMAT):  # not 3.0, True or "3"
        raise VerdictError(f"{path}: format must be {FORMAT}; got {shown(number)}; {REMEDY}")
