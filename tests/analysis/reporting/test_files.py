"""The files of an analysis, and the report of a table in one call."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from mutransfer.analysis.reporting.contents import ReportInputs, StudyProgress
from mutransfer.analysis.reporting.files import report, report_files, table_inputs, to_dict
from mutransfer.analysis.verdict.external import judge_table
from mutransfer.analysis.verdict.verdict_file import read_verdict
from tests.analysis.external_tables import MAPPING, results, saved


def test_the_report_of_a_frame_is_a_page_with_figures_and_a_verdict(tmp_path: Path) -> None:
    result = judge_table(results(), columns=MAPPING)
    page = report(result, tmp_path / "out")
    assert page == tmp_path / "out/report.html"
    text = page.read_text(encoding="utf-8")
    assert "<svg" in text and result.sentence.split(":")[0] in text
    assert "mutransfer analyze table" not in text
    assert read_verdict(tmp_path / "out/verdict.json") == result.full_verdict
    plots = {path.name for path in (tmp_path / "out/plots").iterdir()}
    assert {"loss_lr.svg", "drift_lr.pdf", "regret_lr.png"} <= plots


def test_the_report_of_a_file_has_the_command_that_makes_it_again(tmp_path: Path) -> None:
    inputs = table_inputs(judge_table(saved(results(), tmp_path), columns=MAPPING))
    assert inputs.run_info["command"] == "mutransfer analyze t.csv"


def test_a_folder_that_cannot_be_written_is_an_os_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OSError, match="out"):
        report(judge_table(results(), columns=MAPPING), tmp_path / "out")


def test_without_a_verdict_there_is_no_verdict_file(inputs: ReportInputs) -> None:
    progress = StudyProgress(5, 40, (("search", 3),))
    early = replace(inputs, df=inputs.df[:0], verdict=None, question=None, progress=progress)
    files = report_files(early)
    assert "verdict.json" not in files and list(files)[-1] == "report.html"
    content = to_dict(early)
    assert content["verdict"] is None and content["progress"]["done"] == 5
    finished = to_dict(inputs)
    assert "progress" not in finished and json.loads(json.dumps(finished)) == finished
