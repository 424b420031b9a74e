"""The inputs of a report: progress in words, and all plots."""

from dataclasses import replace

from mutransfer.analysis.figures.convergence import convergence_info
from mutransfer.analysis.reporting.contents import ReportInputs, StudyProgress, all_plots
from mutransfer.analysis.transfer.speed_up import compare_convergence
from tests.analysis import planted_curves


def test_progress_names_the_missing_stages_and_the_obstacle() -> None:
    progress = StudyProgress(5, 40, (("search", 3),), note="It cannot go on: disk full")
    assert progress.sentence == (
        "Under way: 5 of about 40 trials. Still missing: 3 of search. It cannot go on: disk full"
    )
    assert "the next stages" in StudyProgress(5, 40).sentence


def test_a_study_is_under_way_until_it_is_finished(inputs: ReportInputs) -> None:
    assert not inputs.is_under_way
    assert replace(inputs, progress=StudyProgress(5, 40)).is_under_way
    assert not replace(inputs, progress=StudyProgress(40, 40, finished=True)).is_under_way


def test_the_plots_include_convergence_where_it_is_compared(inputs: ReportInputs) -> None:
    assert {"loss_lr", "search"} <= set(all_plots(inputs)) and "convergence" not in all_plots(
        inputs
    )
    table, curves = planted_curves.tables()
    result = compare_convergence(table, curves, planted_curves.COMPARISON)
    info = convergence_info(table, curves, result)
    assert "convergence" in all_plots(replace(inputs, convergence_info=info))
