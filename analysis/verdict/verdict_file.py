"""Reading a verdict.json back."""

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mutransfer.analysis.verdict.judge import FORMAT, Verdict

# What the verdict.json of a study contains besides the verdict (`reporting.files.to_dict`).
BESIDE = frozenset({"convergence", "progress"})
REMEDY = "write it anew with `mutransfer analyze STUDY`"


class VerdictError(ValueError):
    """A verdict.json that cannot be read."""


def read_verdict(path: str | Path) -> Verdict:
    """Return the verdict in a verdict.json, equal to the one that was written.

    Example:
        >>> read_verdict("runs/digits-dit/verdict.json").of_hp("lr").drift_mup.estimate

    Raises:
        VerdictError: not a verdict.json, or one of another format.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise VerdictError(f"{path}: must be a verdict.json; got {error}; {REMEDY}") from None
    _check_format(path, content)
    try:
        verdict = TypeAdapter(Verdict).validate_python(content)
    except ValidationError as error:
        fault = error.errors()[0]
        key = ".".join(map(str, fault["loc"]))
        raise VerdictError(f"{path}: {key}: {fault['msg']}; {REMEDY}") from None
    if verdict.to_dict() != {key: v for key, v in content.items() if key not in BESIDE}:
        raise VerdictError(f"{path}: must have the keys of format {FORMAT}; got others; {REMEDY}")
    return verdict


def _check_format(path: str | Path, content: Any) -> None:
    number = content.get("format") if isinstance(content, dict) else None
    if number in (1, 2):
        raise VerdictError(
            f"{path}: format must be {FORMAT}; got {number}, whose keys are search_width, "
            "target_width, width and level in place of search_at, target_at, axis_value and "
            f"confidence; {REMEDY}"
        )
    if number != FORMAT:
        raise VerdictError(f"{path}: format must be {FORMAT}; got {number!r}; {REMEDY}")
