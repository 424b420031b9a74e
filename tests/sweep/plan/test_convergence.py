"""Stage `convergence`: its trials; it changes no other stage."""

import dataclasses
import math

import pytest

from mutransfer.analysis import table as results
from mutransfer.analysis.verdict.judge import judge
from mutransfer.sweep.plan import convergence, next_trials
from mutransfer.sweep.plan.question import study_question
from tests.sweep.conftest import study_of
from tests.sweep.planted import WITH_CONVERGENCE, parabola, play


def law(config) -> float:
    """SP's optimum at width 32, twice the base width, lies an octave below μP's."""
    best = -7.4 if config.arm == "sp" and config.width > 16 else -6.3
    return 1 + 0.02 * (math.log2(config.hps.lr) - best) ** 2 + 1e-4 * config.seed


@pytest.fixture(scope="module")
def study_with():
    return study_of(WITH_CONVERGENCE)


@pytest.fixture(scope="module")
def played_with(study_with):
    """Decisions, table and plan of a study that has run to its end with a planted law."""
    return play(study_with, law)


def test_it_is_off_unless_given_and_then_nothing_else_changes(played_with, tiny):
    without, with_ = play(tiny, law), played_with
    assert "convergence" not in set(without[1]["asked_by"])
    assert list(with_[0]) == [*without[0], "convergence"]
    others = with_[1][with_[1]["asked_by"] != "convergence"]
    assert results.same(without[1], others) == []


def test_sp_is_tuned_at_the_target_and_all_runs_have_the_sections_validations(played_with):
    decisions, table, plan = played_with
    assert plan.finished
    stage = table[table["asked_by"] == "convergence"]
    assert set(stage["width"]) == {32}
    tuned = decisions["convergence"]["lr"]
    assert math.log2(tuned) == pytest.approx(-7.4, abs=0.05)
    curves = stage[stage["n_val"] == 6]
    trained = set(zip(curves["arm"], curves["hp.lr"], strict=True))
    transferred = decisions["transferred"]["transferred"]["lr"]
    assert trained == {("mup", transferred), ("sp", 0.000976562), ("sp", tuned)}
    assert (curves.groupby(["arm", "hp.lr"])["seed"].apply(set) == {1, 2}).all()
    slice_ = stage[stage["n_val"] == 1]
    assert set(slice_["arm"]) == {"sp"} and slice_["hp.lr"].nunique() >= 3


def test_the_decision_is_kept_whatever_happens_to_its_rows(study_with, played_with):
    decisions, table, _ = played_with
    worse = table.copy()
    rows = worse["arm"] == "sp"
    worse.loc[rows, "val_loss"] = 9 - worse.loc[rows, "val_loss"]
    assert next_trials.next_trials(study_with, decisions, worse).finished
    rests_on = {entry["trial_id"] for entry in decisions["convergence"]["rests_on"]}
    assert rests_on <= set(table["trial_id"]) and rests_on


def test_requests_do_not_depend_on_which_trial_finishes_first(study_with, played_with):
    forward = played_with
    backward = play(study_with, law, order=lambda requests: tuple(reversed(requests)))
    assert forward[0] == backward[0]
    assert results.same(forward[1], backward[1]) == []


def test_sp_that_trains_at_no_lr_is_not_tuned(study_with):
    def dead(config):
        return None if config.arm == "sp" and config.width == 32 else parabola(config)

    decisions, _, plan = play(study_with, dead)
    assert plan.finished and decisions["convergence"]["lr"] is None
    assert convergence.comparison(study_with, decisions).sp_tuned is None


def test_the_nominal_plan_counts_it(study_with):
    calm = dataclasses.replace(
        study_with, transfer=dataclasses.replace(study_with.transfer, max_extend=0)
    )
    _, table, _ = play(calm, law)
    nominal = [request.asked_by for request in next_trials.nominal(calm)]
    counts = table["asked_by"].value_counts().to_dict()
    assert {stage: nominal.count(stage) for stage in counts} == counts


def test_with_the_same_number_of_validations_the_trials_of_the_set_are_shared():
    shared = study_of(WITH_CONVERGENCE.replace("n_val: 1}", "n_val: 6}"))
    _, table, _ = play(shared, law)
    stage = table[table["asked_by"] == "convergence"]
    assert "mup" not in set(stage["arm"])  # the transferred set's runs at the target serve


def parabolas(*, mup: float, tuned: float):
    """A law with these log2 of the best LR, ``tuned`` for SP above the base width."""

    def law(config):
        best = tuned if config.arm == "sp" and config.width > 16 else mup
        return 1 + 0.02 * (math.log2(config.hps.lr) - best) ** 2 + 1e-4 * config.seed

    return law


@pytest.mark.parametrize("default_lr", ["2^-8", "0.00390001", "0.0039"])
def test_a_tuned_lr_that_rounds_to_the_default_is_the_default(default_lr):
    """Both are curves of one arm: at the same LR they are the same runs."""
    text = WITH_CONVERGENCE.replace("default_lr: 2^-10", f"default_lr: {default_lr}")
    study = study_of(text.replace("n_val: 1}", "n_val: 6}"))

    decisions, table, plan = play(study, parabolas(mup=-7.0, tuned=-8.0005), at_once=99)
    assert plan.finished
    default = convergence.default_set(study)["lr"]
    candidates = {default, 2**-8}
    assert decisions["convergence"]["lr"] in candidates
    lrs = sorted(table.loc[table["arm"] == "sp", "hp.lr"].unique())
    near = [lr for lr in lrs if abs(math.log2(lr) + 8) < 0.1]
    assert set(near) == candidates  # no third value beside these two
    assert judge(table, study_question(study, decisions)).verdict


def test_a_default_that_differs_from_a_lattice_value_in_its_last_digit_ends_nothing():
    """2^-10 lies halfway between two numbers of 6 digits: the user's may be the other one."""
    text = WITH_CONVERGENCE.replace("default_lr: 2^-10", "default_lr: 0.000976563")
    study = study_of(text.replace("n_val: 1}", "n_val: 6}"))

    decisions, table, plan = play(study, parabolas(mup=-9.0, tuned=-10.0), at_once=99)
    assert plan.finished
    assert {0.000976562, 0.000976563} <= set(table.loc[table["arm"] == "sp", "hp.lr"])
    assert judge(table, study_question(study, decisions)).verdict
