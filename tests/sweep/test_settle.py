"""run --settle: an inconclusive verdict asks for a few trials more, through a decision."""

import json
import math

import numpy as np

from analysis import table as results
from analysis.verdict import judge
from sweep import plan, settle
from sweep.question import question
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
    asked = plan.next_trials(tiny, more, table).trials
    wanted = sum(p.n_trials for p in verdict.settle)
    assert 0 < len(asked) <= wanted
    assert not {a.trial_id for a in asked} & set(table["trial_id"])
    rows = [*table.to_dict("records"), *(row(a, noisy(a.config)) for a in asked)]
    after = results.from_rows(rows)
    assert plan.next_trials(tiny, more, after).finished
    codes = {c.code for c in verdict_on(tiny, more, after).set.causes}
    assert "missing_runs" not in codes


def test_more_seeds_at_the_target_count_for_the_question(tiny):
    decisions, _, _ = play(tiny)
    hps = decisions["transferred"]["transferred"]
    extra = {"width": tiny.target.width, "arm": "mup", "hps": hps, "seed": 7}
    more = decisions | {"settle-000": {"trials": [extra], "rests_on": ""}}
    assert question(tiny, more).target_seeds == (*question(tiny, decisions).target_seeds, 7)
    assert (question(tiny, decisions).looks, question(tiny, more).looks) == (0, 1)
    ladder = {**extra, "width": tiny.search.width}
    other = decisions | {"settle-000": {"trials": [ladder], "rests_on": ""}}
    assert question(tiny, other).target_seeds == question(tiny, decisions).target_seeds


def test_a_pass_leaves_nothing_to_settle(tiny):
    decisions, table, _ = play(tiny)
    verdict = verdict_on(tiny, decisions, table)
    assert (verdict.settle == ()) == (verdict.verdict != "INCONCLUSIVE")
