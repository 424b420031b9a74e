"""The conditions of a PASS, each met or not.

(a) The regret's upper bound is under the tolerance. (b) The optimum is bracketed at the search and
at the target. (c) The HP matters: some value diverged or collapsed, or is shown to be worse by
more than the tolerance. (d) No value diverged close to the transferred one at the target. (e) There
are enough seeds and values at the target.
"""

from dataclasses import dataclass

from mutransfer.analysis.text_table import bound_text
from mutransfer.analysis.verdict.hp_figures import MIN_TARGET_VALUES, HPFigures


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One condition of a PASS: its letter (a) to (e), whether it holds, and the figures."""

    name: str
    holds: bool
    text: str


def conditions_of(figures: HPFigures) -> tuple[Condition, ...]:
    """Return the conditions (a) to (e) of one HP."""
    return (
        _regret_is_tolerated(figures),
        _is_bracketed(figures),
        _matters(figures),
        _is_far_from_divergence(figures),
        _is_complete(figures),
    )


def _regret_is_tolerated(figures: HPFigures) -> Condition:
    tolerance, regret = figures.tolerance_loss, figures.regret
    upper = bound_text(None if regret is None else regret.upper)
    confidence = "" if regret is None else f" ({100 * regret.confidence:.6g} %)"
    return Condition(
        name="a",
        holds=regret is not None and tolerance is not None and regret.upper < tolerance,
        text=f"upper bound of the regret {upper}{confidence}, tolerance "
        f"{_loss_text(tolerance)} (loss)",
    )


def _is_bracketed(figures: HPFigures) -> Condition:
    optima = [optimum for _, optimum in figures.curves]
    answers = [f"{figures.at(o.axis_value)}: {'yes' if o.bracketed else 'no'}" for o in optima]
    return Condition(
        name="b",
        holds=all(o.bracketed for o in optima),
        text="optimum bracketed at " + "; ".join(answers),
    )


def _matters(figures: HPFigures) -> Condition:
    sensitivity = figures.sensitivity
    if sensitivity is not None and sensitivity.by_divergence:
        text = "a value diverged or collapsed"
    else:
        worst = sensitivity.lower if sensitivity is not None else None
        text = (
            f"largest excess shown with 95 % confidence "
            f"{'none' if worst is None else f'{worst:.4g}'}, tolerance "
            f"{_loss_text(figures.tolerance_loss)} (loss)"
        )
    return Condition(name="c", holds=sensitivity is not None and sensitivity.sensitive, text=text)


def _is_far_from_divergence(figures: HPFigures) -> Condition:
    gap = figures.octaves_to_divergence
    return Condition(
        name="d",
        holds=not figures.is_near_divergence,
        text="no value diverged at the target"
        if gap is None
        else f"{gap:.2f} octaves to the nearest diverged value at the target",
    )


def _is_complete(figures: HPFigures) -> Condition:
    n_missing = figures.n_missing
    n_values = int(figures.target.slice.usable.sum()) if figures.star else _n_on_curve(figures)
    one_seed = any(fit.is_one_seed for fit, _ in figures.curves)
    is_known = figures.target_index is not None or figures.regret is not None
    has_enough = not one_seed and is_known and (figures.star or n_values >= MIN_TARGET_VALUES)
    return Condition(
        name="e",
        holds=has_enough and n_missing == 0,
        text=f"{figures.target.n_seeds} target seeds, {n_values} values, {n_missing} runs missing"
        + ("" if is_known else ", the transferred value lies off the curve and was not run"),
    )


def _n_on_curve(figures: HPFigures) -> int:
    return figures.target_opt.n_values


def _loss_text(loss: float | None) -> str:
    return "unknown" if loss is None else f"{loss:.4g}"
