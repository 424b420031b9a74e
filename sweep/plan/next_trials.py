"""What runs next: a pure function of (study, decisions, table).

Everything but the decisions is derived anew each time; see `decisions`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from mutransfer.analysis.transfer.star_design import FIVE_FIRST, Look
from mutransfer.sweep.plan import convergence, search, settle, slices, star, star_decisions
from mutransfer.sweep.plan.decisions import (
    CENTRE,
    TRANSFERRED,
    Decision,
    Decisions,
    decide_centre,
    decide_proposals,
    decide_transferred,
    generation_name,
    gives_transferred,
    on_lattice,
    search_requests,
)
from mutransfer.sweep.plan.request import HPSet, TrialRequest, trial, unique
from mutransfer.sweep.spec import space
from mutransfer.sweep.spec.study import Study


@dataclass(frozen=True, kw_only=True)
class Next:
    """What comes next: a decision to write down, or trials to run; neither where all is done.

    ``requested`` contains every trial requested so far, finished ones too, in order.
    """

    decision: Decision | None = None
    trials: tuple[TrialRequest, ...] = ()
    requested: tuple[TrialRequest, ...] = ()

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return self.decision is None and not self.trials


def next_trials(study: Study, decisions: Decisions, table: pd.DataFrame) -> Next:
    """What runs next.

    Args:
        study: The validated study.
        decisions: The decisions written so far, by name.
        table: The results so far (``analysis.table``), one row per finished trial.

    Raises:
        RunError: no trial of the search gave a loss, so there is no centre for slices.
    """
    status = dict(zip(table["trial_id"], table["status"], strict=True))
    requested: list[TrialRequest] = []
    for generation in range(search.n_generations(study)):
        name = generation_name(generation)
        if name not in decisions:
            return _decide(decide_proposals(study, decisions, table, generation), requested)
        requested += search_requests(study, decisions[name]["proposals"], generation)
        if not _all_done(requested, status):
            return _run(requested, status)
    if CENTRE not in decisions:
        return _decide(decide_centre(study, unique(requested), table), requested)
    centre = decisions[CENTRE]["centre"]
    sliced = [
        (plan, request)
        for plan in slices.ladder(study, centre)
        for request in slices.requested_trials(study, plan, table, status)
    ]
    requested += [request for _, request in sliced]
    if TRANSFERRED not in decisions:
        needed = [request for plan, request in sliced if gives_transferred(study, plan)]
        if not _all_done(needed, status):
            return _run(requested, status)
        return _decide(decide_transferred(study, centre, needed, table), requested)
    requested += _check_requests(study, decisions, table, status)
    if study.target.check == "star" and star.due(decisions) is not None:
        # All that a verdict rests on has ended, so that no look depends on what finished first.
        if not _all_done(requested, status):
            return _run(requested, status)
        return _decide(star_decisions.decide(study, decisions, table, requested), requested)
    later, decision = convergence.requested_trials(study, decisions, table, status)
    requested += later
    return _run(requested, status) if decision is None else _decide(decision, requested)


def _check_requests(
    study: Study, decisions: Decisions, table: pd.DataFrame, status: Mapping[str, str]
) -> list[TrialRequest]:
    """The trials of the set and of the check at the target, with those of settle decisions."""
    transferred = decisions[TRANSFERRED]["transferred"]
    requested = set_requests(study, transferred)
    for plan in slices.target(study, transferred):
        requested += slices.requested_trials(study, plan, table, status)
    if study.target.check == "star":
        requested += star.requested_trials(study, decisions)
    return requested + settle.requested_trials(study, decisions)


def set_requests(study: Study, transferred: HPSet) -> list[TrialRequest]:
    """Stage `set`: trials of the whole transferred set, at the target and at the search.

    Those at the target that belong to a star are requested by its looks.
    """
    n_at_target = study.target.seeds or 0
    n_at_search = study.transfer.size_at(study.search_at).seeds or 0
    n_seeds_at = ((study.target_at, n_at_target), (study.search_at, n_at_search))
    return [
        TrialRequest(
            config=trial(study, axis_value=axis_value, arm="mup", hps=transferred, seed=seed),
            asked_by="set",
        )
        for axis_value, n_seeds in n_seeds_at
        for seed in range(1, n_seeds + 1)
    ]


def _all_done(requests: list[TrialRequest], status: Mapping[str, str]) -> bool:
    return all(request.trial_id in status for request in requests)


def _decide(decision: Decision, requested: list[TrialRequest]) -> Next:
    return Next(decision=decision, requested=tuple(unique(requested)))


def _run(requested: list[TrialRequest], status: Mapping[str, str]) -> Next:
    distinct = tuple(unique(requested))
    trials = tuple(request for request in distinct if request.trial_id not in status)
    return Next(trials=trials, requested=distinct)


def nominal(study: Study, looks: Sequence[Look] = FIVE_FIRST) -> list[TrialRequest]:
    """The trials of a study in which no slice has to be extended or refined.

    Their number and cost hardly depend on the outcome of the search, so the middle of each range is
    taken for it.

    Args:
        study: The study.
        looks: The looks that a star takes, where it may take as many.
    """
    middle = {name: space.rounded(name, d.middle) for name, d in study.parameters.items()}
    if study.method in search.LEARNING:  # its later proposals are not known yet
        n_trials = study.search.trials
        points = [{**middle, "lr": middle["lr"] * (1 + i / 1e4)} for i in range(n_trials)]
    else:
        points = search.propose(study, (), 0)
    centre = on_lattice(study, middle)
    off_lattice: dict[str, float] = {  # as fitted optima are
        name: space.rounded(name, centre[name] * 1.1) for name in study.transfer.parameters
    }
    transferred = centre | off_lattice
    requested = search_requests(study, points, 0)
    for plan in slices.ladder(study, centre):
        requested += slices.requested_trials(study, plan, None, {})
    requested += set_requests(study, transferred)
    for plan in slices.target(study, transferred):
        requested += slices.requested_trials(study, plan, None, {})
    if study.target.check == "star":
        requested += star.nominal(study, transferred, looks[: study.target.max_looks])
    return unique(requested + convergence.nominal(study, transferred))
