"""The question that a table from elsewhere can answer, and its verdict."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mutransfer.analysis.table.external import read_table
from mutransfer.analysis.table.slice import log2_of
from mutransfer.analysis.table.table import TableError
from mutransfer.analysis.verdict.external import TableResult, judge_table
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


def judged(df: pd.DataFrame, **options: object) -> TableResult:
    mapping = {name: ours for name, ours in MAPPING.items() if name in df}
    return judge_table(df, columns=mapping, **{"tolerance": TOLERANCE, **options})


def scattered(*, drift: float = 0.0, n: int = 24, seeds: int = 2) -> pd.DataFrame:
    """Random learning rates, others at each width, the optimum of `results`; each seed at each."""
    rng = np.random.default_rng(0)
    places = [(w, x) for w in (64, 128, 256) for x in rng.uniform(-12, -5, n)]
    rows = pd.DataFrame([(w, x, s) for w, x in places for s in range(seeds)])
    rows.columns = pd.Index(["n", "x", "seed"])
    best = -8.2 + drift * np.log2(rows["n"] / 64)
    loss = 0.4 + rows["n"] ** -0.5 + 0.01 * (rows["x"] - best) ** 2 + rng.normal(0, 1e-3, len(rows))
    return rows.assign(learning_rate=2.0 ** rows["x"], loss=loss).drop(columns="x")


def test_scattered_values_that_no_two_widths_share_are_judged() -> None:
    result = judged(scattered())
    assert result.verdict == "PASS"
    value = result.question.transferred["lr"]
    assert np.log2(value) == pytest.approx(-8.2, abs=0.2)
    assert result.fits["lr"].target.slice.index(log2_of(value)) is None  # it was not run
    assert judged(scattered(drift=-1.0)).verdict == "FAIL"


def test_a_lattice_that_is_half_a_step_off_at_the_target_is_judged() -> None:
    shifted = results().assign(
        learning_rate=lambda d: d["learning_rate"] * np.where(d["n"] == 256, 2.0**0.5, 1.0),
    )
    shifted["loss"] -= (
        0.01
        * np.where(shifted["n"] == 256, 1.0, 0.0)
        * (
            (np.log2(shifted["learning_rate"]) - 0.5 + 8.2) ** 2
            - (np.log2(shifted["learning_rate"]) + 8.2) ** 2
        )
    )
    assert judged(shifted).verdict == judged(results()).verdict == "PASS"


def test_an_optimum_within_one_percent_of_a_value_that_was_run_is_that_value() -> None:
    df = results().assign(learning_rate=lambda d: d["learning_rate"] * 2.0**-0.2)  # on the optimum
    value = judged(df).question.transferred["lr"]
    run = df["learning_rate"].unique()
    fitted = judged(results()).question.transferred["lr"]
    assert (np.abs(np.log2(run / value)) < 1e-5).any() or (
        np.abs(np.log2(run / value)) > 0.0143
    ).all()
    assert not (np.abs(np.log2(results()["learning_rate"].unique() / fitted)) < 1e-5).any()


def test_slices_may_hold_other_values_fixed_at_each_width() -> None:
    df = results().assign(**{"hp.wd": lambda d: d["n"].map({64: 0.1, 128: 0.2, 256: 0.4})})
    moved, plain = judged(df), judged(results())
    assert moved.verdict == plain.verdict == "PASS"
    assert moved.of_hp("lr").regret == plain.of_hp("lr").regret
    held = {fit.slice.axis_value: fit.slice.fixed["wd"] for fit in moved.fits["lr"].of_arm("mup")}
    assert held == {64: 0.1, 128: 0.2, 256: 0.4}
    # Both arms, each with slices of its own.
    arms = results(arms=("mup", "sp")).assign(
        **{"hp.wd": lambda d: np.where(d["arm"] == "sp", 0.5, 0.1)}
    )
    assert judged(arms).of_hp("lr").contrast.differs is True


def grid(hp: str) -> pd.DataFrame:
    """lr × another HP, the best of which is 64."""
    parts = [
        results().assign(**{hp: z}, loss=lambda d, z=z: d["loss"] + 0.01 * np.log2(z / 64) ** 2)
        for z in (16, 32, 64, 128, 256)
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("hp", ["hp.batch", "batch_size"])
def test_a_grid_of_two_hps_gives_a_slice_of_each_through_the_transferred_set(hp: str) -> None:
    result = judged(grid(hp), tolerance={"abs_loss": 0.02})
    other = hp.removeprefix("hp.")
    assert set(result.question.parameters) == {"lr", other}
    assert result.question.transferred[other] == pytest.approx(64, rel=0.15)
    assert result.fits["lr"].target.slice.fixed[other] == 64
    assert len(result.fits["lr"].target.slice.log2_x) == 8
    assert len(result.fits[other].target.slice.log2_x) == 5
    assert result.verdict == "PASS"


def test_slices_through_a_centre_that_is_not_the_optimum_transfer_the_optimum() -> None:
    star = results().assign(**{"hp.wd": 0.1})
    centre = star[star["learning_rate"] == 2.0**-10]
    wds = [
        centre.assign(**{"hp.wd": z}, loss=lambda d, z=z: d["loss"] + 0.01 * np.log2(z / 0.1) ** 2)
        for z in (0.025, 0.05, 0.2, 0.4)
    ]
    result = judged(pd.concat([star, *wds], ignore_index=True))
    assert set(result.question.parameters) == {"lr", "wd"}
    assert np.log2(result.question.transferred["lr"]) == pytest.approx(-8.2, abs=0.2)
    assert log2_of(result.question.center["lr"]) == -10
    assert result.of_hp("lr").regret.estimate < 0.001


def test_hps_that_are_never_varied_alone_are_refused_with_what_to_do() -> None:
    df = scattered(seeds=1)
    df["hp.wd"] = 2.0 ** np.random.default_rng(1).uniform(-30, 0, len(df))
    with pytest.raises(TableError, match=r"add runs that vary one HP alone"):
        judged(df)


def test_a_search_without_a_loss_and_losses_that_say_nothing_are_refused() -> None:
    df = results()
    with pytest.raises(TableError, match=r"runs with a loss at width 64; got none of 24 runs"):
        judged(df.assign(loss=df["loss"].where(df["n"] > 64)))
    for loss, message in (
        (0.5, "losses that differ; got 0.5 in all 72"),
        (1e-40, "above 1e-30 in"),
    ):
        flat = df.assign(loss=loss if loss > 0.1 else df["loss"] * loss)
        with pytest.raises(TableError, match=message):
            judged(flat)
    # At one width alone they say something of the others.
    assert judged(df.assign(loss=df["loss"].where(df["n"] < 256, 0.5))).verdict == "INCONCLUSIVE"


def test_a_far_cell_that_is_missing_refuses_nothing() -> None:
    df = results().dropna()
    far = df.index[(df["n"] == 256) & (df["learning_rate"] == 2.0**-12)][0]
    assert judged(df.drop(index=far)).verdict == judged(df).verdict == "PASS"


def test_seeds_may_differ_from_width_to_width_and_be_more_at_the_target() -> None:
    df = results()
    assert judged(df.assign(seed=df["seed"] + df["n"])).verdict == "PASS"
    more = df[df["n"] == 256].assign(seed=df["seed"] + 3, loss=df["loss"] + 1e-4)
    result = judged(pd.concat([df, more]))
    assert result.verdict == "PASS"
    assert [len(f.slice.seeds) for f in result.fits["lr"].of_arm("mup")] == [3, 3, 6]


@pytest.mark.parametrize(
    "change", [lambda d: d.drop(columns="seed"), lambda d: d.assign(seed=range(len(d)))]
)
def test_unpaired_runs_are_judged_and_their_slices_say_so(change) -> None:
    result = judged(change(results()))
    assert result.verdict == "PASS"
    assert not result.fits["lr"].target.slice.paired
    assert judged(results()).fits["lr"].target.slice.paired
    assert judged(change(results(drift=-1.0))).verdict == "FAIL"


def test_along_parameters_drift_is_per_doubling_of_their_number() -> None:
    four = results(drift=-0.5).assign(params=lambda d: d["n"] ** 2).drop(columns="n")
    by_params = judged(four, axis="params").of_hp("lr").drift_mup
    by_width = judged(results(drift=-0.5)).of_hp("lr").drift_mup
    assert by_params.estimate == pytest.approx(by_width.estimate / 2, abs=1e-3)
    text = judged(four.assign(params=four["params"] * 1000), axis="params").sentence
    assert "at 65.54M parameters" in text


def test_advice_is_what_a_user_of_a_table_can_do() -> None:
    few = results()[lambda d: d["learning_rate"] > 2.0**-9]
    verdict = judged(few).full_verdict
    advice = [c.remedy for c in verdict.set.causes] + [p.text for p in verdict.settle]
    assert verdict.settle and not any("mutransfer" in text or "log2" in text for text in advice)
    assert verdict.settle[0].text.startswith("Add runs at width 64 with lr = ")
