"""Progress of a study: trials that ended, trials that are planned, and what each stage lacks."""

import pytest

from mutransfer.sweep.plan import estimate, progress
from tests.sweep.conftest import TINY, study_of
from tests.sweep.planted import play

STUDY = study_of(TINY)
N_SEARCH, N_ALL = 4, 32


@pytest.fixture(scope="module")
def searched():
    """Decisions and table of a study whose search is over."""
    return play(STUDY, until=lambda name: name == "centre")[:2]


def test_what_later_stages_lack_is_estimated_from_the_nominal_plan(searched):
    decisions, table = searched
    at_start = progress.progress(STUDY, {}, table[:0])
    assert (at_start.done, at_start.planned) == (0, N_ALL)
    after_search = progress.progress(STUDY, decisions, table)
    assert (after_search.done, after_search.planned) == (N_SEARCH, N_ALL)
    assert dict(at_start.missing) == {"search": N_SEARCH, **dict(after_search.missing)}
    whole = estimate.nominal_cost(STUDY, estimate.stages(STUDY, {})).flops
    assert at_start.flops_left == pytest.approx(whole)
    assert after_search.flops_left == pytest.approx(whole - table["flops"].sum())


def test_a_search_without_a_loss_says_why_it_cannot_go_on(searched):
    decisions, table = searched
    dead = table.assign(status="diverged", val_loss=None)
    before = {name: content for name, content in decisions.items() if name != "centre"}
    assert "no trial of the search gave a loss" in progress.progress(STUDY, before, dead).note


def test_a_finished_study_is_not_under_way():
    decisions, table, _ = play(STUDY)
    at_end = progress.progress(STUDY, decisions, table)
    assert at_end.finished and at_end.done == at_end.planned == len(table) >= N_ALL
    assert at_end.flops_left == 0.0


def test_proposals_that_repeat_earlier_ones_are_counted():
    generations = {"search-000": {"proposals": [{"lr": 1.0}, {"lr": 2.0}]},
                   "search-001": {"proposals": [{"lr": 2.0}, {"lr": 2.0}, {"lr": 3.0}]},
                   "centre": {"search_best": {"lr": 1.0}}}  # fmt: skip
    assert progress.repeated_proposals(generations) == 2
    assert progress.repeated_proposals({"search-000": generations["search-000"]}) == 0
