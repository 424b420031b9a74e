"""How far a study is, from its decisions and its table; nothing is decided or written."""

from collections import Counter

import pandas as pd

from mutransfer.analysis.reporting.contents import StudyProgress
from mutransfer.proxies.config.recorded import NotRecordedError
from mutransfer.sweep.errors import RunError
from mutransfer.sweep.plan.decisions import Decisions
from mutransfer.sweep.plan.next_trials import next_trials, nominal
from mutransfer.sweep.spec.study import Study
from mutransfer.words import STAGES


def progress(study: Study, decisions: Decisions, table: pd.DataFrame) -> StudyProgress:
    """How many trials ended, how many are planned, and how many each stage still lacks.

    Later requests depend on results, so the planned number is a lower bound as long as the study
    runs.
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
        return StudyProgress(done.total(), requested.total(), finished=True)
    expected = Counter(request.asked_by for request in nominal(study))
    planned = {stage: max(expected[stage], requested[stage]) for stage in STAGES}
    missing = tuple((s, planned[s] - done[s]) for s in STAGES if planned[s] > done[s])
    return StudyProgress(done.total(), sum(planned.values()), missing)
