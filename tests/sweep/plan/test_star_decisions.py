"""The decisions of a star: what they rest on, and that none is made twice."""

import math
import zlib

import numpy as np
import pytest

from mutransfer.analysis import table as results
from mutransfer.analysis.verdict.judge import judge
from mutransfer.sweep.plan import star
from mutransfer.sweep.plan.next_trials import next_trials
from mutransfer.sweep.plan.question import study_question
from tests.sweep.conftest import STAR, study_of
from tests.sweep.planted import CONVERGENCE, parabola, play, row

STUDY = study_of(STAR)
WITH_CONVERGENCE = study_of(STAR.rstrip() + f"\n    {CONVERGENCE}\n")


@pytest.fixture(scope="module")
def starred():
    """Decisions, table and plan of a study whose target is checked by a star."""
    return play(WITH_CONVERGENCE, at_once=99)


def test_a_study_goes_through_the_looks_in_order(starred):
    decisions, table, plan = starred
    names = [name for name in decisions if not name.startswith("search")]
    assert names[:4] == ["centre", "transferred", "star", "look-1"]
    looks = [decisions[name] for name in names if name.startswith("look-")]
    assert [look["look"] for look in looks] == list(range(1, len(looks) + 1))
    assert [look["n_interim"] for look in looks] == list(range(len(looks)))
    assert [look["goes_on"] for look in looks] == [True] * (len(looks) - 1) + [False]
    ids = {request.trial_id for request in plan.requested}
    assert plan.finished and ids == set(table["trial_id"])


@pytest.mark.parametrize(
    ("order", "at_once"),
    [(lambda requests: tuple(reversed(requests)), 1), (lambda r: tuple(r[1::2] + r[::2]), 5)],
)
def test_no_decision_depends_on_which_trial_finished_first(starred, order, at_once):
    decisions, table, _ = play(WITH_CONVERGENCE, order=order, at_once=at_once)
    assert decisions == starred[0]
    assert results.same(table, starred[1]) == []


@pytest.mark.parametrize("name", ["star", "look-1"])
def test_a_decision_that_was_not_written_is_made_again_alike(starred, name):
    """The driver died after the last trial of a batch, before its decision was on disk."""
    decisions, table, plan = play(STUDY, until=lambda made: made == name, at_once=99)
    before = {key: value for key, value in decisions.items() if key != name}
    assert next_trials(STUDY, before, table).decision == plan.decision
    assert plan.decision.content == starred[0][name]
    finished_without = table.iloc[:-1]  # the control: one trial short, nothing is decided
    assert next_trials(STUDY, before, finished_without).decision is None


def test_a_look_is_never_decided_again():
    decisions, table, _ = play(STUDY, at_once=99)
    at_target = (table["width"] == 32) & (table["arm"] == "mup")
    other = table.assign(val_loss=table["val_loss"].where(~at_target, 9.0 - table["hp.lr"] * 50))
    after = next_trials(STUDY, decisions, other)
    assert after.decision is None and after.finished
    last = star.look_name(star.n_begun(decisions))  # the control: it would be another word
    fresh = {name: content for name, content in decisions.items() if name != last}
    made = next_trials(STUDY, fresh, other).decision
    assert made.name == last and made.content != decisions[last]


def test_a_star_rests_on_the_whole_ladder_and_on_nothing_at_the_target(starred):
    decisions, table, _ = starred
    by_id = table.set_index("trial_id")
    of_star = by_id.loc[[entry["trial_id"] for entry in decisions["star"]["rests_on"]]]
    assert set(of_star["width"]) == {8, 16} and set(of_star["arm"]) == {"mup"}
    for look in range(1, star.n_begun(decisions) + 1):
        entries = decisions[star.look_name(look)]["rests_on"]
        assert set(by_id.loc[[entry["trial_id"] for entry in entries]]["width"]) == {32}
    n_runs = [len(decisions[star.look_name(k)]["rests_on"])
              for k in range(1, star.n_begun(decisions) + 1)]  # fmt: skip
    assert n_runs == [3, 5, 10][: len(n_runs)]


def test_the_star_waits_for_a_slice_at_another_width():
    decisions, table, _ = play(STUDY, until=lambda name: name == "transferred", at_once=99)
    left = next_trials(STUDY, decisions, table)
    missing = table[(table["width"] == 8) & (table["arm"] == "mup")]["trial_id"].iloc[:1]
    holed = table[~table["trial_id"].isin(missing)]
    assert set(missing) <= {r.trial_id for r in next_trials(STUDY, decisions, holed).trials}
    rows = [*holed.to_dict("records"), *(row(r, parabola(r.config)) for r in left.trials)]
    assert next_trials(STUDY, decisions, results.from_rows(rows)).decision is None
    rows = [*table.to_dict("records"), *(row(r, parabola(r.config)) for r in left.trials)]
    after = next_trials(STUDY, decisions, results.from_rows(rows))  # the control
    assert after.decision is not None and after.decision.name == "star"


def test_the_question_of_a_look_has_the_seeds_that_ran_and_counts_the_looks_before(starred):
    decisions, _, _ = starred
    of_ladder = {name: decisions[name] for name in ("centre", "transferred", "star")}
    question = study_question(STUDY, of_ladder)
    assert (question.check, question.target_seeds, question.n_interim) == ("star", (1,), 0)
    assert decisions["star"]["looks"][2]["seed"] == 2
    on = of_ladder | {star.look_name(k): {"goes_on": True} for k in (1, 2)}
    question = study_question(STUDY, on)
    assert (question.target_seeds, question.n_interim) == ((1, 2), 2)
    over = on | {star.look_name(3): {"goes_on": False}}
    assert study_question(STUDY, over) == question, "the last look asks what is asked at the end"
    settled = over | {"settle-000": {"rests_on": "", "trials": [
        {"place": 32, "arm": "mup", "hps": {"lr": 0.01}, "seed": 2}]}}  # fmt: skip
    question = study_question(STUDY, settled)
    assert (question.check, question.n_interim) == ("slices", 3)
    grown = over | {"settle-000": {"rests_on": "", "trials": []}}
    assert study_question(STUDY, grown).check == "star"


def one_octave_off(config) -> float:
    """The optimum at the target lies below the transferred value, far from it."""
    shift = 1.0 if config.width == 32 else 0.0
    return 1 + 0.05 * (math.log2(config.hps.lr) + 6.3 + shift) ** 2 + 1e-4 * config.seed


def noisy(config) -> float:
    """Runs differ by more than the tolerance."""
    key = zlib.crc32(f"{config.width} {config.hps.lr} {config.seed}".encode())
    return parabola(config) + 0.05 * float(np.random.default_rng(key).normal())


def test_pass_and_fail_end_the_batches_and_a_loud_study_takes_them_all():
    study = study_of(STAR.replace("points: 3", "points: 5"))
    quiet, apart, loud = (play(study, law, at_once=99) for law in (parabola, one_octave_off, noisy))
    for word, (decisions, table, plan) in (("PASS", quiet), ("FAIL", apart)):
        last = decisions[star.look_name(star.n_begun(decisions))]
        assert (last["word"], last["goes_on"]) == (word, False)
        assert plan.finished and 3 <= (table["width"] == 32).sum() < 10
        assert judge(table, study_question(study, decisions)).verdict == word
    assert (loud[1]["width"] == 32).sum() == 10
    assert loud[0]["look-3"]["word"] == "INCONCLUSIVE"
    # Where the ladder is noisy a look starts with all values.
    first = [len(decisions["star"]["looks"][0]["shares"]) for decisions, _, _ in (quiet, loud)]
    assert first == [3, 5]


def test_a_failed_trial_of_a_star_is_a_row_and_the_study_goes_on():
    def law(config):
        return "failed" if config.width == 32 and config.seed == 1 else parabola(config)

    _, table, plan = play(STUDY, law, at_once=99)
    assert plan.finished and (table["status"] == "failed").any()
