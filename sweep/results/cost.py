"""The cost of a study that runs or ran: all its rows, and attempts that were run again."""

from collections import Counter

import pandas as pd

from mutransfer.analysis.verdict.cost import Cost, cost_of_table
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store


def spent(study: Study, store: Store, table: pd.DataFrame) -> Cost:
    """The cost so far of a study whose trials have the rows ``table``."""
    retried: Counter[str] = Counter()
    for attempt in store.retried():
        retried[attempt["asked_by"]] += attempt["flops"]
    runs = rundir.reference_runs(store, study)
    return cost_of_table(table, runs, retried_flops=retried)
