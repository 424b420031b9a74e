"""A star in words, in the terminal and in a run directory that is read again."""

import json

import pytest

from mutransfer.sweep.plan import settle
from mutransfer.sweep.plan.next_trials import next_trials
from mutransfer.sweep.plan.question import study_question
from mutransfer.sweep.results.analyze import analyze
from mutransfer.sweep.results.star import looks, plan_sentence, star_sentences
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from tests.sweep.command_line import call
from tests.sweep.conftest import STAR, study_of
from tests.sweep.planted import parabola, play

STUDY = study_of(STAR)


def without_noise_at_search(config):
    """No look decides: with one seed at the search the noise is not known."""
    return "failed" if config.width == 16 and config.seed == 2 else parabola(config)


@pytest.fixture(scope="module")
def star_run(tmp_path_factory):
    """The run directory of a finished study whose star did not decide."""
    folder = tmp_path_factory.mktemp("star")
    store = Store(str(folder / "runs" / "tiny"))
    rundir.claim(store, STUDY)
    decisions, table, _ = play(STUDY, without_noise_at_search, at_once=99)
    for name, content in decisions.items():
        store.decide(name, content)
    for row in table.astype(object).where(table.notna(), None).to_dict("records"):
        store.write_row(row, [])
    return folder, store


def test_what_the_star_was_and_the_word_of_each_look_are_said(star_run):
    folder, store = star_run
    decisions = store.decisions()
    what, words = star_sentences(STUDY, decisions)
    assert what.startswith("Check at width 32, a star of 10 runs: the transferred set; lr at 2^-")
    assert what.count("2^+") == 2 and "two seeds" in what
    assert words == f"So far: {', '.join(f'look {k} INCONCLUSIVE' for k in (1, 2, 3))}."
    status = call(folder, "status", "tiny")
    assert what in status.stdout and words in status.stdout
    as_json = json.loads(call(folder, "status", "tiny", "--json").stdout)
    assert as_json["looks"] == looks(decisions) and len(as_json["looks"]) == 3
    assert as_json["flops_left"] == 0.0
    assert what in call(folder, "analyze", "./runs/tiny").stdout


def test_before_a_star_is_chosen_nothing_is_said_of_it(star_run, tiny):
    decisions = star_run[1].decisions()
    before = {name: content for name, content in decisions.items() if name != "star"}
    assert star_sentences(STUDY, before) == [] and plan_sentence(tiny) == ""
    begun = {name: content for name, content in decisions.items() if "look" not in name}
    (what,) = star_sentences(STUDY, begun)
    assert "a star of 3 runs" in what and "two seeds" not in what


def test_a_star_that_did_not_decide_is_settled_by_slices_in_which_its_runs_count(star_run):
    _, store = star_run
    decisions, table = store.decisions(), store.table()
    verdict = analyze(STUDY, store).verdict
    assert verdict.verdict == "INCONCLUSIVE"
    at_target = [p for p in verdict.settle if p.at_target]
    assert {p.seeds for p in at_target} == {(1, 2)} and sum(p.n_trials for p in at_target) >= 8
    more = decisions | {"settle-000": settle.content(STUDY, verdict.settle, decisions, "")}
    question = study_question(STUDY, more)
    assert (question.check, question.target_seeds, question.n_interim) == ("slices", (1, 2), 3)
    requested = [r for r in next_trials(STUDY, more, table).trials if r.config.width == 32]
    assert requested and {r.asked_by for r in requested} == {"target"}
    steps = 5 if len(requested) == 10 else 4  # one lattice value may be a value of the star
    assert len(requested) == 2 * steps
