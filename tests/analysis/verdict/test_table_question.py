"""The question that a table from elsewhere can answer, and its verdict."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mutransfer.analysis.table.external import read_table
from mutransfer.analysis.table.table import TableError
from mutransfer.analysis.verdict.judge import Verdict, judge
from mutransfer.analysis.verdict.question import Tolerance
from mutransfer.analysis.verdict.table_question import table_question
from tests.analysis.external_tables import MAPPING, along, results, saved

TOLERANCE = Tolerance(kind="rel_loss", value=0.01)


def verdict_on(df: pd.DataFrame, folder: Path, **options: object) -> Verdict:
    table = read_table(saved(df, folder), MAPPING)
    return judge(table, table_question(table, tolerance=TOLERANCE, **options))


def test_a_table_from_elsewhere_passes_or_fails_as_its_optima_transfer(tmp_path: Path) -> None:
    assert verdict_on(results(), tmp_path).verdict == "PASS"
    assert verdict_on(results(drift=-1.0), tmp_path).verdict == "FAIL"


def test_the_second_arm_is_the_control(tmp_path: Path) -> None:
    verdict = verdict_on(results(arms=("mup", "sp")), tmp_path)
    assert verdict.of_hp("lr").contrast.differs is True


def test_one_seed_never_passes_and_the_cause_is_given(tmp_path: Path) -> None:
    verdict = verdict_on(results(seeds=1).drop(columns=["seed", "arm"]), tmp_path)
    assert verdict.verdict == "INCONCLUSIVE"
    assert "one_seed" in {c.code for c in verdict.set.causes}


def test_a_default_and_another_search_width_can_be_given(tmp_path: Path) -> None:
    verdict = verdict_on(results(), tmp_path, search_at=128, defaults={"lr": 2.0**-6})
    assert verdict.search_at == 128
    losses = {a.name: a for a in verdict.of_hp("lr").alternatives}
    assert losses["default"].in_loss[0] == pytest.approx(0.01 * 2.2**2, rel=0.1)
    assert losses["transferred"].in_loss[2] < losses["one octave higher"].in_loss[1]
    with pytest.raises(TableError, match="search_at: one of"):
        verdict_on(results(), tmp_path, search_at=99)


def test_a_table_without_a_question_in_it_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="runs of arm mup"):
        verdict_on(results().assign(arm="sp"), tmp_path)
    one_value = results()[lambda d: d["learning_rate"] == 2.0**-8]
    with pytest.raises(TableError, match="3 values or more"):
        verdict_on(one_value, tmp_path)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    cells=st.lists(
        st.tuples(
            st.sampled_from([8, 16, 32, None, -1]),
            st.one_of(st.none(), st.floats(-20, 20), st.just("x")),
            st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.just("y")),
        ),
        max_size=12,
    )
)
def test_any_table_is_judged_or_refused_with_a_reason(tmp_path: Path, cells: list) -> None:
    df = pd.DataFrame(cells, columns=["width", "hp.lr", "val_loss"])
    try:
        table = read_table(saved(df, tmp_path), {})
        judge(table, table_question(table, tolerance=TOLERANCE))
    except TableError as refused:
        assert str(refused)


def test_a_table_along_another_axis_is_judged_by_the_same_rules(tmp_path: Path) -> None:
    mapping = {name: own for name, own in MAPPING.items() if own != "width"}

    def verdict_along(df: pd.DataFrame, axis: str) -> Verdict:
        table = read_table(saved(df, tmp_path), mapping, axis)
        return judge(table, table_question(table, tolerance=TOLERANCE, axis=axis))

    by_width = verdict_on(results(), tmp_path)
    by_batch = verdict_along(along("batch_size", results()), "batch_size")
    assert by_batch.verdict == by_width.verdict == "PASS"
    assert by_batch.of_hp("lr").regret == by_width.of_hp("lr").regret
    drifts = [v.of_hp("lr").drift_mup.estimate for v in (by_batch, by_width)]
    assert drifts[0] == drifts[1]
    assert "batch size 256" in by_batch.sentence
    assert verdict_along(along("steps", results(drift=1.2)), "steps").verdict == "FAIL"
    # The arms share the rows of the search depth, not those of width == base width: here all.
    arms = along("depth", results(arms=("mup", "unscaled")))
    both = verdict_along(arms.assign(base_width=64), "depth")
    assert both.of_hp("lr").drift_sp.estimate == pytest.approx(-1.0, abs=0.1)


def test_along_an_axis_all_rows_have_one_width(tmp_path: Path) -> None:
    two_widths = along("depth", results()).assign(width=lambda df: 64 + 64 * (df["seed"] > 1))
    mapping = {"learning_rate": "hp.lr", "loss": "val_loss"}
    table = read_table(saved(two_widths, tmp_path), mapping, "depth")
    with pytest.raises(TableError, match="rows of one width"):
        judge(table, table_question(table, tolerance=TOLERANCE, axis="depth"))
