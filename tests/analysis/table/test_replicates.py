"""Seeds that pair runs, runs that are repeats of each other, and copies of a run."""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from mutransfer.analysis.table.replicates import Numbered, numbered

N_SEEDS = 3


def runs(n_seeds: int = N_SEEDS) -> pd.DataFrame:
    """Complete blocks: each seed at each value and width."""
    cells = product((64, 128), (0.001, 0.002, 0.004, 0.008, 0.016), range(n_seeds))
    df = pd.DataFrame(cells, columns=["width", "hp.lr", "seed"])
    loss = np.random.default_rng(0).normal(1.0, 0.1, len(df))
    return df.assign(arm="mup", status="done", val_loss=loss)


def of(df: pd.DataFrame, others: pd.DataFrame | None = None) -> Numbered:
    df = df.reset_index(drop=True)
    unused = pd.DataFrame(index=df.index) if others is None else others.reset_index(drop=True)
    return numbered(df, unused, "width")


def runs_of_a_cell(result: Numbered) -> list[int]:
    rows = result.rows
    assert not rows.duplicated(["width", "hp.lr", "seed"]).any()
    return rows.groupby(["width", "hp.lr"]).size().tolist()


def test_seeds_that_occur_at_every_value_pair_the_runs() -> None:
    result = of(runs())
    assert result.paired and not result.notes
    pd.testing.assert_frame_equal(result.rows, runs()[result.rows.columns])
    # Incomplete blocks, seeds of their own at each width, and one seed, are still blocks.
    assert of(runs().drop(index=[1, 5, 9])).paired
    assert of(runs().assign(seed=lambda d: d["seed"] + d["width"])).paired
    assert of(runs(1)).paired


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.assign(seed=range(len(d))),
        lambda d: d.drop(columns="seed"),
        lambda d: d.assign(seed=7),
        lambda d: d.assign(seed=d["seed"].where(d["seed"] > 0)),
        lambda d: d.assign(seed=np.random.default_rng(0).integers(0, 100, len(d))),
    ],
)
def test_runs_that_no_seed_pairs_are_numbered_value_by_value(change) -> None:
    result = of(change(runs()))
    assert not result.paired and result.notes
    assert runs_of_a_cell(result) == [N_SEEDS] * 10
    assert set(result.rows["seed"]) == set(range(N_SEEDS))
    assert sorted(result.rows["val_loss"]) == sorted(runs()["val_loss"])


def test_seeds_that_alternate_from_value_to_value_pair_nothing() -> None:
    single = runs(1)
    assert not of(single.assign(seed=np.arange(len(single)) % 3)).paired


@pytest.mark.parametrize("has_seeds", [True, False])
def test_copies_of_a_row_count_once_and_that_is_said(has_seeds: bool) -> None:
    df = runs() if has_seeds else runs().drop(columns="seed")
    result = of(pd.concat([df, df, df[:1]]))
    assert runs_of_a_cell(result) == [N_SEEDS] * 10
    assert result.notes[0].startswith("31 row(s) repeat another one to the last digit")


def test_equal_losses_of_few_digits_are_repeats_where_no_column_shows_a_copy() -> None:
    df = runs().drop(columns="seed").assign(val_loss=0.5)
    assert runs_of_a_cell(of(df)) == [N_SEEDS] * 10
    named = pd.DataFrame({"name": [f"run-{i}" for i in range(len(df))]})
    assert runs_of_a_cell(of(df, named)) == [N_SEEDS] * 10
    assert runs_of_a_cell(of(df, named.assign(name="run"))) == [1] * 10


def test_several_results_of_one_value_and_seed_count_by_their_mean() -> None:
    again = runs()[:4].assign(val_loss=lambda d: d["val_loss"] + 1.0)
    result = of(pd.concat([runs(), again]))
    assert result.paired and "count by their mean" in result.notes[0]
    assert runs_of_a_cell(result) == [N_SEEDS] * 10
    losses = result.rows.sort_values(["width", "hp.lr", "seed"])["val_loss"].to_numpy()
    expected = runs()["val_loss"].to_numpy() + 0.5 * (np.arange(30) < 4)
    np.testing.assert_allclose(losses, expected)


def test_of_two_results_of_one_seed_the_diverged_one_counts() -> None:
    lost = runs()[:1].assign(status="diverged", val_loss=np.nan)
    result = of(pd.concat([runs(), lost]))
    assert runs_of_a_cell(result) == [N_SEEDS] * 10
    assert (result.rows["status"] == "diverged").sum() == 1


def test_a_run_that_failed_takes_no_place_from_one_that_did_not() -> None:
    lost = runs()[:5].assign(status="failed", val_loss=np.nan)
    result = of(pd.concat([lost, runs()]).drop(columns="seed"))
    done = result.rows[result.rows["status"] == "done"]
    assert set(done["seed"]) == set(range(N_SEEDS)) and len(done) == len(runs())


def test_an_unused_column_in_which_repeats_differ_is_named() -> None:
    df, wd = pd.concat([runs(), runs()]), np.repeat([0.1, 0.2], 30)
    df["val_loss"] += wd
    others = pd.DataFrame({"wd": wd, "name": [f"run-{i}" for i in range(60)]})
    assert (
        of(df, others)
        .notes[0]
        .endswith("They differ in 'wd': if that is an HP or the seed, map it.")
    )
    assert "wd" not in of(df, others[["name"]]).notes[0]


def test_the_history_of_a_run_is_no_repeat() -> None:
    history = pd.concat([runs().assign(val_loss=lambda d, k=k: d["val_loss"] + k) for k in (1, 2)])
    steps = pd.DataFrame({"trainer/global_step": np.repeat([1, 2], 30)})
    for df in (history, history.drop(columns="seed")):
        (fault,) = of(df, steps).faults
        assert "differ in 'trainer/global_step'" in fault
        assert not of(df, steps.rename(columns=lambda _: "gpu")).faults
