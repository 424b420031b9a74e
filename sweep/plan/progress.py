"""How far a study is, from its decisions and its table; nothing is decided or written."""

from collections import Counter
from collections.abc import Collection, Iterable

import pandas as pd

from mutransfer.analysis.reporting.contents import StudyProgress
from mutransfer.proxies.config.model import CustomConfig
from mutransfer.proxies.config.recorded import NotRecordedError
from mutransfer.proxies.training.flops import training_flops
from mutransfer.sweep.errors import RunError
from mutransfer.sweep.plan import star
from mutransfer.sweep.plan.decisions import GENERATION, Decisions
from mutransfer.sweep.plan.next_trials import Next, next_trials, nominal
from mutransfer.sweep.plan.request import TrialRequest
from mutransfer.sweep.spec.study import Study
from mutransfer.words import STAGES


def progress(study: Study, decisions: Decisions, table: pd.DataFrame) -> StudyProgress:
    """How many trials ended, how many are planned, and what each stage still lacks.

    Later requests depend on results, so what is planned is a lower bound as long as the study runs.
    FLOPs of a user's own model are not counted here: it would have to be run.
    """
    ended = set(table["trial_id"])
    try:
        coming = next_trials(study, decisions, table)
    except RunError as error:
        return StudyProgress(len(ended), len(ended), note=f"It cannot go on: {error}")
    except NotRecordedError as error:
        return StudyProgress(len(ended), len(ended), note=f"What is missing is unknown: {error}")
    requested = Counter(request.asked_by for request in coming.requested)
    done = Counter(r.asked_by for r in coming.requested if r.trial_id in ended)
    if coming.finished:
        return StudyProgress(done.total(), requested.total(), finished=True, flops_left=0.0)
    planned_trials = expected(study, decisions)
    by_stage = Counter(request.asked_by for request in planned_trials)
    planned = {stage: max(by_stage[stage], requested[stage]) for stage in STAGES}
    missing = tuple((s, planned[s] - done[s]) for s in STAGES if planned[s] > done[s])
    left = remaining(study, coming, planned_trials, ended)
    flops_left = None if isinstance(study.model, CustomConfig) else flops_of(left)
    return StudyProgress(done.total(), sum(planned.values()), missing, flops_left=flops_left)


def expected(study: Study, decisions: Decisions) -> list[TrialRequest]:
    """The trials of the nominal plan; of a star, the looks that it took once it is over."""
    is_star = study.target.check == "star"
    return nominal(study, star.expected_looks(study, decisions)) if is_star else nominal(study)


def repeated_proposals(decisions: Decisions) -> int:
    """How many proposals of the search repeat an earlier one; each such pair is one trial."""
    names = [name for name in decisions if name.startswith(GENERATION)]
    points = [tuple(sorted(p.items())) for name in names for p in decisions[name]["proposals"]]
    return len(points) - len(set(points))


def remaining(
    study: Study, coming: Next, planned: Iterable[TrialRequest], ended: Collection[str]
) -> list[TrialRequest]:
    """The trials that are still to run, as far as they are known; none where all is done.

    Args:
        study: The study.
        coming: What comes next.
        planned: The trials of the nominal plan: those of stages that are not requested yet count.
        ended: The trial_ids that have a row.
    """
    if coming.finished:
        return []
    left = {r.trial_id: r for r in coming.requested if r.trial_id not in ended}
    requested = Counter(_stage_and_value(study, request) for request in coming.requested)
    for request in planned:
        key = _stage_and_value(study, request)
        requested[key] -= 1
        if requested[key] < 0:
            left.setdefault(request.trial_id, request)
    return list(left.values())


def flops_of(requests: Iterable[TrialRequest]) -> float:
    """Training FLOPs of requests that run to their end."""
    return sum(training_flops(request.config) for request in requests)


def _stage_and_value(study: Study, request: TrialRequest) -> tuple[str, int]:
    return request.asked_by, request.config.axis_value(study.axis)
