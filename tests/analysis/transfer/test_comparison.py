"""The runs that are compared: selected by their HP values, with their validation curves."""

import dataclasses

import pandas as pd

from mutransfer.analysis.transfer.comparison import validation_curves
from tests.analysis import planted_curves
from tests.analysis.planted_curves import COMPARISON, STEPS


def test_runs_are_selected_by_arm_hps_width_seed_and_number_of_validations() -> None:
    table, curves = planted_curves.tables()
    mup = validation_curves(table, curves, COMPARISON, "mup", COMPARISON.mup)
    assert [run.seed for run in mup] == [1, 2]
    # A step without a validation loss is no point of the curve.
    assert all(run.steps.tolist() == STEPS.tolist() for run in mup)
    assert {run.flops_per_step for run in mup} == {2.0}
    sp = validation_curves(table, curves, COMPARISON, "sp", COMPARISON.mup)
    assert sp == []
    once = dataclasses.replace(COMPARISON, n_val=1)
    (run,) = validation_curves(table, curves, once, "mup", COMPARISON.mup)
    assert run.steps.size == 0


def test_a_seed_counts_once_where_two_lrs_differ_in_the_last_digit() -> None:
    table, curves = planted_curves.tables()
    other = table.assign(trial_id=table["trial_id"] + "b", **{"hp.lr": table["hp.lr"] * (1 + 2e-6)})
    both = pd.concat([table, other])
    default = validation_curves(both, curves, COMPARISON, "sp", COMPARISON.sp_default)
    assert [run.seed for run in default] == [1, 2]
    assert validation_curves(other, curves, COMPARISON, "sp", COMPARISON.sp_default) == []


def test_a_run_that_did_not_finish_has_no_flops_per_step() -> None:
    table, curves = planted_curves.tables()
    failed = table.assign(status="failed", val_loss=pd.NA)
    runs = validation_curves(failed, curves, COMPARISON, "mup", COMPARISON.mup)
    assert {(run.status, run.flops_per_step) for run in runs} == {("failed", None)}
