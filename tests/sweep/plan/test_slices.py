"""Slices on the lattice: extension, hard limits, refinement."""

import dataclasses
import math

import pytest

from mutransfer.analysis.verdict.judge import judge
from mutransfer.sweep.plan import next_trials, slices
from mutransfer.sweep.plan.question import study_question
from mutransfer.sweep.spec import reader
from tests.sweep.conftest import STAR, TINY, study_of
from tests.sweep.planted import play


def test_slices_lie_on_one_lattice_shared_by_widths_and_arms(played):
    _, table, _ = played
    slices = table[table["asked_by"] == "slices"]
    log2_lr = slices["hp.lr"].map(math.log2)
    assert ((log2_lr - log2_lr.round()).abs() < 1e-6).all()
    by_width = slices.groupby(["width", "arm"])["hp.lr"].apply(set)
    assert len(set.intersection(*by_width)) >= 3


def test_a_slice_is_extended_to_its_minimum_but_not_past_max_extend():
    wide = dataclasses.replace(
        study_of(TINY), transfer=dataclasses.replace(study_of(TINY).transfer, max_extend=4)
    )

    def law(config):  # the optimum of width 8 lies three octaves from that of the search width
        best = -6 if config.width != 8 or config.arm == "sp" else -9
        return 1 + 0.02 * (math.log2(config.hps.lr) - best) ** 2 + 1e-4 * config.seed

    def left_end(study):
        _, table, _ = play(study, law)
        rows = table[(table["width"] == 8) & (table["arm"] == "mup")]
        return round(math.log2(rows["hp.lr"].min()))

    assert left_end(wide) == -11  # two worse values left of -9
    short = dataclasses.replace(wide, transfer=dataclasses.replace(wide.transfer, max_extend=1))
    assert left_end(short) > left_end(wide)


def test_a_declared_hard_limit_is_never_passed():
    limited = study_of(TINY.replace("max: 2^-5}", "max: 2^-5, hard_max: 2^-5}"))

    def falling(config):  # ever better to the right: a slice would extend without end
        return 3 - 0.1 * math.log2(config.hps.lr) * -1 + 1e-4 * config.seed

    _, table, _ = play(limited, falling)
    assert table["hp.lr"].max() <= 2**-5
    _, free, _ = play(study_of(TINY), lambda c: 3 - 0.1 * (math.log2(c.hps.lr) + 20))
    assert free["hp.lr"].max() > 2**-5


def test_refinement_adds_half_spacings_around_the_best(played):
    refined = study_of(TINY.replace("refine: false", "refine: true"))
    _, table, _ = play(refined)
    log2_lr = (
        table[(table["width"] == 8) & (table["arm"] == "mup")]["hp.lr"].map(math.log2).round(3)
    )
    assert {-6.5, -5.5} <= set(log2_lr)
    _, coarse, _ = played
    assert not ({-6.5, -5.5} & set(coarse["hp.lr"].map(math.log2).round(3)))


AT_8 = "control: none, at: {8: {points: 9, spacing_log2: 0.5, seeds: 3}}}"
LADDER_OF_SIZES = STAR.replace("control: none}", AT_8).replace("{width: 16,", "{width: 8,")


def test_single_axis_values_have_slices_of_their_own_size():
    study = study_of(LADDER_OF_SIZES)
    centre = {"lr": 2.0**-7, "init_std": 1.0}
    trials = {
        plan.axis_value: slices.requested_trials(study, plan, None, {})
        for plan in slices.ladder(study, centre)
    }
    assert {at: len(requests) for at, requests in trials.items()} == {8: 27, 16: 6}
    at_8 = sorted({math.log2(request.config.hps.lr) for request in trials[8]})
    assert at_8 == pytest.approx([-9 + k / 2 for k in range(9)], abs=1e-5)
    assert {request.config.seed for request in trials[16]} == {1, 2}


def test_a_size_that_is_the_usual_one_changes_no_trial():
    usual = STAR.replace("control: none}", "control: none, at: {8: {points: 3, seeds: 2}}}")
    ids = [request.trial_id for request in next_trials.nominal(study_of(usual))]
    assert ids == [request.trial_id for request in next_trials.nominal(study_of(STAR))]
    others = {request.trial_id for request in next_trials.nominal(study_of(LADDER_OF_SIZES))}
    assert not others >= set(ids)  # the control


def test_a_ladder_of_sizes_is_judged_with_all_its_seeds():
    """The narrowest width has most of the runs, the widest one seed."""
    one_seed = LADDER_OF_SIZES.replace("refine: false, seeds: 2", "refine: false, seeds: 1")
    study = study_of(one_seed)

    def law(config) -> float:
        noise = 2e-4 * math.sin(1e3 * config.hps.lr + config.seed)
        return 1 + 0.05 * (math.log2(config.hps.lr) + 6.8) ** 2 + noise

    decisions, table, _ = play(study, law)
    question = study_question(study, decisions)
    assert question.ladder_seeds(8) == (1, 2, 3) and question.ladder_seeds(16) == (1,)
    assert judge(table, question).verdict == "PASS"
    lone = dataclasses.replace(question, seeds_at={})  # the control: no noise is known
    assert judge(table, lone).verdict != "PASS"


def test_a_run_directory_keeps_the_sizes_of_single_axis_values():
    study = study_of(LADDER_OF_SIZES)
    stored = reader.from_resolved(study.resolved())
    assert stored.transfer == study.transfer and stored.transfer.size_at(8).points == 9
    assert next_trials.nominal(stored) == next_trials.nominal(study)
