"""Reading `best.yaml` in a production trainer; needs a YAML reader and nothing else."""

import warnings
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

FORMAT = 1

WORDS = ("PASS", "FAIL", "INCONCLUSIVE", "PREDICTED", "EXTRAPOLATED", "NOT_SUPPORTED")


class BestError(ValueError):
    """A best.yaml that cannot be used."""


class BestWarning(UserWarning):
    """The production run differs from the run that was judged, or the verdict is not PASS."""


def load_best(path: str | Path, **actual: Any) -> dict[str, Any]:
    """Return the content of a best.yaml; warn where it does not apply to this run.

    Example:
        >>> best = load_best("best.yaml", width=1152, depth=28, batch_size=256)
        >>> best["hps"]["lr"]

    Args:
        path: The file.
        **actual: The trainer's settings (depth=…, batch_size=…, width=…), each compared with the
            width and with the settings in ``valid_for``.

    Raises:
        BestError: not a best.yaml, or one of another format.

    Warns:
        BestWarning: the verdict is not PASS, a setting differs, or the file lacks it.
    """
    content = YAML(typ="safe", pure=True).load(Path(path).read_text(encoding="utf-8"))
    _check(path, content)
    if content["verdict"] != "PASS":
        _warn(f"{path}: verdict {content['verdict']}: {content.get('verdict_text', '')}")
    settings = {"width": content.get("width"), **content["valid_for"]}
    for key, value in actual.items():
        if key not in settings:
            _warn(f"{path}: has no setting {key}, so it cannot be compared; got {value!r}")
        elif settings[key] != value:
            _warn(f"{path}: the verdict is for {key} = {settings[key]!r}; got {value!r}")
    return content


def _check(path: str | Path, content: Any) -> None:
    if not isinstance(content, dict) or "format" not in content:
        raise BestError(f"{path}: must be a best.yaml with a format; got none; export it again")
    if content["format"] != FORMAT:
        raise BestError(
            f"{path}: format must be {FORMAT}; got {content['format']!r}; "
            "load it with the version of mutransfer that wrote it"
        )
    missing = [key for key in ("verdict", "hps", "valid_for") if key not in content]
    if missing:
        raise BestError(
            f"{path}: needs verdict, hps and valid_for; got no {', '.join(missing)}; "
            "export it again"
        )
    if content["verdict"] not in WORDS:
        raise BestError(
            f"{path}: verdict: one of {', '.join(WORDS)}; got {content['verdict']!r}; "
            "export it again"
        )


def _warn(text: str) -> None:
    warnings.warn(text, BestWarning, stacklevel=3)
