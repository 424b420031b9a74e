"""The question that a study asks of its table: its spec and decisions as a `TransferQuestion`."""

from mutransfer.analysis.verdict.question import Tolerance, TransferQuestion
from mutransfer.sweep.plan import settle, star
from mutransfer.sweep.plan.decisions import Decisions
from mutransfer.sweep.plan.request import complete
from mutransfer.sweep.spec.sections import MAX_LOOKS, Check
from mutransfer.sweep.spec.study import Study


def study_question(study: Study, decisions: Decisions) -> TransferQuestion | None:
    """The question, or None where the search has not yet given a centre."""
    if "centre" not in decisions:
        return None
    centre = decisions["centre"]
    transferred = decisions.get("transferred")
    return TransferQuestion(
        parameters=study.transfer.parameters,
        search_at=study.search_at,
        axis_values=study.transfer.axis_values,
        target_at=study.target_at,
        base_width=study.model.base_width,
        seeds=tuple(range(1, study.transfer.seeds + 1)),
        target_seeds=_target_seeds(study, decisions),
        spacing_log2=study.transfer.spacing_log2,
        tolerance=Tolerance(kind=study.target.tolerance.kind, value=study.target.tolerance.value),
        control=None if study.transfer.control == "none" else study.transfer.control,
        control_parameters=study.control_parameters,
        center=complete(centre["centre"]),
        transferred=complete(transferred["transferred"]) if transferred else None,
        transferred_flags=transferred["flags"] if transferred else {},
        seeds_at={
            at: tuple(range(1, (study.transfer.size_at(at).seeds or 0) + 1))
            for at in study.transfer.at or {}
        },
        search_best=complete(centre["search_best"]),
        defaults={"lr": study.convergence.default_lr} if study.convergence else {},
        axis=study.axis,
        rule=study.transfer.rule.kind if study.transfer.rule else None,
        production_at=_production_at(study),
        n_interim=star.n_interim(decisions) + len(settle.names(decisions)),
        check=_check(study, decisions),
        max_looks=study.target.max_looks or MAX_LOOKS,
    )


def _check(study: Study, decisions: Decisions) -> Check:
    """How the target is checked: a star that was settled has slices of its own."""
    return "slices" if settle.entries_at_target(study, decisions) else study.target.check


def _target_seeds(study: Study, decisions: Decisions) -> tuple[int, ...]:
    """Seeds of the trials at the target, those of settle decisions included."""
    n_seeds = study.target.seeds
    seeds = star.target_seeds(decisions) if n_seeds is None else range(1, n_seeds + 1)
    at_target = settle.entries_at_target(study, decisions)
    return tuple(sorted({*seeds, *(int(entry["seed"]) for entry in at_target)}))


def _production_at(study: Study) -> int | None:
    """The axis value of the production run, where that lies beyond the target."""
    at: int | None = getattr(study.production, study.axis, None)
    return at if at is not None and at > study.target_at else None
