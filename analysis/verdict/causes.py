"""Why an HP is no PASS: codes, sentences with figures, remedies."""

from collections.abc import Iterator
from dataclasses import dataclass

from mutransfer.analysis.fit.optimum import Optimum, has_worse_sides
from mutransfer.analysis.table.slice import bracket
from mutransfer.analysis.verdict.hp_figures import (
    MIN_TARGET_SEEDS,
    MIN_TARGET_VALUES,
    OCTAVES_TO_DIVERGENCE,
    HPFigures,
)
from mutransfer.analysis.verdict.question import TransferQuestion

# Causes that make an HP a FAIL; all others leave it INCONCLUSIVE.
FAILURES = frozenset({"regret_too_large", "diverged_at_target"})


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
        *_transferred_run(figures, target),
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
    worse = all(has_worse_sides(bracket(f.slice)) for f in (figures.search, figures.target))
    return worse and "insensitive" in codes and codes <= {"insensitive", "not_bracketed"}


def _transferred_run(figures: HPFigures, target: str) -> Iterator[Cause]:
    value, index = f"{figures.hp} = {2.0**figures.log2_x:.4g}", figures.target_index
    if figures.diverged_at_target:
        yield Cause(
            code="diverged_at_target",
            text=f"{value} diverged at {target}.",
            remedy=f"Choose a smaller {figures.hp}.",
        )
    elif index is None or not figures.target.slice.usable[index]:
        yield Cause(
            code="transferred_not_run",
            text=f"{value} has no result at {target}.",
            remedy=f"Run the transferred set at the target {figures.axis_name}.",
        )


def _missing_runs(figures: HPFigures) -> Iterator[Cause]:
    for slice_ in (figures.search.slice, figures.target.slice):
        if slice_.n_missing:
            yield Cause(
                code="missing_runs",
                text=f"{slice_.n_missing} runs of the slice of {figures.hp} at "
                f"{figures.at(slice_.axis_value)} have no result.",
                remedy="Run them (again).",
            )


def _too_few(figures: HPFigures, target: str) -> Iterator[Cause]:
    hp, n_seeds, n_values = figures.hp, figures.target.n_seeds, figures.target_opt.n_values
    if n_seeds < MIN_TARGET_SEEDS:
        yield Cause(
            code="one_seed",
            text=f"The slice of {hp} at {target} has {n_seeds} seed(s): the variance between "
            "seeds is unknown.",
            remedy=f"Run a second seed at the target {figures.axis_name}.",
        )
    if n_values < MIN_TARGET_VALUES:
        yield Cause(
            code="too_few_values",
            text=f"{n_values} values of {hp} lie on the curve at {target}; at least "
            f"{MIN_TARGET_VALUES} are needed to check its shape.",
            remedy=f"More values of {hp} around its optimum at {target}.",
        )


def _not_bracketed(figures: HPFigures) -> Iterator[Cause]:
    for optimum in (figures.search_opt, figures.target_opt):
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
    if tolerance is None or regret is None:
        yield Cause(
            code="no_regret",
            text=f"The {figures.target_opt.n_values} values of {hp} at {target} give no curve from "
            "which to compute a regret.",
            remedy=f"At least 5 values of {hp} with 2 seeds at {target}.",
        )
    elif regret.lower > tolerance:
        yield Cause(
            code="regret_too_large",
            text=f"The regret of {hp} at {target} is at least {regret.lower:.4g}, "
            f"above the tolerance {tolerance:.4g}.",
            remedy=f"{hp} does not transfer: tune it at a larger {figures.axis_name}.",
        )
    elif not regret.upper < tolerance:
        yield Cause(
            code="regret_uncertain",
            text=f"The regret of {hp} at {target} is between {regret.lower:.4g} and "
            f"{regret.upper:.4g}; the tolerance is {tolerance:.4g}.",
            remedy=f"More seeds at {target}, or values of {hp} closer to its optimum.",
        )


def _insensitive(figures: HPFigures, target: str) -> Iterator[Cause]:
    if figures.sensitivity is not None and not figures.sensitivity.sensitive:
        yield Cause(
            code="insensitive",
            text=f"No value of {figures.hp} at {target} is shown to be worse than the optimum by "
            "more than the tolerance: it does not matter in this range, or the noise hides it.",
            remedy=f"Values of {figures.hp} further from the optimum, or more seeds.",
        )


def _near_divergence(figures: HPFigures, target: str) -> Iterator[Cause]:
    if figures.is_near_divergence and not figures.diverged_at_target:
        yield Cause(
            code="near_divergence",
            text=f"{figures.hp} is {figures.octaves_to_divergence:.2f} octaves from a diverged "
            f"value at {target}; at least {OCTAVES_TO_DIVERGENCE} are required.",
            remedy=f"Choose a {figures.hp} further from it.",
        )
