"""`mutransfer analyze TABLE.csv`: the options, the printed answer, the exit codes."""

import json

import pytest

from mutransfer.analysis import judge_table
from tests.analysis.external_tables import MAPPING, results, saved
from tests.sweep.command_line import call

COLUMNS = ("--columns", "n=width,learning_rate=hp.lr,loss=val_loss")


def test_a_table_is_judged_and_its_report_written(tmp_path):
    saved(results(arms=("mup", "sp")), tmp_path)
    done = call(tmp_path, "analyze", "t.csv", *COLUMNS, "--tolerance", "rel_loss=0.01", "-o", "out")
    assert done.returncode == 0, done.stderr
    assert "PASS" in done.stdout
    assert json.loads((tmp_path / "out/verdict.json").read_text())["verdict"] == "PASS"
    assert "<svg" in (tmp_path / "out/report.html").read_text()


def test_json_is_the_data_of_judge_table(tmp_path):
    df = results()
    saved(df, tmp_path)
    options = ("--search-width", "128", "--default", "lr=2^-6", "--tolerance", "abs_loss=0.01")
    done = call(tmp_path, "analyze", "t.csv", *COLUMNS, *options, "--json")
    result = judge_table(
        df, columns=MAPPING, search_at=128, defaults={"lr": 2**-6}, tolerance={"abs_loss": 0.01}
    )
    assert json.loads(done.stdout) == result.to_dict()
    assert done.returncode == (0 if result.verdict == "PASS" else 3)


def test_a_folder_that_cannot_be_written_is_one_message(tmp_path):
    saved(results(), tmp_path)
    (tmp_path / "out").write_text("a file")
    done = call(tmp_path, "analyze", "t.csv", *COLUMNS, "-o", "out")
    assert done.returncode == 2 and "cannot be written" in done.stderr


def test_the_caveat_of_one_seed_is_printed(tmp_path):
    saved(results(seeds=1).drop(columns="seed"), tmp_path)
    done = call(tmp_path, "analyze", "t.csv", *COLUMNS)
    assert done.returncode == 3
    assert "One seed at width 256" in done.stdout and "arm sp" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("none.csv",),
        ("t.csv",),
        ("t.csv", "--columns", "n"),
        ("t.csv", *COLUMNS, "--tolerance", "loss=1"),
        ("t.csv", *COLUMNS, "--tolerance", "rel_loss=-1"),
        ("t.csv", *COLUMNS, "--default", "lr=much"),
        ("t.csv", *COLUMNS, "--target-width", "9"),
        ("t.csv", *COLUMNS, "--axis", "colour"),
    ],
)
def test_wrong_tables_and_options_are_one_message_and_exit_code_2(tmp_path, words):
    saved(results(), tmp_path)
    done = call(tmp_path, "analyze", *words)
    assert done.returncode == 2, done
    assert done.stderr.startswith("mutransfer: ") and "Traceback" not in done.stderr
