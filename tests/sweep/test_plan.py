import dataclasses
import math

import pandas as pd
import pytest

from mutransfer.analysis import table as results
from mutransfer.sweep.errors import RunError
from mutransfer.sweep.plan import next_trials
from mutransfer.sweep.plan.request import TrialRequest, trial
from mutransfer.sweep.run import worker
from tests.sweep.conftest import TINY, study_of


def row(ask: TrialRequest, outcome) -> dict:
    """A row as the worker writes it, with a planted loss (None: diverged)."""
    status = "failed" if outcome == "failed" else "diverged" if outcome is None else "done"
    value = outcome if status == "done" else None
    return {**worker.identity_columns(ask, "tiny"), "status": status, "val_loss": value,
            "flops": 1.0, "train_s": 1.0}  # fmt: skip


def parabola(config) -> float:
    return 1 + 0.02 * (math.log2(config.hps.lr) + 6.3) ** 2 + 1e-4 * config.seed


def play(study, law=parabola, order=lambda asks: asks, until=lambda name: False):
    """Run the study with a planted law instead of training."""
    decisions, rows = {}, {}
    while True:
        table = results.from_rows(rows[i] for i in sorted(rows))
        found = next_trials.next_trials(study, decisions, table)
        if found.finished:
            return decisions, table, found
        if found.decision is not None:
            assert found.decision.name not in decisions
            decisions[found.decision.name] = found.decision.content
            if until(found.decision.name):
                return decisions, table, found
            continue
        for ask in order(found.trials)[:3]:
            assert ask.trial_id not in rows
            rows[ask.trial_id] = row(ask, law(ask.config))


def test_a_study_goes_through_all_stages_once(tiny):
    decisions, table, found = play(tiny)
    assert list(decisions) == ["search-000", "search-001", "centre", "transferred"]
    assert set(table["asked_by"]) == {"search", "slices", "set", "target"}
    assert {a.trial_id for a in found.asked} == set(table["trial_id"])
    transferred = decisions["transferred"]["transferred"]
    assert math.log2(transferred["lr"]) == pytest.approx(-6.3, abs=0.02)


def test_what_is_asked_does_not_depend_on_who_finishes_first(tiny):
    forward = play(tiny)
    backward = play(tiny, order=lambda asks: tuple(reversed(asks)))
    assert forward[0] == backward[0]
    assert results.same(forward[1], backward[1]) == []


def test_at_base_width_both_arms_share_their_trials(tiny):
    config = {"axis_value": 16, "hps": {"lr": 0.01}, "seed": 1}

    def ids(**where):
        made = [trial(tiny, arm=arm, **config | where) for arm in ("mup", "sp")]
        return {TrialRequest(config=one, asked_by="x").trial_id for one in made}

    at_base, wider = ids(), ids(axis_value=32)
    assert len(at_base) == 1 and len(wider) == 2


def test_slices_lie_on_one_lattice_shared_by_widths_and_arms(tiny):
    _, table, _ = play(tiny)
    slices = table[table["asked_by"] == "slices"]
    steps = slices["hp.lr"].map(math.log2)
    assert ((steps - steps.round()).abs() < 1e-6).all()
    by_width = slices.groupby(["width", "arm"])["hp.lr"].apply(set)
    assert len(set.intersection(*by_width)) >= 3


def test_a_slice_is_extended_to_its_minimum_but_not_past_the_limit_of_steps():
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


def test_a_decision_stands_whatever_happens_to_the_rows_it_rests_on(tiny):
    decisions, table, _ = play(tiny)
    worse = table.copy()
    searched = worse["asked_by"] == "search"
    worse.loc[searched, "val_loss"] = 9 - worse.loc[searched, "val_loss"]  # the best is the worst
    assert next_trials.next_trials(tiny, decisions, worse).finished
    without = {name: d for name, d in decisions.items() if name != "centre"}
    assert (
        next_trials.next_trials(tiny, without, worse).decision.content["centre"]
        != (decisions["centre"]["centre"])
    )


def test_a_failed_trial_is_a_row_and_the_study_goes_on(tiny):
    def law(config):
        return "failed" if config.seed == 2 and config.width == 8 else parabola(config)

    _, table, found = play(tiny, law)
    assert found.finished and (table["status"] == "failed").sum() >= 3


def test_a_search_without_any_loss_says_so(tiny):
    with pytest.raises(RunError, match="no trial of the search gave a loss"):
        play(tiny, lambda config: None)


def test_the_nominal_plan_counts_what_a_study_without_extensions_asks_for(tiny):
    calm = dataclasses.replace(tiny, transfer=dataclasses.replace(tiny.transfer, max_extend=0))
    _, table, _ = play(calm)
    nominal = pd.Series([ask.asked_by for ask in next_trials.nominal(calm)]).value_counts()
    assert table["asked_by"].value_counts().to_dict() == nominal.to_dict()


def test_refinement_adds_half_steps_round_the_best():
    refined = study_of(TINY.replace("refine: false", "refine: true"))
    _, table, _ = play(refined)
    steps = table[(table["width"] == 8) & (table["arm"] == "mup")]["hp.lr"].map(math.log2).round(3)
    assert {-6.5, -5.5} <= set(steps)
    _, coarse, _ = play(study_of(TINY))
    assert not ({-6.5, -5.5} & set(coarse["hp.lr"].map(math.log2).round(3)))


def test_decisions_hold_what_they_rest_on(tiny):
    decisions, table, _ = play(tiny)
    for name in ("search-001", "centre", "transferred"):
        ids = {entry["trial_id"] for entry in decisions[name]["rests_on"]}
        assert ids and ids <= set(table["trial_id"])
