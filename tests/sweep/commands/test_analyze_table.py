"""`mutransfer analyze TABLE.csv`: the options, the printed answer, the exit codes."""

import json
import re

import pytest

from mutransfer.analysis import judge_table
from mutransfer.sweep.commands.analyze_table import is_table
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


def test_collapsed_runs_are_counted_and_named_in_a_line_of_the_answer(tmp_path):
    df = results()
    is_stuck = (df["n"] == 128) & (df["arm"] == "mup") & (df["learning_rate"] > 2**-5.5)
    df.loc[is_stuck, "loss"] = 3.0
    for table, expected in ((df, 1), (results(), 0)):
        saved(table, tmp_path)
        for options in ((), ("--tables",)):
            done = call(tmp_path, "analyze", "t.csv", *COLUMNS, *options)
            lines = [x for x in done.stdout.splitlines() if "runs of lr at width 128 coll" in x]
            assert len(lines) == expected, done.stdout
            assert ("Collapsed runs" in done.stdout) == (bool(expected) and bool(options))


def test_a_score_along_parameters_in_a_csv_with_semicolons_is_judged(tmp_path):
    df = results().assign(loss=lambda d: 1.5 - d["loss"])
    df["params"] = df.pop("n").map({64: "10M", 128: "40M", 256: "0.16B"})
    df.to_csv(tmp_path / "t.csv", index=False, sep=";", decimal=",")
    words = ("--columns", "learning_rate=hp.lr,loss=val_loss", "--axis", "params")
    more = ("--goal", "maximize", "--target-at", "160M", "--search-at", "10000000")
    for options in ((), ("--sep", ";", "--decimal", ",")):
        done = call(tmp_path, "analyze", "t.csv", *words, *more, *options)
        assert "at 160M parameters the set tuned at 10M parameters" in done.stdout, done.stderr
        assert "sign turned" in done.stdout


def test_the_mapping_that_is_told_can_be_typed(tmp_path):
    df = results().rename(
        columns={"n": "config.width", "learning_rate": "config.lr", "loss": "val/loss"}
    )
    df = df.rename(columns={"seed": "config.seed"}).assign(State="finished")
    df.drop(columns="arm").to_csv(tmp_path / "t.csv", index=False)
    refused = call(tmp_path, "analyze", "t.csv")
    assert refused.returncode == 2
    told = re.search(r"--columns (\S+)", refused.stderr)
    done = call(tmp_path, "analyze", "t.csv", "--columns", told[1])
    assert "at width 256" in done.stdout and not done.stderr


def test_advice_on_a_table_names_no_command(tmp_path):
    saved(results()[lambda d: d["learning_rate"] > 2.0**-9], tmp_path)
    done = call(tmp_path, "analyze", "t.csv", *COLUMNS, "--tables", "-o", "out")
    assert "Add runs at width 64" in " ".join(done.stdout.split())
    report = (tmp_path / "out/report.html").read_text()
    assert "runs to add" in report and "taken for diverged" in report
    assert not any("mutransfer run" in text or "--settle" in text for text in (done.stdout, report))


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


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--default", "lr=-2^0.5"), "--default: a finite number (2^-8, 3e-4); got '-2^0.5'"),
        (("--default", "lr=0^-1"), "--default: a finite number (2^-8, 3e-4); got '0^-1'"),
        (("--default", "lr=nan"), "--default: a finite number (2^-8, 3e-4); got 'nan'"),
        (("--default", "lr=-1"), "defaults: a finite number above 0 for 'lr'; got -1.0"),
        (("--default", "zzz=1"), "defaults: HPs of the table, without hp. (lr); got 'zzz'"),
        (("--default", "hp.lr=1"), "defaults: HPs of the table, without hp. (lr); got 'hp.lr'"),
        (("--tolerance", "rel_loss=10^400"), "--tolerance: a finite number (2^-8, 3e-4); got '10^"),
        (("--goal", "max"), "goal: one of minimize, maximize; got 'max'; pick one"),
        (("--sep", "::"), "sep: one character between cells, as ','; got '::'; correct it"),
        (("--target-at", "wide"), "--target-at: a value of the axis, a whole number like 256 or"),
        (("--search-at", "0"), "search_at: one of [64, 128, 256] (arm mup); got 0; pick one"),
    ],
)
def test_a_wrong_option_is_named(tmp_path, words, message):
    saved(results(), tmp_path)
    done = call(tmp_path, "analyze", "t.csv", *COLUMNS, *words)
    assert done.returncode == 2
    assert done.stderr.startswith(f"mutransfer: {message}") and done.stderr.count("\n") == 1


def test_a_file_of_another_suffix_is_refused_and_capitals_are_read(tmp_path):
    path = saved(results(), tmp_path)
    for name in ("t.txt", "t.tsv"):
        path = path.rename(tmp_path / name)
        done = call(tmp_path, "analyze", name, *COLUMNS)
        assert done.returncode == 2
        assert f"the path of a .csv or .parquet file; got '{name}'" in done.stderr
    path.rename(tmp_path / "T.CSV")
    done = call(tmp_path, "analyze", "T.CSV", *COLUMNS)
    assert "at width 256" in done.stdout and not done.stderr


def test_the_name_of_a_study_is_no_table(tmp_path):
    (tmp_path / "v1.2").mkdir()
    (tmp_path / "digits").write_text("a file")
    for name in ("digits", "v1.2", "v1.3", "gone.txt"):
        assert not is_table(str(tmp_path / name))
    done = call(tmp_path, "analyze", "v1.3")
    assert done.returncode == 2 and "sweeps.yaml: no such file" in done.stderr
