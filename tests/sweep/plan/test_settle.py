"""run --settle: an inconclusive verdict leads to a few more trials, by a decision."""

import json
import math

import numpy as np

from mutransfer.analysis import table as results
from mutransfer.analysis.table.slice import log2_of
from mutransfer.analysis.verdict.judge import judge
from mutransfer.analysis.verdict.proposals import Proposal
from mutransfer.sweep.plan import lattice, next_trials, settle
from mutransfer.sweep.plan.question import study_question
from tests.sweep.conftest import TINY, study_of
from tests.sweep.planted import play, row


def noisy(config) -> float:
    """A parabola with noise too large for two seeds, the same for the same trial."""
    u = math.log2(config.hps.lr) + 6.3
    rng = np.random.default_rng([config.seed, config.width, round(1e4 * (u + 20))])
    return float(1 + 0.02 * u**2 + rng.normal(0, 0.03))


def verdict_on(study, decisions, table):
    return judge(table, study_question(study, decisions))


def test_an_inconclusive_verdict_proposes_trials_and_settle_runs_exactly_these(tiny):
    decisions, table, _ = play(tiny, noisy)
    verdict = verdict_on(tiny, decisions, table)
    assert verdict.verdict == "INCONCLUSIVE" and verdict.settle
    json.dumps(verdict.to_dict(), allow_nan=False)
    more = decisions | {
        "settle-000": settle.content(tiny, verdict.settle, decisions, verdict.sentence)
    }
    requested = next_trials.next_trials(tiny, more, table).trials
    n_proposed = sum(p.n_trials for p in verdict.settle)
    assert 0 < len(requested) <= n_proposed
    assert not {r.trial_id for r in requested} & set(table["trial_id"])
    rows = [*table.to_dict("records"), *(row(r, noisy(r.config)) for r in requested)]
    after = results.from_rows(rows)
    assert next_trials.next_trials(tiny, more, after).finished
    codes = {c.code for c in verdict_on(tiny, more, after).set.causes}
    assert "missing_runs" not in codes


def test_more_seeds_at_the_target_count_for_the_question(tiny):
    decisions, _, _ = play(tiny)
    hps = decisions["transferred"]["transferred"]
    extra = {"width": tiny.target.width, "arm": "mup", "hps": hps, "seed": 7}
    more = decisions | {"settle-000": {"trials": [extra], "rests_on": ""}}
    before, after = study_question(tiny, decisions), study_question(tiny, more)
    assert after.target_seeds == (*before.target_seeds, 7)
    assert (before.n_interim, after.n_interim) == (0, 1)
    ladder = {**extra, "width": tiny.search.width}
    other = decisions | {"settle-000": {"trials": [ladder], "rests_on": ""}}
    assert study_question(tiny, other).target_seeds == before.target_seeds


def test_a_pass_leaves_nothing_to_settle(tiny):
    decisions, table, _ = play(tiny)
    verdict = verdict_on(tiny, decisions, table)
    assert (verdict.settle == ()) == (verdict.verdict != "INCONCLUSIVE")


def test_more_seeds_are_those_of_the_values_that_have_been_run():
    """With two HPs both slices ask for the set's own runs, each by the logarithm of its HP."""
    text = TINY.replace("init_std: {value: 1}", "init_std: {log2: [-1, 1]}")
    study = study_of(text.replace("parameters: [lr]", "parameters: [lr, init_std]"))

    def law(config):
        return noisy(config) + 0.02 * (math.log2(config.hps.init_std) - 0.36) ** 2

    chosen = {"lr": 0.0093451, "init_std": 0.912345}
    stored = {"transferred": {"transferred": chosen, "flags": {}, "optima": {}}}
    decisions, table, _ = play(study, law, decisions=stored, at_once=99)
    proposed = proposals_of_seeds(study, decisions, table)
    content = settle.content(study, proposed, decisions, "")
    asked = {name: {t["hps"][name] for t in content["trials"]} for name in ("lr", "init_std")}
    for name, values in asked.items():
        assert values <= set(table[f"hp.{name}"])
    with_it = decisions | {"settle-000": content}
    after = play(study, law, decisions=with_it, at_once=99)
    assert after[2].finished and verdict_on(study, with_it, after[1]).verdict
    # The control: the logarithms alone give other numbers.
    assert all(lattice.value_at(name, log2_of(chosen[name])) != chosen[name] for name in chosen)


def proposals_of_seeds(study, decisions, table) -> tuple[Proposal, ...]:
    """Two more seeds for each value of the target's slices."""
    question = study_question(study, decisions)
    slices = [
        question.slice(table, hp, question.transferred, question.target_at, "mup", (1, 2))
        for hp in question.parameters
    ]
    return tuple(
        Proposal(cause="regret_uncertain", hp=s.hp, arm="mup", axis_value=s.axis_value,
                 at_target=True, log2_x=tuple(s.log2_x), seeds=(3, 4),
                 n_trials=2 * len(s.log2_x), flops=None, settles=None, text="")
        for s in slices
    )  # fmt: skip


def test_no_value_beyond_a_hard_limit_is_settled():
    decisions = {
        "centre": {"centre": {"lr": 2**-6, "init_std": 1.0}},
        "transferred": {"transferred": {"lr": 0.0152, "init_std": 1.0}},
    }
    proposal = Proposal(cause="not_bracketed", hp="lr", arm="mup", axis_value=32, at_target=True,
                        log2_x=(-7.0, -6.0, -4.99, -4.0), seeds=(1, 2), n_trials=8, flops=None,
                        settles=None, text="")  # fmt: skip
    limited = study_of(TINY.replace("max: 2^-5}", "max: 2^-5, hard_max: 2^-5}"))
    asked = [
        {t["hps"]["lr"] for t in settle.content(study, (proposal,), decisions, "")["trials"]}
        for study in (limited, study_of(TINY))
    ]
    assert max(asked[0]) <= 2**-5 < max(asked[1])
    assert asked[0] < asked[1] and len(asked[1]) == 4
