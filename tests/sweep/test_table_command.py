"""`mutransfer analyze TABLE.csv` on the command line."""

import json

import pytest

from tests.analysis.test_foreign import results, saved
from tests.sweep.test_cli import call

COLUMNS = ("--columns", "n=width,learning_rate=hp.lr,loss=val_loss")


def test_a_table_is_judged_and_its_report_written(tmp_path):
    saved(results(arms=("mup", "sp")), tmp_path)
    done = call(tmp_path, "analyze", "t.csv", *COLUMNS, "--tolerance", "rel_loss=0.01", "-o", "out")
    assert done.returncode == 0, done.stderr
    assert "PASS" in done.stdout
    assert json.loads((tmp_path / "out/verdict.json").read_text())["verdict"] == "PASS"
    assert "<svg" in (tmp_path / "out/report.html").read_text()


def test_one_seed_is_said_to_be_one(tmp_path):
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
