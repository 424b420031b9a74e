"""Writing best.yaml: the transferred set, its verdict first, for the production trainer."""

import dataclasses
import io
import math
import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import RoundTripRepresenter

from mutransfer.analysis.best import FORMAT, BestError
from mutransfer.analysis.table.axis import axis_value_text
from mutransfer.analysis.transfer.prediction import Prediction
from mutransfer.analysis.verdict.evidence import Fits, predictions_at
from mutransfer.analysis.verdict.judge import Verdict
from mutransfer.analysis.verdict.question import TransferQuestion

KEYS = (
    "format",
    "verdict",
    "verdict_text",
    "regret",
    "study",
    "family",
    "width",
    "base_width",
    "axis",
    "verified_up_to",
    "verified_up_to_width",
    "extrapolated_doublings",
    "predicted_regret",
    "prediction",
    "hps",
    "search_best",
    "optimizer",
    "roles",
    "plan",
    "valid_for",
    "cost",
    "provenance",
)

# Words that YAML 1.1 or 1.2 would not read as a string without quotes.
_NOT_TEXT = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"])

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*\Z")


def verdict_at(
    verdict: Verdict,
    question: TransferQuestion,
    axis_value: int,
    fits: Mapping[str, Fits] | None = None,
) -> tuple[str, float | None, float]:
    """Return the word for a production axis value, the bound of the regret and the doublings.

    Up to the target it is the verdict itself, without a bound. Beyond, and below a target that was
    not run: PREDICTED if the verdict is PASS or PREDICTED and the bound that the ladder predicts
    (`transfer.prediction`; the sum over HPs, of one that does not matter in its range its bound
    at the target) is calibrated and under the tolerance, else NOT_SUPPORTED; never PASS.

    Args:
        verdict: The verdict on the set.
        question: The question that was judged.
        axis_value: Of the production run.
        fits: The fitted slices by HP; without them nothing is predicted.

    Returns:
        Word, bound in loss or None, doublings beyond the target (0 up to it).

    Raises:
        ValueError: ``axis_value`` is not above 0.
    """
    if axis_value <= 0:
        raise ValueError(
            f"export: {question.axis_name} must be above 0; got {axis_value}; give another"
        )
    if axis_value <= question.target_at:
        return verdict.verdict, None, 0.0
    doublings = math.log2(axis_value / question.target_at)
    predictions = predictions_at(fits, question, axis_value) if fits else {}
    bound, is_calibrated = _bound(verdict, predictions)
    tolerance = verdict.set.tolerance_loss
    is_small = bound is not None and tolerance is not None and bound < tolerance
    is_good = verdict.verdict in ("PASS", "PREDICTED") and is_calibrated and is_small
    return "PREDICTED" if is_good else "NOT_SUPPORTED", bound, doublings


def _bound(
    verdict: Verdict, predictions: Mapping[str, Prediction | None]
) -> tuple[float | None, bool]:
    """The bound summed over the HPs, None if that of one is unknown, and whether all hold."""
    total, is_calibrated = 0.0, True
    for entry in verdict.hps:
        predicted = predictions.get(entry.hp)
        upper = None if predicted is None else predicted.regret_upper
        if entry.harmless and entry.regret is not None:
            upper = entry.regret.upper
        elif predicted is None or predicted.reasons:
            is_calibrated = False
        if upper is None:
            return None, False
        total += upper
    return (total, is_calibrated) if verdict.hps else (None, False)


def best_yaml(
    *,
    verdict: Verdict,
    question: TransferQuestion,
    study: str,
    family: str,
    width: int,
    axis_value: int | None = None,
    fits: Mapping[str, Fits] | None = None,
    optimizer: Any,
    roles: Any,
    plan: Any,
    valid_for: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the content of best.yaml as plain data, keys in the order of `KEYS`.

    Args:
        verdict: The verdict on the transferred set.
        question: The question that was judged; contains the set.
        study: Name of the study.
        family: Model family.
        width: Production width.
        axis_value: Value of the production run on the question's axis; None: its width.
        fits: The fitted slices that the verdict rests on, by HP; without them nothing is predicted
            beyond the target.
        optimizer: Name, betas, eps and the like, plain data; None: not known.
        roles: Per role, the effective LR, weight decay, ε, init rule and multiplier at
            ``width``, plain data.
        plan: The model's plan at ``width``, plain data.
        valid_for: The settings that were held fixed (depth, batch_size, steps, …).
        provenance: Commit, versions, dates.

    Raises:
        BestError: no transferred set has been chosen.
    """
    if question.transferred is None:
        raise BestError("best.yaml: needs a transferred set; got none; finish the slices first")
    axis_value = width if axis_value is None else axis_value
    word, predicted, doublings = verdict_at(verdict, question, axis_value, fits)
    verified = question.target_at if verdict.verdict == "PASS" else None
    values = {
        "format": FORMAT,
        "verdict": word,
        "verdict_text": _text(verdict, question, word, axis_value, predicted),
        "regret": _regret(verdict),
        "study": study,
        "family": family,
        "width": width,
        "base_width": question.base_width,
        "axis": question.axis,
        "verified_up_to": verified,
        "verified_up_to_width": verified if question.axis == "width" else None,
        "extrapolated_doublings": doublings,
        "predicted_regret": predicted,
        "prediction": _prediction(verdict, question, axis_value, fits),
        "hps": dict(question.transferred),
        "search_best": None if question.search_best is None else dict(question.search_best),
        "optimizer": optimizer,
        "roles": roles,
        "plan": plan,
        "valid_for": dict(valid_for),
        "cost": dataclasses.asdict(verdict.cost),
        "provenance": dict(provenance),
    }
    return {key: values[key] for key in KEYS}


def _text(
    verdict: Verdict,
    question: TransferQuestion,
    word: str,
    axis_value: int,
    predicted: float | None,
) -> str:
    """The verdict in words; beyond the target with the predicted regret."""
    if axis_value <= question.target_at:
        return verdict.sentence
    limit = verdict.set.tolerance_loss
    figures = (
        "no regret can be predicted"
        if predicted is None
        else (
            f"the predicted regret is at most {predicted:.3g}, tolerance "
            f"{'unknown' if limit is None else f'{limit:.3g}'} (loss)"
        )
    )
    return f"{word}: {question.at(axis_value)} was not checked; {figures}. {verdict.sentence}"


def _prediction(
    verdict: Verdict,
    question: TransferQuestion,
    axis_value: int,
    fits: Mapping[str, Fits] | None,
) -> dict[str, Any] | None:
    """For each HP the predicted optimum with its interval and laws; None where all was checked."""
    if not fits or (axis_value <= question.target_at and verdict.verdict != "PREDICTED"):
        return None
    predictions = predictions_at(fits, question, axis_value)
    return {hp: p if p is None else dataclasses.asdict(p) for hp, p in predictions.items()}


def _regret(verdict: Verdict) -> dict[str, Any]:
    return {
        "at_width": verdict.target_at,
        "upper_95_loss": verdict.set.regret_upper,
        "upper_95_percent": verdict.set.regret_upper_percent,
        "tolerance_loss": verdict.set.tolerance_loss,
        "tolerance": {"kind": verdict.tolerance.kind, "value": verdict.tolerance.value},
        "hps": {
            e.hp: None
            if e.regret is None
            else {
                "estimate_loss": e.regret.estimate,
                "lower_95_loss": e.regret.lower,
                "upper_95_loss": e.regret.upper,
            }
            for e in verdict.hps
        },
    }


class _Representer(RoundTripRepresenter):
    """Writes floats and strings that YAML 1.1 and 1.2 read alike."""


def _float(dumper: _Representer, value: float) -> ScalarNode:
    if not math.isfinite(value):
        raise BestError(f"best.yaml: numbers must be finite; got {value}; leave it out")
    text = repr(value)
    mantissa, e, exponent = text.partition("e")
    if e and "." not in mantissa:
        # YAML 1.1 (PyYAML) reads 1e-12 as a string, 1.0e-12 as a number.
        text = f"{mantissa}.0e{exponent}"
    return dumper.represent_scalar("tag:yaml.org,2002:float", text)


def _string(dumper: _Representer, value: str) -> ScalarNode:
    plain = _PLAIN.match(value) and value.lower() not in _NOT_TEXT
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain else '"')


_Representer.add_representer(float, _float)

_Representer.add_representer(str, _string)


def dump(best: Mapping[str, Any]) -> str:
    """Return best.yaml as text; a comment on top states a verdict other than PASS.

    Floats and strings read alike under YAML 1.1 (PyYAML) and 1.2 (ruamel.yaml).

    Raises:
        BestError: a number is not finite.
    """
    yaml = YAML()
    yaml.Representer = _Representer
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    out = io.StringIO()
    if best["verdict"] != "PASS":
        text = " ".join(str(best["verdict_text"]).split())
        axis = best.get("axis", "width")
        where = axis_value_text(axis, best[axis] if axis == "width" else best["valid_for"][axis])
        out.write(f"# VERDICT {best['verdict']}: not shown to transfer to {where}.\n")
        out.write(f"# {text}\n")
    yaml.dump(_plain(best), out)
    return out.getvalue()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value
