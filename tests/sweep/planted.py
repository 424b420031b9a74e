"""Studies that run with a planted law in place of training."""

import math

from mutransfer.analysis import table as results
from mutransfer.sweep.plan import next_trials
from mutransfer.sweep.plan.request import TrialRequest, trial
from mutransfer.sweep.run import worker
from tests.sweep.conftest import TINY

CONVERGENCE = "convergence: {default_lr: 2^-10, n_val: 6, seeds: 2, points: 3}"
WITH_CONVERGENCE = TINY.rstrip() + f"\n    {CONVERGENCE}\n"


def row(request: TrialRequest, outcome) -> dict:
    """A row as the worker writes it, with a planted loss (None: diverged)."""
    status = "failed" if outcome == "failed" else "diverged" if outcome is None else "done"
    value = outcome if status == "done" else None
    return {**worker.identity_columns(request, "tiny"), "status": status, "val_loss": value,
            "flops": 1.0, "train_s": 1.0}  # fmt: skip


def parabola(config) -> float:
    return 1 + 0.02 * (math.log2(config.hps.lr) + 6.3) ** 2 + 1e-4 * config.seed


def play(study, law=parabola, order=lambda requests: requests, until=lambda name: False):
    """Run the study with a planted law; returns decisions, table and plan at its end.

    ``order`` permutes the requests that finish first; ``until`` stops after a decision.
    """
    decisions, rows = {}, {}
    while True:
        table = results.from_rows(rows[i] for i in sorted(rows))
        plan = next_trials.next_trials(study, decisions, table)
        if plan.finished:
            return decisions, table, plan
        if plan.decision is not None:
            assert plan.decision.name not in decisions
            decisions[plan.decision.name] = plan.decision.content
            if until(plan.decision.name):
                return decisions, table, plan
            continue
        for request in order(plan.trials)[:3]:
            assert request.trial_id not in rows
            rows[request.trial_id] = row(request, law(request.config))


def a_row(tiny, seed: int = 1, **values) -> dict:
    """A row of stage `set` at width 16."""
    request = TrialRequest(
        config=trial(tiny, axis_value=16, arm="mup", hps={"lr": 0.01}, seed=seed), asked_by="set"
    )
    return {**worker.identity_columns(request, "tiny"), "status": "done", "val_loss": 0.5, **values}
