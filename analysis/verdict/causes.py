"""The conditions of a PASS for one HP, and why one is wanting, in words with figures."""

from dataclasses import dataclass

from mutransfer.analysis.fit.optimum import Optimum, has_worse_sides
from mutransfer.analysis.table.slice import bracket
from mutransfer.analysis.verdict.conditions import (
    MIN_TARGET_SEEDS,
    MIN_TARGET_VALUES,
    OCTAVES_TO_DIVERGENCE,
)
from mutransfer.analysis.verdict.findings import HPFigures
from mutransfer.analysis.verdict.question import TransferQuestion


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why there is no PASS: a code, a sentence with figures, and what would settle it."""

    code: str
    text: str
    remedy: str


def causes_of(found: HPFigures, question: TransferQuestion) -> tuple[Cause, ...]:
    """Return all that stands against a PASS; empty for a PASS."""
    from_rows = _row_causes(found, question)
    from_fit = _fit_causes(found, question)
    return (*from_rows, *from_fit)


def _row_causes(found: HPFigures, question: TransferQuestion) -> list[Cause]:
    causes, hp, target = [], found.hp, found.at(question.target_at)
    value = f"{hp} = {2.0**found.log2_x:.4g}"
    if found.diverged_there:
        causes.append(
            Cause(
                code="diverged_at_target",
                text=f"{value} diverged at {target}.",
                remedy=f"Choose a smaller {hp}.",
            )
        )
    elif found.at_target is None or not found.target.slice.usable[found.at_target]:
        causes.append(
            Cause(
                code="transferred_not_run",
                text=f"{value} has no result at {target}.",
                remedy=f"Run the transferred set at the target {found.one}.",
            )
        )
    for fitted in (found.search, found.target):
        if fitted.slice.n_missing:
            n, place = fitted.slice.n_missing, found.at(fitted.slice.axis_value)
            causes.append(
                Cause(
                    code="missing_runs",
                    text=f"{n} runs of the slice of {hp} at {place} have no result.",
                    remedy="Run them (again).",
                )
            )
    if found.target.n_seeds < MIN_TARGET_SEEDS:
        causes.append(
            Cause(
                code="one_seed",
                text=f"The slice of {hp} at {target} has {found.target.n_seeds} seed(s): "
                "what differs from seed to seed cannot be told.",
                remedy=f"Run a second seed at the target {found.one}.",
            )
        )
    if found.target_opt.n_values < MIN_TARGET_VALUES:
        causes.append(
            Cause(
                code="too_few_values",
                text=f"{found.target_opt.n_values} values of {hp} lie on the curve at "
                f"{target}; at least {MIN_TARGET_VALUES} are needed to see that it is one.",
                remedy=f"More values of {hp} around its optimum at {target}.",
            )
        )
    return causes


def _fit_causes(found: HPFigures, question: TransferQuestion) -> list[Cause]:
    causes, hp, tolerance, r = [], found.hp, found.tolerance_loss, found.regret
    place = found.at(question.target_at)
    for o in (found.search_opt, found.target_opt):
        if not o.bracketed:
            causes.append(_not_bracketed(o, found.at(o.axis_value)))
    if tolerance is not None and r is not None and r.lower > tolerance:
        causes.append(
            Cause(
                code="regret_too_large",
                text=f"At {place} {hp} loses at least {r.lower:.4g}, "
                f"more than the tolerance {tolerance:.4g}.",
                remedy=f"{hp} does not transfer: tune it at a larger {found.one}.",
            )
        )
    elif tolerance is not None and r is not None and not r.upper < tolerance:
        causes.append(
            Cause(
                code="regret_uncertain",
                text=f"The regret of {hp} at {place} is between {r.lower:.4g} and "
                f"{r.upper:.4g}; the tolerance is {tolerance:.4g}.",
                remedy=f"More seeds at {place}, or values of {hp} closer to its optimum.",
            )
        )
    elif tolerance is None or r is None:
        causes.append(_no_regret(found, place))
    shown = found.sensitivity
    if shown is not None and not shown.sensitive:
        causes.append(
            Cause(
                code="insensitive",
                text=f"No value of {hp} at {place} is shown to be worse than the optimum "
                "by more than the tolerance: it does not matter in this range, or the noise "
                "hides it.",
                remedy=f"Values of {hp} further from the optimum, or more seeds.",
            )
        )
    gap = found.octaves_to_divergence
    if gap is not None and gap < OCTAVES_TO_DIVERGENCE - 1e-4 and not found.diverged_there:
        causes.append(
            Cause(
                code="near_divergence",
                text=f"{hp} is {gap:.2f} octaves from a diverged value at {place}; "
                f"at least {OCTAVES_TO_DIVERGENCE} are asked for.",
                remedy=f"Choose a {hp} further from it.",
            )
        )
    return causes


def _not_bracketed(place: Optimum, where: str) -> Cause:
    ends = [
        name for name, end in (("below", place.log2_low), ("above", place.log2_high)) if end is None
    ]
    open_ends = " and ".join(ends) or "neither side, but no minimum was found"
    return Cause(
        code="not_bracketed",
        text=f"The optimum of {place.hp} at {where} is not bracketed (open: "
        f"{open_ends}; flags: {', '.join(place.flags) or 'none'}).",
        remedy=f"Values of {place.hp} on the open side at {where}, or more seeds.",
    )


def _no_regret(found: HPFigures, place: str) -> Cause:
    return Cause(
        code="no_regret",
        text=f"The {found.target_opt.n_values} values of {found.hp} at {place} carry no "
        "curve from which a regret could be read.",
        remedy=f"At least 5 values of {found.hp} with 2 seeds at {place}.",
    )


def is_harmless(found: HPFigures, codes: set[str]) -> bool:
    """Return whether an HP is insensitive and nothing else.

    Its regret is bounded under the tolerance, and worse values stand on either side at the
    search and at the target width; only the ends of the flat optimum may be open.
    """
    worse = all(has_worse_sides(bracket(f.slice)) for f in (found.search, found.target))
    return worse and "insensitive" in codes and codes <= {"insensitive", "not_bracketed"}
