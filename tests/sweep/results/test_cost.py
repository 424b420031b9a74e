"""What a study has cost, from its run directory, beside what was planned."""

from dataclasses import replace

import pytest

from mutransfer.proxies.training.flops import training_flops
from mutransfer.sweep.plan import estimate
from mutransfer.sweep.plan.next_trials import nominal
from mutransfer.sweep.plan.request import trial
from mutransfer.sweep.results.analyze import report_inputs
from mutransfer.sweep.results.cost import spent
from mutransfer.sweep.run import driver
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from tests.sweep.conftest import TINY, study_of
from tests.sweep.planted import SPENT, write_trial
from tests.sweep.results.conftest import PlantedRun

PRODUCTION = "    production: {width: 64, steps: 600, batch_size: 32}\n"


def test_a_study_that_is_not_extended_costs_what_was_planned(tmp_path):
    study = study_of(TINY.replace("max_extend: 1", "max_extend: 0").rstrip() + "\n" + PRODUCTION)
    planned = estimate.nominal_cost(study, estimate.stages(study, {}))
    store = Store(str(tmp_path))
    rundir.claim(store, study)
    driver.run_inline(driver.State.load(study, store))
    table = store.table()
    assert (table["diverged_step"].dropna() == study.train.steps).all()  # earlier ones cost less
    assert spent(study, store, table) == planned
    assert spent(study, store, table.iloc[1:]).flops < planned.flops  # the control


def test_failed_and_diverged_attempts_count_also_after_a_retry(tiny, tmp_path):
    store = Store(str(tmp_path))
    rundir.claim(store, tiny)
    for lr, outcome in ((2**-6, 0.5), (2**-5, None), (2**-7, "failed")):
        write_trial(tiny, store, lr, outcome)
    before = spent(tiny, store, store.table())
    config = trial(tiny, axis_value=16, arm="mup", hps={"lr": 2**-6}, seed=0)
    one = training_flops(config)
    assert before.n_trials == 3 and before.flops == pytest.approx(one * sum(SPENT.values()))
    assert before.target_runs == before.flops / training_flops(replace(config, width=32))
    store.forget_failed()
    after = spent(tiny, store, store.table())
    assert (after.n_trials, after.flops) == (2, before.flops)
    write_trial(tiny, store, 2**-7, 0.6)
    retried = spent(tiny, store, store.table())
    assert (retried.n_trials, retried.flops) == (3, pytest.approx(before.flops + one))


def test_the_report_and_the_verdict_tell_the_same_cost(planted_run: PlantedRun):
    study, store = planted_run
    inputs = report_inputs(study, store)
    assert inputs.cost == inputs.verdict.cost == spent(study, store, store.table())
    assert inputs.cost.flops == store.table()["flops"].sum() and inputs.target_at == 32


def test_tuning_at_the_target_is_the_search_there(planted_run: PlantedRun):
    study, store = planted_run
    searched = [request for request in nominal(study) if request.asked_by == "search"]
    assert {request.config.width for request in searched} == {16}
    at_target = sum(training_flops(replace(request.config, width=32)) for request in searched)
    cost = spent(study, store, store.table())
    assert cost.tuning_at_target.flops == pytest.approx(at_target)
    assert cost.tuning_at_target.flops != pytest.approx(cost.by_stage["search"].flops)
