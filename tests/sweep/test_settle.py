"""run --settle: an inconclusive verdict asks for a few trials more, through a decision."""

import json
import math

import numpy as np

from mutransfer.analysis import table as results
from mutransfer.analysis.verdict.judge import judge
from mutransfer.sweep.plan import next_trials, settle
from mutransfer.sweep.results.question import question
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from tests.sweep.conftest import TINY, study_of
from tests.sweep.test_plan import play, row


def noisy(config) -> float:
    """A parabola with noise that two seeds cannot see through, the same for the same trial."""
    u = math.log2(config.hps.lr) + 6.3
    rng = np.random.default_rng([config.seed, config.width, round(1e4 * (u + 20))])
    return float(1 + 0.02 * u**2 + rng.normal(0, 0.03))


def verdict_on(study, decisions, table):
    return judge(table, question(study, decisions))


def test_an_inconclusive_verdict_names_trials_and_settle_runs_just_these(tiny):
    decisions, table, _ = play(tiny, noisy)
    verdict = verdict_on(tiny, decisions, table)
    assert verdict.verdict == "INCONCLUSIVE" and verdict.settle
    json.dumps(verdict.to_dict(), allow_nan=False)
    more = decisions | {"settle-000": settle.content(verdict.settle, decisions, verdict.sentence)}
    asked = next_trials.next_trials(tiny, more, table).trials
    wanted = sum(p.n_trials for p in verdict.settle)
    assert 0 < len(asked) <= wanted
    assert not {a.trial_id for a in asked} & set(table["trial_id"])
    rows = [*table.to_dict("records"), *(row(a, noisy(a.config)) for a in asked)]
    after = results.from_rows(rows)
    assert next_trials.next_trials(tiny, more, after).finished
    codes = {c.code for c in verdict_on(tiny, more, after).set.causes}
    assert "missing_runs" not in codes


def test_more_seeds_at_the_target_count_for_the_question(tiny):
    decisions, _, _ = play(tiny)
    hps = decisions["transferred"]["transferred"]
    extra = {"width": tiny.target.width, "arm": "mup", "hps": hps, "seed": 7}
    more = decisions | {"settle-000": {"trials": [extra], "rests_on": ""}}
    assert question(tiny, more).target_seeds == (*question(tiny, decisions).target_seeds, 7)
    assert (question(tiny, decisions).n_interim, question(tiny, more).n_interim) == (0, 1)
    ladder = {**extra, "width": tiny.search.width}
    other = decisions | {"settle-000": {"trials": [ladder], "rests_on": ""}}
    assert question(tiny, other).target_seeds == question(tiny, decisions).target_seeds


def test_a_pass_leaves_nothing_to_settle(tiny):
    decisions, table, _ = play(tiny)
    verdict = verdict_on(tiny, decisions, table)
    assert (verdict.settle == ()) == (verdict.verdict != "INCONCLUSIVE")


def test_a_spec_that_grows_once_a_verdict_could_be_seen_counts_as_a_look(tmp_path):
    grown = study_of(TINY.replace("points: 3, seeds: 2", "points: 3, seeds: 3"))
    wider = study_of(TINY.replace("points: 3, seeds: 2", "points: 3, seeds: 4"))
    study, store = study_of(TINY), Store(str(tmp_path))
    rundir.claim(store, study)
    rundir.claim(store, grown)
    assert store.decisions() == {}, "nothing could be seen yet"
    decisions, table, _ = play(grown)
    for name, content in decisions.items():
        store.decide(name, content)
    free = study_of(
        TINY.replace("points: 3, seeds: 2", "points: 3, seeds: 3") + "    loggers: [tensorboard]\n"
    )
    rundir.claim(store, free)
    assert question(free, store.decisions()).n_interim == 0, "what adds no trials is no look"
    rundir.claim(store, wider)
    rundir.claim(store, wider)
    told = store.decisions()
    assert question(wider, told).n_interim == 1
    assert question(wider, told).level > question(grown, decisions).level
    assert told["settle-000"]["grown"] == ["target.seeds: 3 there, 4 in the spec"]
    assert next_trials.next_trials(wider, told, table).trials, "and its trials are asked for"
