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
        assert result.caveats == frame.caveats
        assert result.caveats == ["27 run(s) without a finite loss are taken for diverged."]
        assert result.to_dict()["notes"] == result.caveats
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
    one_seed = results(seeds=1).drop(columns="seed").dropna()
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
        ({"axis": ["width"]}, "axis: one of width, batch_size, steps, depth, params; got ['width"),
        ({"goal": "max"}, "goal: one of minimize, maximize; got 'max'; pick one"),
        ({"sep": "--", "decimal": "."}, "sep: one character between cells, as ','; got '--'"),
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


def score(**options: object) -> pd.DataFrame:
    """An accuracy of which more is better, with the optima of `results`."""
    return results(**options).assign(loss=lambda d: 1.5 - d["loss"])


def test_a_score_is_judged_as_the_loss_that_it_mirrors() -> None:
    tolerance = {"abs_loss": 0.01}
    losses = judge_table(results(), columns=MAPPING, tolerance=tolerance)
    scores = judge_table(score(), columns=MAPPING, tolerance=tolerance, goal="maximize")
    assert scores.verdict == losses.verdict == "PASS"
    regrets = [result.of_hp("lr").regret.upper for result in (scores, losses)]
    assert regrets[0] == pytest.approx(regrets[1], rel=1e-3)
    assert "score" in scores.sentence and "of the best loss" not in scores.sentence
    assert any("sign turned" in caveat for caveat in scores.caveats)
    assert not any("sign turned" in caveat for caveat in losses.caveats)
    # Minimized, the best accuracy is at the edge.
    assert judge_table(score(), columns=MAPPING, tolerance=tolerance).verdict != "PASS"
    drifting = judge_table(score(drift=-1.0), columns=MAPPING, goal="maximize")
    assert drifting.verdict == "FAIL"


@pytest.mark.parametrize("shift", [-0.465, -2.0])  # losses that change sign; all below 0
def test_a_share_of_a_loss_that_is_not_above_zero_is_refused(shift: float) -> None:
    df = results().assign(loss=lambda d: d["loss"] + shift)
    with pytest.raises(TableError) as refused:
        judge_table(df, columns=MAPPING)
    assert "rel_loss is a share of the best loss, and needs all above 0" in str(refused.value)
    assert "abs_loss" in str(refused.value) and "\n" not in str(refused.value)
    result = judge_table(df, columns=MAPPING, tolerance={"abs_loss": 0.01})
    moved = judge_table(results(), columns=MAPPING, tolerance={"abs_loss": 0.01})
    assert result.verdict == moved.verdict == "PASS"
    # A share of a loss below 0 is none; a regret in loss is.
    assert result.of_hp("lr").regret_percent is None and result.of_hp("lr").regret is not None
    with pytest.raises(TableError, match="needs all above 0"):
        judge_table(df, columns=MAPPING, goal="maximize", tolerance={"rel_loss": 0.01})


def test_a_column_of_status_that_is_not_mapped_keeps_crashed_runs_out() -> None:
    df = results()
    crashed = (df["n"] == 256) & (df["learning_rate"] > 2.0**-7)
    df = df.assign(State=np.where(crashed, "crashed", "finished"))
    df.loc[crashed, "loss"] = 0.01
    result = judge_table(df, columns=MAPPING)
    assert "--columns State=status" in result.caveats[0]
    assert result.of_hp("lr").target.loss > 0.4
    without = judge_table(df.drop(columns="State"), columns=MAPPING)
    assert without.of_hp("lr").target.log2_best > -7  # the control: they count as the best


def test_the_command_of_a_table_asks_the_same(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    score().assign(params="10M").assign(
        params=lambda d: d["n"].map({64: "10M", 128: "40M", 256: "0.16B"})
    ).drop(columns="n").to_csv(path, index=False, sep=";", decimal=",")
    mapping = {"learning_rate": "hp.lr", "loss": "val_loss"}
    result = judge_table(
        path, columns=mapping, axis="params", goal="maximize", sep=";", decimal=",",
        target_at="160M",
    )  # fmt: skip
    words = ("--axis params", "--goal maximize", "--sep ';'", "--decimal ,", "--target-at 1600000")
    assert result.command is not None and all(word in result.command for word in words)
    assert "160M parameters" in result.sentence


N_CASES = 40


def random_table(rng: np.random.Generator) -> pd.DataFrame:
    """A table of one or two HPs on a small lattice or anywhere, often with some odd cells."""
    n = int(rng.integers(0, 90))
    on_lattice = rng.random() < 0.7
    log2_lr = rng.integers(-10, -4, n) if on_lattice else rng.uniform(-12, -4, n)
    columns: dict[str, object] = {
        "width": rng.choice([64, 128, 256], n),
        "hp.lr": 2.0**log2_lr,
        "val_loss": np.round(2 + 0.02 * (log2_lr + 7) ** 2 + rng.normal(0, 0.05, n), 6),
    }
    extra = {
        "seed": rng.integers(0, rng.choice([1, 3, 1000]), n),
        "hp.wd": rng.choice([0.0, 0.1, 0.2, np.nan], n),
        "state": rng.choice(["finished", "crashed", "RUNNING"], n, p=[0.8, 0.1, 0.1]),
        "batch_size": rng.choice([16, 32, 64], n),
        "arm": rng.choice(["mup", "sp"], n),
    }
    columns |= {name: cells for name, cells in extra.items() if rng.random() < 0.3}
    df = pd.DataFrame(columns).astype(object)
    odd = ["", "x", "nan", "1e400", "-inf", "12M", "0", "-3", "finished", "1,5", "2.5", None, 7]
    for name in df.columns[rng.random(len(df.columns)) < 0.1]:
        at = rng.integers(0, max(n, 1), 2)
        df.loc[df.index[at[at < n]], name] = odd[int(rng.integers(len(odd)))]
    if rng.random() < 0.1:
        df["val_loss"] = rng.choice([0.0, 1.0, 1e29])
    return df


@pytest.mark.parametrize("case", range(N_CASES))
def test_any_table_is_judged_or_refused_with_one_line_a_fault(case: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(case)
    df = random_table(rng)
    options = {
        "axis": "batch_size" if case % 10 == 0 else "width",
        "tolerance": [{"rel_loss": 0.005}, {"abs_loss": 0.1}, {"share_of_width_gain": 0.1}][
            case % 3
        ],
        "goal": "maximize" if case % 4 == 0 else "minimize",
    }
    table = df if case % 2 else saved(df, tmp_path)
    try:
        result = judge_table(table, **options)
    except TableError as refused:
        lines = str(refused).splitlines()
        assert lines and all(line.count(";") >= 2 for line in lines), lines
    else:
        assert result.verdict in ("PASS", "FAIL", "INCONCLUSIVE")
        json.dumps(result.to_dict())
