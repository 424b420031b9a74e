"""Designs that are valid and cannot PASS, or hardly: what `check` warns of before anything runs."""

from collections.abc import Callable, Iterator

from mutransfer.analysis.transfer.drift import MIN_AXIS_VALUES
from mutransfer.proxies.errors import Fault
from mutransfer.sweep.spec.sections import LADDERS
from mutransfer.sweep.spec.space import n_points
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.spec.yaml_file import YamlPath

MIN_SEEDS = 2  # the noise between seeds cannot be told from one: the verdict is never PASS or FAIL
MIN_TARGET_POINTS = 5  # as a verdict on too few values asks for (`analysis.verdict.causes`)
MAX_TOLERANCE = 0.5  # a PASS needs a value that is worse by more than the tolerance


def seeds_are_enough(study: Study) -> Iterator[Fault]:
    """Noise is what seeds differ by; that of a star is measured at the search."""
    transfer = study.transfer
    is_single = study.search_at in (transfer.at or {})
    path: YamlPath = ("transfer", "at", study.search_at) if is_single else ("transfer",)
    for of, seeds in (
        ((*path, "seeds"), transfer.size_at(study.search_at).seeds),
        (("target", "seeds"), study.target.seeds),
    ):
        if seeds is not None and seeds < MIN_SEEDS:
            rule = f"a verdict is PASS or FAIL with {MIN_SEEDS} seeds or more"
            yield Fault(of, rule, seeds, "ask for 2 or 3")


def target_has_values(study: Study) -> Iterator[Fault]:
    """A curve through few values bounds no regret; that of a star is the ladder's."""
    if study.target.points is not None and study.target.points < MIN_TARGET_POINTS:
        rule = f"{MIN_TARGET_POINTS} values or more at the target bound the regret"
        remedy = f"set it to {MIN_TARGET_POINTS} or more"
        yield Fault(("target", "points"), rule, study.target.points, remedy)


def ladder_shows_drift(study: Study) -> Iterator[Fault]:
    """A drift is the slope of the optima of the ladder."""
    if (n := len(study.transfer.axis_values)) < MIN_AXIS_VALUES:
        rule = (
            f"a drift needs {MIN_AXIS_VALUES} axis values or more; without it nothing beyond the "
            "target is supported"
        )
        yield Fault(("transfer", LADDERS[study.axis]), rule, n, "add small ones, which are cheap")


def tolerance_says_something(study: Study) -> Iterator[Fault]:
    """A tolerance that hardly any value exceeds is met by all and shows nothing."""
    tolerance = study.target.tolerance
    if tolerance.kind != "abs_loss" and tolerance.value >= MAX_TOLERANCE:
        rule = (
            f"below {100 * MAX_TOLERANCE:g} %, for a PASS needs a value that is worse by more than "
            "the tolerance"
        )
        got = f"{100 * tolerance.value:g} %"
        yield Fault(("target", "tolerance", tolerance.kind), rule, got, "e.g. `rel_loss: 0.005`")


def proposals_differ(study: Study) -> Iterator[Fault]:
    """A proposal that repeats another is the same trial, so it costs and tells nothing."""
    n = n_points(study.parameters)
    if n is not None and n < study.search.trials and study.method != "grid":
        rule = f"the search has at most as many trials as its space has points, {n}"
        remedy = f"set it to {n} with `method: grid`; the others repeat trials"
        yield Fault(("search", "trials"), rule, study.search.trials, remedy)


WARNINGS: tuple[Callable[[Study], Iterator[Fault]], ...] = (
    seeds_are_enough,
    target_has_values,
    ladder_shows_drift,
    tolerance_says_something,
    proposals_differ,
)


def warnings(study: Study) -> list[Fault]:
    """What keeps a valid study from a PASS, in the order of ``WARNINGS``; usually empty."""
    return [fault for rule in WARNINGS for fault in rule(study)]
