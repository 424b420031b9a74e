"""Why an HP is no PASS: codes, sentences with figures, remedies."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from mutransfer.analysis.fit.optimum import Optimum, has_worse_sides
from mutransfer.analysis.table.slice import bracket
from mutransfer.analysis.transfer.regret import Regret
from mutransfer.analysis.verdict.hp_figures import (
    MIN_TARGET_VALUES,
    OCTAVES_TO_DIVERGENCE,
    HPFigures,
)
from mutransfer.analysis.verdict.question import TransferQuestion

# Causes that make an HP a FAIL; all others leave it INCONCLUSIVE.
FAILURES = frozenset({"regret_too_large", "diverged_at_target", "collapsed_at_target"})
# A cause that rules out a FAIL: what would be one only leans that way.
NO_FAILURE = frozenset({"one_seed"})


@dataclass(frozen=True, kw_only=True)
class Cause:
    """One reason why there is no PASS: a code, a sentence with figures, and a remedy."""

    code: str
    text: str
    remedy: str


def causes_of(figures: HPFigures, question: TransferQuestion) -> tuple[Cause, ...]:
    """Return every cause that prevents a PASS; empty for a PASS."""
    target = figures.at(question.target_at)
    return (
        *_transferred_run(figures, question, target),
        *_missing_runs(figures),
        *_too_few(figures, target),
        *_not_bracketed(figures),
        *_regret(figures, target),
        *_insensitive(figures, target),
        *_near_divergence(figures, target),
    )


def is_harmless(figures: HPFigures, codes: set[str]) -> bool:
    """Return whether an HP is insensitive and nothing else.

    Its regret is bounded under the tolerance, and there are worse values on either side at the
    search and at the target; only the ends of the flat optimum may be open.
    """
    worse = all(has_worse_sides(bracket(fit.slice)) for fit, _ in figures.curves)
    return worse and "insensitive" in codes and codes <= {"insensitive", "not_bracketed"}


def _transferred_run(
    figures: HPFigures, question: TransferQuestion, target: str
) -> Iterator[Cause]:
    """The set's own runs: a study makes them, a table from elsewhere need not hold them."""
    value, index = f"{figures.hp} = {2.0**figures.log2_x:.4g}", figures.target_index
    if figures.failed_at_target is not None:
        yield Cause(
            code=f"{figures.failed_at_target}_at_target",
            text=f"{value} {figures.failed_at_target} at {target}.",
            remedy=f"Choose a smaller {figures.hp}.",
        )
    elif question.external and figures.regret is not None:
        return
    elif index is None or not figures.target.slice.usable[index]:
        yield Cause(
            code="transferred_not_run",
            text=f"{value} has no result at {target}.",
            remedy=f"Run the transferred set at the target {figures.axis_name}.",
        )


def _missing_runs(figures: HPFigures) -> Iterator[Cause]:
    if figures.n_missing:
        yield Cause(
            code="missing_runs",
            text=f"{figures.n_missing} runs near the optima of {figures.hp} at "
            f"{figures.at(figures.search_opt.axis_value)} and at "
            f"{figures.at(figures.target_opt.axis_value)} have no result.",
            remedy="Run them (again).",
        )


def _too_few(figures: HPFigures, target: str) -> Iterator[Cause]:
    hp, n_values = figures.hp, figures.target_opt.n_values
    for fit, optimum in figures.curves:
        where = figures.at(optimum.axis_value)
        if fit.is_one_seed:
            yield Cause(
                code="one_seed",
                text=f"The slice of {hp} at {where} has {fit.n_seeds} seed(s): the variance "
                f"between seeds is unknown, so there is no PASS and no FAIL. {_lean(figures)}",
                remedy=f"Run a second seed at {where}.",
            )
            break
    if n_values < MIN_TARGET_VALUES and not figures.star:
        yield Cause(
            code="too_few_values",
            text=f"{n_values} values of {hp} lie on the curve at {target}; at least "
            f"{MIN_TARGET_VALUES} are needed to check its shape.",
            remedy=f"More values of {hp} around its optimum at {target}.",
        )


def _lean(figures: HPFigures) -> str:
    """Which way the evidence of one seed leans, and by how much."""
    if figures.failed_at_target is not None:
        return f"The evidence leans against transfer: the value {figures.failed_at_target}."
    excess, tolerance = figures.regret, figures.tolerance_loss
    shift = _shift(figures)
    if excess is None or not tolerance:
        return f"The evidence leans neither way{shift}."
    word = "towards" if excess.estimate <= tolerance else "against"
    return (
        f"The evidence leans {word} transfer: the regret is about {excess.estimate:.3g}, "
        f"{excess.estimate / tolerance:.2g} times the tolerance{shift}."
    )


def _shift(figures: HPFigures) -> str:
    at_search, at_target = figures.search_opt.log2_opt, figures.target_opt.log2_opt
    if at_search is None or at_target is None:
        return ""
    return f", and the optimum moves by {at_target - at_search:+.2f} octaves"


def _not_bracketed(figures: HPFigures) -> Iterator[Cause]:
    for _, optimum in figures.curves:
        if not optimum.bracketed:
            where = figures.at(optimum.axis_value)
            yield Cause(
                code="not_bracketed",
                text=f"The optimum of {optimum.hp} at {where} is not bracketed (open: "
                f"{_open_ends(optimum)}; flags: {', '.join(optimum.flags) or 'none'}).",
                remedy=f"Values of {optimum.hp} on the open side at {where}, or more seeds.",
            )


def _open_ends(optimum: Optimum) -> str:
    ends = (("below", optimum.log2_low), ("above", optimum.log2_high))
    if open_ends := " and ".join(name for name, end in ends if end is None):
        return open_ends
    if "no_minimum" in optimum.flags:
        return "neither side, but no minimum was found"
    return "neither side, but the best value is the outermost"


def _regret(figures: HPFigures, target: str) -> Iterator[Cause]:
    hp, tolerance, regret = figures.hp, figures.tolerance_loss, figures.regret
    if regret is None and figures.target.ok:
        return  # off the curve and not run: `_transferred_run`
    if figures.star and regret is None:
        yield Cause(
            code="no_star",
            text=f"The runs at {target} give no bound on the regret of {hp}: its transferred value "
            "and a neighbour or a wall on either side are needed, and a curve of the ladder.",
            remedy=f"Run {hp} on both sides of its transferred value at {target}.",
        )
    elif tolerance is None or regret is None:
        yield Cause(
            code="no_regret",
            text=f"The {figures.target_opt.n_values} values of {hp} at {target} give no curve from "
            "which to compute a regret.",
            remedy=f"At least 5 values of {hp} with 2 seeds at {target}.",
        )
    elif regret.lower > tolerance and not figures.misfits:
        yield Cause(
            code="regret_too_large",
            text=f"The regret of {hp} at {target} is at least {regret.lower:.4g}, "
            f"above the tolerance {tolerance:.4g}.",
            remedy=f"{hp} does not transfer: tune it at a larger {figures.axis_name}.",
        )
    elif not regret.upper < tolerance:
        misfit = ""
        if figures.misfits:
            of_ladder = " of the ladder" if figures.star else ""
            misfit = f" The curve at the target fits no shape{of_ladder} well."
        yield Cause(
            code="regret_uncertain",
            text=f"The regret of {hp} at {target} {_between(regret)}; the tolerance is "
            f"{tolerance:.4g}.{misfit}",
            remedy=f"{hp} at half and quarter octaves about its optimum at {target}, or more "
            "seeds there.",
        )


def _between(regret: Regret) -> str:
    if math.isfinite(regret.upper):
        return f"is between {regret.lower:.4g} and {regret.upper:.4g}"
    return f"is at least {regret.lower:.4g}, and no run bounds it from above"


def _insensitive(figures: HPFigures, target: str) -> Iterator[Cause]:
    if figures.sensitivity is not None and not figures.sensitivity.sensitive:
        yield Cause(
            code="insensitive",
            text=f"No value of {figures.hp} at {target} is shown to be worse than the optimum by "
            "more than the tolerance: it does not matter in this range, or the noise hides it.",
            remedy=f"Values of {figures.hp} further from the optimum, or more seeds.",
        )


def _near_divergence(figures: HPFigures, target: str) -> Iterator[Cause]:
    if figures.is_near_divergence and figures.failed_at_target is None:
        yield Cause(
            code="near_divergence",
            text=f"{figures.hp} is {figures.octaves_to_divergence:.2f} octaves from a diverged "
            f"value at {target}; at least {OCTAVES_TO_DIVERGENCE} are required.",
            remedy=f"Choose a {figures.hp} further from it.",
        )
