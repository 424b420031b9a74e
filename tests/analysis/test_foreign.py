"""Tables from elsewhere: read, completed, refused with reasons."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mutransfer.analysis.table import external
from mutransfer.analysis.table.table import TableError
from mutransfer.analysis.verdict import external as foreign_external
from mutransfer.analysis.verdict.judge import judge
from mutransfer.analysis.verdict.question import Tolerance

TOLERANCE = Tolerance(kind="rel_loss", value=0.01)
MAPPING = {"learning_rate": "hp.lr", "loss": "val_loss", "n": "width"}


def results(*, seeds: int = 3, drift: float = 0.0, arms: tuple = ("mup",)) -> pd.DataFrame:
    """Runs as somebody else writes them: own names, empty where a run diverged."""
    rng = np.random.default_rng(0)
    rows = []
    for arm in arms:
        for width in (64, 128, 256):
            best = -8.2 + (drift if arm == "mup" else -1.0) * np.log2(width / 64)
            for seed in range(1, seeds + 1):
                for k in range(-12, -4):
                    loss = 0.4 + width**-0.5 + 0.01 * (k - best) ** 2 + rng.normal(0, 0.001)
                    alive = k - best < 3.1
                    rows.append(
                        {"arm": arm, "n": width, "seed": seed, "learning_rate": 2.0**k,
                         "loss": loss if alive else None}
                    )  # fmt: skip
    return pd.DataFrame(rows)


def saved(df: pd.DataFrame, folder, name: str = "t.csv"):
    path = folder / name
    df.to_csv(path, index=False) if name.endswith("csv") else df.to_parquet(path)
    return path


def verdict_on(df: pd.DataFrame, folder, **asked):
    table = external.read(saved(df, folder), MAPPING)
    return judge(table, foreign_external.question(table, tolerance=TOLERANCE, **asked))


def fault(df: pd.DataFrame, folder, mapping=None) -> str:
    with pytest.raises(TableError) as caught:
        table = external.read(saved(df, folder), MAPPING if mapping is None else mapping)
        foreign_external.question(table, tolerance=TOLERANCE)
    return str(caught.value)


def test_a_foreign_table_passes_or_fails_as_its_optima_transfer(tmp_path) -> None:
    assert verdict_on(results(), tmp_path).verdict == "PASS"
    assert verdict_on(results(drift=-1.0), tmp_path).verdict == "FAIL"


def test_parquet_says_what_csv_says(tmp_path) -> None:
    df = results(arms=("mup", "sp"))
    parquet = external.read(saved(df, tmp_path, "t.parquet"), MAPPING)
    pd.testing.assert_frame_equal(
        external.read(saved(df, tmp_path), MAPPING), parquet, check_dtype=False
    )
    found = judge(parquet, foreign_external.question(parquet, tolerance=TOLERANCE))
    assert found.of_hp("lr").contrast.differs is True


def test_one_seed_never_passes_and_says_why(tmp_path) -> None:
    found = verdict_on(results(seeds=1).drop(columns=["seed", "arm"]), tmp_path)
    assert found.verdict == "INCONCLUSIVE"
    assert "one_seed" in {c.code for c in found.set.causes}


def test_empty_losses_are_divergences_and_trackers_words_are_ours(tmp_path) -> None:
    df = results()
    table = external.read(saved(df, tmp_path), MAPPING)
    assert (table["status"] == "diverged").sum() == df["loss"].isna().sum() > 0
    worded = df.assign(status=np.where(df["loss"].isna(), "crashed", "finished"))
    words = external.read(saved(worded, tmp_path), MAPPING)["status"]
    assert set(words) == {"done", "failed"}


def test_a_default_and_other_widths_can_be_asked_for(tmp_path) -> None:
    found = verdict_on(results(), tmp_path, search_at=128, defaults={"lr": 2.0**-6})
    assert found.search_at == 128
    losses = {a.name: a for a in found.of_hp("lr").alternatives}
    assert losses["default"].in_loss[0] == pytest.approx(0.01 * 2.2**2, rel=0.1)
    assert losses["transferred"].in_loss[2] < losses["one octave higher"].in_loss[1]
    with pytest.raises(TableError, match="search-width"):
        verdict_on(results(), tmp_path, search_at=99)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.drop(columns="loss"), "names 'loss'"),
        (lambda d: d.assign(learning_rate=np.log2(d["learning_rate"])), "looks like a logarithm"),
        (lambda d: d.assign(learning_rate=-np.log10(d["learning_rate"])), "looks like a logarithm"),
        (lambda d: d.assign(loss=np.inf), "infinite"),
        (lambda d: d.assign(n=d["n"] + 0.5), "width: whole numbers; got 64.5 in row 2"),
        (lambda d: d.assign(arm="sp"), "runs of arm mup"),
        (lambda d: d[d["n"] == 64], "two widths"),
        (lambda d: pd.concat([d, d]), "alike"),
        (lambda d: d.drop(columns="seed"), "add a column seed"),
        (lambda d: d.assign(loss="high"), "numbers; got 'high' in row 2"),
        (lambda d: d[d["learning_rate"] == 2.0**-8], "3 values or more"),
        (lambda d: d.assign(arm="ntk"), "one of mup, sp"),
    ],
)
def test_what_cannot_be_analyzed_is_said(tmp_path, change, words: str) -> None:
    assert words in fault(change(results()), tmp_path)


def test_two_columns_cannot_be_one_and_semicolons_are_named(tmp_path) -> None:
    df = results().assign(other=1.0)
    assert "val_loss for several" in fault(df, tmp_path, MAPPING | {"other": "val_loss"})
    path = tmp_path / "s.csv"
    results().to_csv(path, index=False, sep=";")
    with pytest.raises(TableError, match="semicolons"):
        external.read(path, {})


def test_a_learning_rate_of_sgd_may_exceed_one(tmp_path) -> None:
    df = results().assign(learning_rate=lambda d: 64 * d["learning_rate"])
    assert df["learning_rate"].max() > 1
    assert len(external.read(saved(df, tmp_path), MAPPING)) == len(df)


def test_columns_are_named_with_what_is_there(tmp_path) -> None:
    told = fault(results(), tmp_path, mapping={})
    assert all(f"needs a column {n}" in told for n in ("width", "val_loss", "hp.<name>"))
    assert "learning_rate" in told


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
def test_any_table_is_judged_or_refused_never_broken(tmp_path, cells) -> None:
    df = pd.DataFrame(cells, columns=["width", "hp.lr", "val_loss"])
    try:
        table = external.read(saved(df, tmp_path), {})
        judge(table, foreign_external.question(table, tolerance=TOLERANCE))
    except TableError as refused:
        assert str(refused)


def along(axis: str, df: pd.DataFrame) -> pd.DataFrame:
    """The same runs with their widths as places on another axis, at one width."""
    return df.rename(columns={"n": axis}).assign(width=64)


def test_a_table_along_another_axis_is_judged_by_the_same_rules(tmp_path):
    mapping = {name: own for name, own in MAPPING.items() if own != "width"}

    def judged(df, axis):
        table = external.read(saved(df, tmp_path), mapping, axis)
        return judge(table, foreign_external.question(table, tolerance=TOLERANCE, axis=axis))

    by_width = external.read(saved(results(), tmp_path), MAPPING)
    expected = judge(by_width, foreign_external.question(by_width, tolerance=TOLERANCE))
    found = judged(along("batch_size", results()), "batch_size")
    assert found.verdict == expected.verdict == "PASS"
    assert found.of_hp("lr").regret == expected.of_hp("lr").regret
    assert found.of_hp("lr").drift_mup.estimate == expected.of_hp("lr").drift_mup.estimate
    assert "batch size 256" in found.sentence
    assert judged(along("steps", results(drift=1.2)), "steps").verdict == "FAIL"
    # Arms meet at the search place, not where width is base width: here that is everywhere.
    arms = along("depth", results(arms=("mup", "unscaled")))
    both = judged(arms.assign(base_width=64), "depth")
    assert both.of_hp("lr").drift_sp.estimate == pytest.approx(-1.0, abs=0.1)


def test_a_table_along_an_axis_needs_its_column(tmp_path):
    with pytest.raises(TableError, match="needs a column batch_size"):
        external.read(saved(results(), tmp_path), MAPPING, "batch_size")
    two = along("depth", results()).assign(width=lambda df: 64 + 64 * (df["seed"] > 1))
    table = external.read(
        saved(two, tmp_path), {"learning_rate": "hp.lr", "loss": "val_loss"}, "depth"
    )
    with pytest.raises(TableError, match="rows of one width"):
        judge(table, foreign_external.question(table, tolerance=TOLERANCE, axis="depth"))
