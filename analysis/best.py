"""Reading `best.yaml` in a production trainer; needs a YAML reader and nothing else."""

import warnings
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

FORMAT = 1

WORDS = ("PASS", "FAIL", "INCONCLUSIVE", "EXTRAPOLATED", "NOT_SUPPORTED")


class BestError(ValueError):
    """A best.yaml that cannot be used."""


class BestWarning(UserWarning):
    """The production run differs from what the verdict is about, or the verdict is no PASS."""


def load_best(path: str | Path, **actual: Any) -> dict[str, Any]:
    """Return the content of a best.yaml, and warn where it does not speak of this run.

    Args:
        path: The file.
        **actual: What the trainer uses (depth=…, batch_size=…, width=…); each key found in
            ``valid_for`` and the width are compared.

    Raises:
        BestError: not a best.yaml, or one of another format.

    Warns:
        BestWarning: the verdict is not PASS, a value differs, or a key is unknown to the file.
    """
    content = YAML(typ="safe", pure=True).load(Path(path).read_text(encoding="utf-8"))
    if not isinstance(content, dict) or "format" not in content:
        raise BestError(f"{path}: must be a best.yaml with a format; got none; export it again")
    if content["format"] != FORMAT:
        raise BestError(
            f"{path}: format must be {FORMAT}; got {content['format']!r}; "
            "load it with the version of mutransfer that wrote it"
        )
    missing = [key for key in ("verdict", "hps", "valid_for") if key not in content]
    if missing or content["verdict"] not in WORDS:
        raise BestError(f"{path}: needs a verdict, hps and valid_for; got no {missing}; export it")
    if content["verdict"] != "PASS":
        _warn(f"{path}: verdict {content['verdict']}: {content.get('verdict_text', '')}")
    held = {"width": content.get("width"), **content["valid_for"]}
    for key, value in actual.items():
        if key not in held:
            _warn(f"{path}: says nothing about {key}; got {value!r}")
        elif held[key] != value:
            _warn(f"{path}: the verdict is about {key} = {held[key]!r}; got {value!r}")
    return content


def _warn(text: str) -> None:
    warnings.warn(text, BestWarning, stacklevel=3)
