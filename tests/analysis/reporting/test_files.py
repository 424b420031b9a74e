"""The files of an analysis, and the report of a table in one call."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mutransfer.analysis.reporting.contents import ReportInputs, StudyProgress
from mutransfer.analysis.reporting.files import report, report_files, table_inputs, to_dict
from mutransfer.analysis.verdict.external import TableResult, judge_table
from mutransfer.analysis.verdict.verdict_file import read_verdict
from tests.analysis.external_tables import MAPPING, along, results, saved
from tests.sweep.command_line import call


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


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "--tolerance rel_loss=0.005"),
        (
            {"search_at": np.int64(128), "target_at": 256.0, "tolerance": {"abs_loss": 0.01}},
            "--search-at 128 --target-at 256 --tolerance abs_loss=0.01",
        ),
        ({"defaults": {"lr": 2.0**-20}}, f"--tolerance rel_loss=0.005 --default lr={2.0**-20!r}"),
        ({"axis": "steps"}, "--axis steps --tolerance rel_loss=0.005"),
    ],
)
def test_the_report_of_a_file_has_the_command_that_makes_it_again(
    tmp_path: Path, options: dict, words: str
) -> None:
    by_steps = options.get("axis") == "steps"
    path = saved(along("steps", results()) if by_steps else results(), tmp_path, "my runs.csv")
    columns = {k: v for k, v in MAPPING.items() if not (by_steps and v == "width")}
    result = judge_table(path, columns=columns, **options)
    command = table_inputs(result).run_info["command"]
    pairs = ",".join(f"{theirs}={ours}" for theirs, ours in columns.items())
    assert command == f"mutransfer analyze '{path}' --columns {pairs} {words}"
    done = call(tmp_path, *shlex.split(command)[1:], "--json")
    assert json.loads(done.stdout) == result.to_dict()


def test_a_name_that_no_option_can_hold_leaves_the_command_out(tmp_path: Path) -> None:
    path = saved(results().rename(columns={"n": "a,b"}), tmp_path)
    columns = {"a,b" if k == "n" else k: v for k, v in MAPPING.items()}
    assert "command" not in table_inputs(judge_table(path, columns=columns)).run_info
    assert "command" not in table_inputs(judge_table(results(), columns=MAPPING)).run_info


@pytest.mark.parametrize("wrong", [None, {}, "t.csv", results(), TableResult])
def test_what_is_no_result_is_refused_before_a_folder_is_made(tmp_path: Path, wrong) -> None:
    with pytest.raises(TypeError, match=r"result: what judge_table returned; got .*; call judge"):
        report(wrong, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_report_with_numbers_of_numpy_is_written_whole(tmp_path: Path) -> None:
    df = results()
    result = judge_table(df, columns=MAPPING, search_at=df.n.min())
    report(result, tmp_path / "out")
    assert read_verdict(tmp_path / "out/verdict.json") == result.full_verdict


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


def test_the_notes_say_when_one_seed_rules_out_both_words() -> None:
    seen = results(seeds=4)
    own_number = seen.assign(seed=range(len(seen)))
    one = "there is neither PASS nor FAIL"
    for df, is_one in ((results(seeds=1), True), (seen, False), (own_number, False)):
        notes = table_inputs(judge_table(df, columns=MAPPING)).notes
        assert any(one in note for note in notes) == is_one
