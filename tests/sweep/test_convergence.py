"""Stage `convergence`: what is asked, and that it changes nothing else."""

import dataclasses
import json
import math

import pytest

from mutransfer.analysis import table as results
from mutransfer.analysis.verdict import judge
from mutransfer.sweep.errors import SpecError, UserError
from mutransfer.sweep.plan import convergence, next_trials
from mutransfer.sweep.results import analyze
from mutransfer.sweep.run import driver
from mutransfer.sweep.spec.sections import Convergence
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from tests.sweep.conftest import TINY, study_of
from tests.sweep.test_plan import parabola, play

SECTION = "convergence: {default_lr: 2^-10, n_val: 6, seeds: 2, points: 3}"
WITH = TINY.rstrip() + f"\n    {SECTION}\n"


def law(config) -> float:
    """SP's optimum at width 32, twice the base width, lies an octave below μP's."""
    best = -7.4 if config.arm == "sp" and config.width > 16 else -6.3
    return 1 + 0.02 * (math.log2(config.hps.lr) - best) ** 2 + 1e-4 * config.seed


@pytest.fixture(scope="module")
def asked():
    return study_of(WITH)


@pytest.fixture(scope="module")
def played(asked):
    """Decisions, table and plan of a study that has run to its end with a planted law."""
    return play(asked, law)


def test_off_unless_given_and_then_nothing_else_changes(played, tiny):
    without, with_ = play(tiny, law), played
    assert "convergence" not in set(without[1]["asked_by"])
    assert list(with_[0]) == [*without[0], "convergence"]
    others = with_[1][with_[1]["asked_by"] != "convergence"]
    assert results.same(without[1], others) == []


def test_sp_is_tuned_at_the_target_and_all_are_trained_with_the_sections_validations(played):
    decisions, table, found = played
    assert found.finished
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


def test_the_decision_stands_whatever_happens_to_its_rows(asked, played):
    decisions, table, _ = played
    worse = table.copy()
    rows = worse["arm"] == "sp"
    worse.loc[rows, "val_loss"] = 9 - worse.loc[rows, "val_loss"]
    assert next_trials.next_trials(asked, decisions, worse).finished
    rests_on = {entry["trial_id"] for entry in decisions["convergence"]["rests_on"]}
    assert rests_on <= set(table["trial_id"]) and rests_on


def test_what_is_asked_does_not_depend_on_who_finishes_first(asked, played):
    forward = played
    backward = play(asked, law, order=lambda asks: tuple(reversed(asks)))
    assert forward[0] == backward[0]
    assert results.same(forward[1], backward[1]) == []


def test_sp_that_trains_at_no_lr_is_not_tuned(asked):
    def dead(config):
        return None if config.arm == "sp" and config.width == 32 else parabola(config)

    decisions, _, found = play(asked, dead)
    assert found.finished and decisions["convergence"]["lr"] is None
    assert convergence.comparison(asked, decisions).sp_tuned is None


def test_the_nominal_plan_counts_it(asked):
    calm = dataclasses.replace(asked, transfer=dataclasses.replace(asked.transfer, max_extend=0))
    _, table, _ = play(calm, law)
    nominal = [ask.asked_by for ask in next_trials.nominal(calm)]
    counts = table["asked_by"].value_counts().to_dict()
    assert {stage: nominal.count(stage) for stage in counts} == counts


def test_with_the_studys_own_number_of_validations_the_sets_trials_are_shared():
    shared = study_of(WITH.replace("n_val: 1}", "n_val: 6}"))
    _, table, _ = play(shared, law)
    stage = table[table["asked_by"] == "convergence"]
    assert "mup" not in set(stage["arm"])  # the transferred set's runs at the target serve


def test_faults_are_told_with_the_place():
    text = WITH.replace("n_val: 6", "n_val: 60").replace("width: 32,", "width: 16,")
    with pytest.raises(SpecError) as error:
        study_of(text)
    assert "studies.tiny.convergence.n_val" in str(error.value)
    assert "SP and μP differ at the target width" in str(error.value)
    with pytest.raises(SpecError, match="default_lr"):
        study_of(WITH.replace("default_lr: 2^-10, ", ""))


def test_it_may_be_added_to_a_study_that_has_run_and_grow_but_not_change(asked, tiny, tmp_path):
    store = Store(str(tmp_path))
    rundir.claim(store, tiny)
    assert [c.path for c in rundir.claim(store, asked)] == ["convergence"]
    more = dataclasses.replace(asked, convergence=dataclasses.replace(asked.convergence, seeds=3))
    assert [c.path for c in rundir.claim(store, more)] == ["convergence.seeds"]
    other = dataclasses.replace(more, convergence=Convergence(default_lr=1.0, n_val=6, seeds=3))
    with pytest.raises(UserError, match="default_lr"):
        rundir.claim(store, other)
    with pytest.raises(UserError, match="convergence"):
        rundir.claim(store, tiny)


def test_a_real_study_ends_with_ratios_in_report_and_verdict_json(asked, tmp_path):
    longer = dataclasses.replace(asked, train=dataclasses.replace(asked.train, steps=12))
    store = Store(str(tmp_path))
    rundir.claim(store, longer)
    state = driver.State.load(longer, store)
    driver.run_inline(state)
    found = analyze.material(longer, store)
    assert [s.baseline for s in found.convergence.speed_ups] == ["default", "tuned"]
    assert all(len(s.pairs) == 2 for s in found.convergence.speed_ups if s.kind != "none")
    analyze.write(found, store)
    written = json.loads(store.read_bytes("verdict.json"))
    assert written["convergence"]["width"] == 32
    assert store.exists("plots", "convergence.svg")
    page = store.read_bytes("report.html").decode()
    assert "final loss of SP" in page and "default LR" in page
    # The runs with a curve end in the bits of those without.
    table = store.table()
    sets = table[(table["arm"] == "mup") & (table["width"] == 32) & (table["seed"] == 1)]
    twice = sets.groupby("hp.lr").filter(lambda rows: len(rows) == 2)
    assert set(twice["n_val"]) == {1, 6} and twice["val_loss"].nunique() == 1
    # And the verdict rests on the table without the stage just the same.
    alone = results.from_rows(
        row for row in store.rows().values() if row["asked_by"] != "convergence"
    )
    assert judge.judge(alone, found.question).hps == found.verdict.hps
