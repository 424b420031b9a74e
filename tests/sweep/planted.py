"""Studies that run with a planted law in place of training."""

import math
from pathlib import Path

from mutransfer.analysis import table as results
from mutransfer.proxies.training.flops import training_flops
from mutransfer.sweep.plan import next_trials
from mutransfer.sweep.plan.request import TrialRequest, trial
from mutransfer.sweep.run import driver, worker
from mutransfer.sweep.spec.study import Study
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from tests.sweep.conftest import TINY

CONVERGENCE = "convergence: {default_lr: 2^-10, n_val: 6, seeds: 2, points: 3}"
WITH_CONVERGENCE = TINY.rstrip() + f"\n    {CONVERGENCE}\n"

SPENT = {"done": 1.0, "diverged": 0.5, "failed": 0.25}  # share of the steps that ran


def row(request: TrialRequest, outcome) -> dict:
    """A row as the worker writes it, with a planted loss (None: diverged half-way)."""
    status = "failed" if outcome == "failed" else "diverged" if outcome is None else "done"
    value = outcome if status == "done" else None
    return {**worker.identity_columns(request, "tiny"), "status": status, "val_loss": value,
            "flops": training_flops(request.config) * SPENT[status], "train_s": 1.0}  # fmt: skip


def parabola(config) -> float:
    return 1 + 0.02 * (math.log2(config.hps.lr) + 6.3) ** 2 + 1e-4 * config.seed


def play(
    study,
    law=parabola,
    order=lambda requests: requests,
    until=lambda name: False,
    decisions=None,
    at_once=3,
):
    """Run the study with a planted law; returns decisions, table and plan at its end.

    ``order`` permutes the requests that finish first; ``until`` stops after a decision; the study
    starts with ``decisions``; ``at_once`` trials finish between two plans.
    """
    decisions, rows = dict(decisions or {}), {}
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
        for request in order(plan.trials)[:at_once]:
            assert request.trial_id not in rows
            rows[request.trial_id] = row(request, law(request.config))


def a_row(tiny, seed: int = 1, **values) -> dict:
    """A row of stage `set` at width 16."""
    request = TrialRequest(
        config=trial(tiny, axis_value=16, arm="mup", hps={"lr": 0.01}, seed=seed), asked_by="set"
    )
    return {**worker.identity_columns(request, "tiny"), "status": "done", "val_loss": 0.5, **values}


def write_trial(
    study: Study, store: Store, lr: float, outcome, *, stage="search", at=16, seed=0, arm="mup"
) -> None:
    """Write the row of a trial with a planted outcome and its curve, cut off unless it is done."""
    config = trial(study, axis_value=at, arm=arm, hps={"lr": lr}, seed=seed)
    curve = [{"step": 3, "val_loss": 0.9}, {"step": 6, "val_loss": 0.5}]
    times = {
        "started_at": f"2026-01-02T03:04:{len(store.rows()):02d}+00:00",
        "finished_at": f"2026-01-02T03:05:{len(store.rows()):02d}+00:00",
    }
    more = {"diverged_step": 4} if outcome is None else {}
    more |= {"error": "OSError: lost"} if outcome == "failed" else {}
    done = isinstance(outcome, float)
    store.write_row(row(TrialRequest(config=config, asked_by=stage), outcome) | times | more,
                    curve if done else curve[:1])  # fmt: skip


def filled_run(tiny: Study, folder: Path) -> Store:
    """A run directory with a finished, a diverged and a failed trial of the search, and a slice's.

    The trial of the slice is at another width, with an LR beyond the range of the search.
    """
    store = Store(str(folder))
    rundir.claim(store, tiny)
    for lr, outcome in ((2**-6, 0.5), (2**-5, None), (2**-7, "failed")):
        write_trial(tiny, store, lr, outcome)
    write_trial(tiny, store, 2**-11, 0.7, stage="slices", at=32, seed=1)
    return store


def played_run(
    study: Study, folder: Path, law=parabola, until=lambda state: False, store=None
) -> Store:
    """A run directory of a study that has finished with a planted law, as `run` leaves it.

    Each done trial has a curve. ``until`` stops earlier; an unfinished run goes on.
    """
    store = store or Store(str(folder))
    rundir.claim(store, study)
    state = driver.State.load(study, store)
    while not state.next.finished and not until(state):
        for request in state.next.trials:
            outcome = law(request.config)
            curve = [{"step": 6, "val_loss": outcome}] if isinstance(outcome, float) else []
            seconds = len(state.rows)
            at = f"2026-01-02T03:{seconds // 60:02d}:{seconds % 60:02d}+00:00"
            store.write_row(row(request, outcome) | {"started_at": at}, curve)
            state.finished(request.trial_id)
        state.advance()
    return store
