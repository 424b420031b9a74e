"""How far a study is, read from its run directory: nothing is decided or written."""

from collections import Counter

import pandas as pd

from mutransfer.analysis.reporting.contents import Progress
from mutransfer.sweep.errors import RunError
from mutransfer.sweep.plan.next_trials import Decisions, next_trials, nominal
from mutransfer.sweep.spec.study import Study
from mutransfer.words import STAGES


def progress(study: Study, decisions: Decisions, table: pd.DataFrame) -> Progress:
    """Trials that ended and that are known to be wanted, and which stages lack how many.

    What is wanted later depends on what results say, so the number is a lower bound as long as
    the study runs.
    """
    ended = set(table["trial_id"])
    try:
        coming = next_trials(study, decisions, table)
    except RunError as error:
        return Progress(len(ended), len(ended), note=f"It cannot go on: {error}")
    asked = Counter(ask.asked_by for ask in coming.asked)
    done = Counter(ask.asked_by for ask in coming.asked if ask.trial_id in ended)
    if coming.finished:
        return Progress(done.total(), asked.total(), finished=True)
    planned = Counter(ask.asked_by for ask in nominal(study))
    wanted = {stage: max(planned[stage], asked[stage]) for stage in STAGES}
    missing = tuple((s, wanted[s] - done[s]) for s in STAGES if wanted[s] > done[s])
    return Progress(done.total(), sum(wanted.values()), missing)
