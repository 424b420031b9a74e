"""The cost in words: one table with the alternative, sentences, and how far a study is."""

from dataclasses import replace

import pytest

from mutransfer.analysis.reporting.contents import ReportInputs, StudyProgress
from mutransfer.analysis.reporting.cost import (
    AT_TARGET,
    COUNTED,
    cost_sentences,
    cost_table,
    progress_text,
)
from mutransfer.analysis.reporting.sections import cost_section
from mutransfer.analysis.verdict.cost import ReferenceRuns, total

STAGES = {"search": (5, 1e9), "slices": (30, 4e9), "target": (10, 2e10)}
RUNS = ReferenceRuns(target_flops=2e9, production_flops=1e10, n_searched=5)
COST = total(STAGES, RUNS)


def test_the_table_has_each_stage_the_whole_and_the_alternative() -> None:
    table = cost_table(COST)
    assert table.columns == ("stage", "trials", "FLOPs", "target runs", "production")
    rows = {row[0]: row[1:] for row in table.rows}
    assert list(rows) == [*STAGES, "all", AT_TARGET]
    assert rows["all"] == ("45", "2.5e+10", "12.5", "250 %")
    assert rows[AT_TARGET] == ("5", "1e+10", "5", "100 %")
    assert rows["search"] == ("5", "1e+09", "0.5", "10 %")


def test_what_is_not_known_has_no_column_and_no_flops_no_table() -> None:
    without = cost_table(total(STAGES, replace(RUNS, production_flops=None)))
    assert without.columns == ("stage", "trials", "FLOPs", "target runs")
    assert cost_table(total(STAGES, ReferenceRuns())).columns == ("stage", "trials", "FLOPs")
    assert cost_table(total({"unknown": (3, 0.0)}, RUNS)).rows == ()


def test_the_sentences_say_the_whole_first_and_what_is_counted() -> None:
    whole, units, tuning, counted = cost_sentences(COST, "width 64")
    assert "diverged and failed ones included, cost 12.5 target runs (250 % of the" in whole
    assert "the search alone 0.5 target runs (10 %" in whole
    assert units == "One target run, at width 64, is 2 GFLOP; the production run 10 GFLOP."
    assert "costs 5 target runs (100 % of the production run), 0.4 times as much: 5 HP" in tuning
    assert counted == COUNTED and "coordinate check" in counted
    assert cost_sentences(COST, "width 64", planned=True)[0].startswith(
        "All trials will cost about"
    )
    lost = " ".join(cost_sentences(total(STAGES, RUNS, n_trials_without_flops=2), "width 64"))
    assert "FLOPs of 2 trial(s) are not known" in lost
    assert cost_sentences(total(STAGES, ReferenceRuns()), "width 64") == ()


def test_how_far_a_study_is_adds_what_is_left_to_what_was_spent() -> None:
    assert progress_text(COST, 5e9) == "12.5 of 15 target runs"
    assert progress_text(COST, 0.0) == "12.5 of 12.5 target runs"
    assert progress_text(COST, None) == "12.5 target runs"
    assert progress_text(total(STAGES, ReferenceRuns()), 5e9) == ""


@pytest.mark.parametrize("has_verdict", [True, False])
def test_the_report_has_the_cost_with_and_without_a_verdict(
    inputs: ReportInputs, has_verdict: bool
) -> None:
    changes = {} if has_verdict else {"verdict": None, "question": None}
    part = replace(inputs, cost=COST, target_at=64, **changes)
    section = cost_section(part)
    assert section.tables == (cost_table(COST),)
    assert section.text == cost_sentences(COST, "width 64")
    under_way = replace(part, progress=StudyProgress(45, 50, flops_left=5e9))
    assert cost_section(under_way).text[0] == "So far: 12.5 of 15 target runs."
    assert cost_section(replace(inputs, cost=None)).is_empty
