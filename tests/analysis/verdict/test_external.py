"""The verdict on a table from elsewhere, in one call, from a DataFrame or a file."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mutransfer.analysis.table.table import TableError
from mutransfer.analysis.verdict.external import judge_table
from mutransfer.analysis.verdict.question import Tolerance
from tests.analysis.external_tables import MAPPING, along, results, saved


def test_a_frame_and_both_files_give_equal_results(tmp_path: Path) -> None:
    df = results(arms=("mup", "sp"))
    before = df.copy()
    frame = judge_table(df, columns=MAPPING)
    pd.testing.assert_frame_equal(df, before)
    files = [saved(df, tmp_path, name) for name in ("t.csv", "t.parquet")]
    for file in (*files, str(files[0])):
        result = judge_table(file, columns=MAPPING)
        assert result.to_dict() == frame.to_dict()
        assert result.caveats == frame.caveats == []
        assert result.name == Path(file).name
    assert frame.name == "table"


def test_the_result_has_word_sentence_and_optima(tmp_path: Path) -> None:
    result = judge_table(results(), columns=MAPPING, tolerance={"rel_loss": 0.01})
    assert result.verdict == "PASS" and result.sentence.startswith("PASS: at width 256")
    assert repr(result) == f"<{result.sentence}>"
    (lr,) = result.hps
    assert [o.axis_value for o in lr.optima] == [64, 128, 256]
    assert lr.target.axis_value == 256 and lr is result.of_hp("lr")
    assert set(result.fits) == {"lr"} and len(result.table) == len(results())
    assert judge_table(results(drift=-1.0), columns=MAPPING).verdict == "FAIL"


def test_options_are_those_of_the_question(tmp_path: Path) -> None:
    by_steps = {"columns": {k: v for k, v in MAPPING.items() if v != "width"}, "axis": "steps"}
    table = along("steps", results())
    result = judge_table(
        table, **by_steps, search_at=128, target_at=256, defaults={"lr": 2.0**-6},
        tolerance=Tolerance(kind="abs_loss", value=0.02),
    )  # fmt: skip
    question = result.question
    assert (question.axis, question.search_at, question.target_at) == ("steps", 128, 256)
    assert question.tolerance.kind == "abs_loss"
    assert "default" in {a.name for a in result.of_hp("lr").alternatives}


def test_what_a_table_cannot_show_is_listed() -> None:
    one_seed = results(seeds=1).drop(columns="seed")
    result = judge_table(one_seed[one_seed["n"] < 256], columns=MAPPING)
    seed, control, drift = result.caveats
    assert "One seed at width 128" in seed and "arm sp" in control and "three widths" in drift


@pytest.mark.parametrize(
    ("change", "options", "message"),
    [
        (lambda d: d, {"axis": "colour", "tolerance": {"loss": 1}}, ["axis: ", "tolerance.kind: "]),
        (lambda d: d, {"tolerance": {"rel_loss": 0.1, "abs_loss": 0.1}}, ["tolerance: one of"]),
        (
            lambda d: d,
            {"tolerance": {"rel_loss": -1}},
            ["tolerance.value: a finite number above 0"],
        ),
        (lambda d: d, {"tolerance": 0.005}, ["tolerance: one of"]),
        (lambda d: d, {"search_at": 9, "target_at": 8}, ["search_at: one", "target_at: one"]),
        (lambda d: d, {"search_at": 0, "target_at": 0}, ["search_at: one", "target_at: one"]),
        (lambda d: d, {"search_at": 9, "defaults": {"zzz": 1}}, ["search_at: one", "got 'zzz'"]),
        (lambda d: d, {"defaults": {"hp.lr": 1}}, ["HPs of the table, without hp. (lr)"]),
        (lambda d: d, {"columns": {}}, ["table: needs a column width", "needs a column val_loss"]),
        (lambda d: pd.concat([d, d[["loss"]]], axis=1), {}, ["table: each column once; got loss"]),
        (lambda d: d.assign(loss="high"), {}, ["table: val_loss: numbers; got 'high'"]),
        (lambda d: d.assign(n=64), {}, ["table: width: transfer needs two widths"]),
    ],
)
def test_wrong_input_is_one_message_with_all_faults(change, options, message) -> None:
    with pytest.raises(TableError) as refused:
        judge_table(change(results()), **{"columns": MAPPING, **options})
    assert isinstance(refused.value, ValueError)
    assert all(part in str(refused.value) for part in message)


def test_a_file_is_named_by_its_path(tmp_path: Path) -> None:
    path = saved(results(), tmp_path)
    for file in (path, str(path)):
        with pytest.raises(TableError) as refused:
            judge_table(file)
        assert str(refused.value).startswith(f"{path}: needs a column width")
    with pytest.raises(TableError, match="got nothing there"):
        judge_table(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"search_at": "32"}, "search_at: a whole number; got '32'; give one"),
        ({"search_at": np.array([64, 128])}, "search_at: a whole number; got array([ 64, 128])"),
        ({"search_at": 64.5}, "search_at: a whole number; got 64.5"),
        ({"target_at": True}, "target_at: a whole number; got True"),
        ({"target_at": float("nan")}, "target_at: a whole number; got nan"),
        ({"target_at": 10**400}, "target_at: a whole number; got 1000"),
        ({"defaults": {"lr": 0}}, "defaults: a finite number above 0 for 'lr'; got 0"),
        ({"defaults": {"lr": -1}}, "above 0 for 'lr'; got -1"),
        ({"defaults": {"lr": float("inf")}}, "above 0 for 'lr'; got inf"),
        ({"defaults": {"lr": "1e-3"}}, "above 0 for 'lr'; got '1e-3'"),
        ({"defaults": {"lr": True}}, "above 0 for 'lr'; got True"),
        ({"defaults": {"lr": (-2) ** 0.5}}, "above 0 for 'lr'; got ("),
        ({"defaults": "lr=1"}, "defaults: a mapping of HPs to numbers; got 'lr=1'"),
        ({"defaults": ["lr"]}, "defaults: a mapping of HPs to numbers; got ['lr']"),
        ({"tolerance": {"rel_loss": "0.01"}}, "tolerance.value: a finite number above 0; got '0.0"),
        ({"tolerance": {"rel_loss": None}}, "tolerance.value: a finite number above 0; got None"),
        ({"tolerance": {"rel_loss": [0.1]}}, "tolerance.value: a finite number above 0; got [0.1]"),
        ({"tolerance": {"rel_loss": True}}, "tolerance.value: a finite number above 0; got True"),
        ({"tolerance": {"rel_loss": 10**400}}, "tolerance.value: a finite number above 0; got 100"),
        ({"tolerance": {"rel_loss": 10**9999}}, "finite number above 0; got an object of type int"),
        ({"tolerance": {"loss": 1}}, "tolerance.kind: one of rel_loss, abs_loss"),
        ({"tolerance": {None: 1}}, "tolerance.kind: one of rel_loss, abs_loss"),
        ({"tolerance": {}}, "tolerance: one of rel_loss, abs_loss"),
        ({"tolerance": None}, "tolerance: one of rel_loss, abs_loss"),
        ({"tolerance": "rel_loss=1"}, "got 'rel_loss=1'; write it like {'rel_loss': 0.005}"),
        ({"axis": ["width"]}, "axis: one of width, batch_size, steps, depth; got ['width']"),
        ({"axis": np.array(["width", "depth"])}, "axis: one of width, batch_size"),
        ({"columns": "lr=hp.lr"}, "columns: a mapping of the table's names to ours, all of them"),
    ],
)
def test_a_wrong_argument_is_refused_before_the_table_is_read(options, message) -> None:
    with pytest.raises(TableError) as refused:
        judge_table("none.csv", **options)
    assert message in str(refused.value) and "\n" not in str(refused.value)


def test_all_wrong_arguments_are_named_together() -> None:
    wrong = {"columns": [], "axis": 1, "search_at": "a", "target_at": [], "tolerance": 1}
    with pytest.raises(TableError) as refused:
        judge_table(None, **wrong, defaults=1)
    places = [line.split(":")[0] for line in str(refused.value).splitlines()]
    assert places == ["table", "axis", "columns", "search_at", "target_at", "tolerance", "defaults"]


def test_numbers_of_numpy_become_those_of_python() -> None:
    df = results()
    plain = {"search_at": 64, "target_at": 256, "tolerance": {"rel_loss": 0.25}}
    expected = judge_table(df, columns=MAPPING, **plain, defaults={"lr": 2.0**-6}).to_dict()
    for integer in (np.int64, np.float32, float):
        result = judge_table(
            df, columns=MAPPING, search_at=integer(64), target_at=integer(df.n.max()),
            tolerance={"rel_loss": np.float32(0.25)}, defaults={"lr": np.float32(2.0**-6)},
        )  # fmt: skip
        assert json.dumps(result.to_dict()) == json.dumps(expected)
        assert type(result.question.search_at) is int
        assert type(result.question.defaults["lr"]) is float
    assert type(Tolerance(kind="abs_loss", value=np.float64(1)).value) is float
    assert type(Tolerance(kind="abs_loss", value=1).value) is int


def test_errors_are_public() -> None:
    from mutransfer import analysis

    assert analysis.TableError is TableError
    assert issubclass(analysis.VerdictError, ValueError)
