"""Which runs of a table from elsewhere are repeats of each other, and how seeds pair them."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from mutransfer.analysis.table.arguments import shown
from mutransfer.analysis.table.table import hp_columns
from mutransfer.analysis.table.trackers import HISTORY
from mutransfer.words import FINISHED, Axis

# With the HPs, what identifies a run but for its seed.
_CELL = ("arm", "study", "family", "width", "depth", "base_width", "batch_size", "steps", "params")
# Losses of two runs may be equal by chance where they are given to so few digits.
FEW_DIGITS = 5


class Numbered(NamedTuple):
    """The rows of a table, one a run, with seeds.

    Attributes:
        rows: The rows, each with a seed, unique among the finished runs of one set of values.
        paired: A seed means the same at every value; False: the seeds only number the runs.
        notes: What was assumed, in sentences.
        faults: Why the rows are no runs, in sentences.
    """

    rows: pd.DataFrame
    paired: bool
    notes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def numbered(df: pd.DataFrame, others: pd.DataFrame, axis: Axis) -> Numbered:
    """Return the rows with their seeds and whether these pair runs of different values.

    Copies of a row are dropped: equal in all that identifies a run, with the same loss to the
    last digit. Runs without a seed number, or with a number that no other value shares, are
    numbered value by value. Several results of one value and seed count by their mean: were they
    taken for independent runs, a run that was logged twice would make the noise look smaller.

    Args:
        df: The rows; ``seed`` may be missing or have null cells.
        others: The columns of the user's table that are not used, with the same index.
        axis: The axis along which transfer is judged.
    """
    has_seeds = "seed" in df and bool(df["seed"].notna().all())
    cell = df.groupby([n for n in (*_CELL, *hp_columns(df)) if n in df], dropna=False).ngroup()
    df = df.assign(seed=df["seed"] if has_seeds else 0, cell=cell)
    df, notes = _without_copies(df, others, has_seeds)
    finished = df[df["status"].isin(FINISHED)]
    again = finished[finished.duplicated(["cell", "seed"], keep=False)]
    # Some few may be of values that are one by rounding.
    is_repeated = 2 * len(again) > len(finished)
    has_seeds &= not is_repeated or df["seed"].nunique() > 1
    paired = (has_seeds or not is_repeated) and _is_paired(finished, axis)
    repeats = again if paired else finished[finished.duplicated("cell", keep=False)]
    unused = others.loc[repeats.index]
    if names := _differing(unused, cell, HISTORY.fullmatch):
        fault = f"one row for each run, its last; got rows of one run that differ in {names}"
        return Numbered(df, paired, faults=(f"{fault}; keep the last of each run",))
    df = _one_row_each(df, again) if paired else _renumbered(df)
    notes += [] if repeats.empty else _note_of_repeats(paired, _differing(unused, cell))
    if not paired and has_seeds:
        notes.append("Seeds pair no runs of different values: each run counts as one of its own.")
    return Numbered(df.drop(columns="cell"), paired, tuple(notes))


def _without_copies(
    df: pd.DataFrame, others: pd.DataFrame, has_seeds: bool
) -> tuple[pd.DataFrame, list[str]]:
    key = ["cell", "seed", "status", "val_loss"]
    suspects = df[df.duplicated(key, keep=False) & (df["val_loss"].notna() | has_seeds)]
    copies = suspects.duplicated(key)
    if not has_seeds:
        loss = suspects["val_loss"]
        has_digits = loss != loss.map(lambda x: float(f"{x:.{FEW_DIGITS}g}"))
        rows = pd.concat([suspects[key], others.loc[suspects.index].astype(str)], axis=1)
        copies &= has_digits | (rows.duplicated() & bool(len(others.columns)))
    if not copies.any():
        return df, []
    note = f"{int(copies.sum())} row(s) repeat another one to the last digit of the loss: left out."
    return df.drop(index=suspects.index[copies]), [note]


def _is_paired(finished: pd.DataFrame, axis: Axis) -> bool:
    """Whether seeds as blocks leave half of the residual degrees of freedom of the runs or more.

    Without blocks these are runs − values; with them, runs − (values + seeds − parts), where parts
    are the components of the graph that links each value to its seeds. Complete blocks of 2 × 5
    runs leave 4 of 5; runs that have each a seed of its own leave none.
    """
    done = finished.drop_duplicates(["cell", "seed"])
    if done.empty:
        return True
    place = done.groupby(["arm", axis]).ngroup()
    seed = done.groupby(["arm", axis, "seed"]).ngroup().to_numpy()
    value = done.groupby([place, "cell"]).ngroup().to_numpy()
    n, n_values, n_seeds = len(done), int(value.max()) + 1, int(seed.max()) + 1
    if n == n_values:
        return n_seeds == place.nunique()
    graph = coo_array((np.ones(n), (value, n_values + seed)), shape=(n_values + n_seeds,) * 2)
    n_parts, _ = connected_components(graph, directed=False)
    return bool(2 * (n - n_values - n_seeds + n_parts) >= n - n_values)


def _renumbered(df: pd.DataFrame) -> pd.DataFrame:
    finished = df["status"].isin(FINISHED)
    return df.assign(seed=df.groupby(["cell", finished.rename("finished")]).cumcount())


def _note_of_repeats(paired: bool, names: str) -> list[str]:
    how = "of one value and seed count by their mean" if paired else "of one value are repeats"
    note = f"Several runs {how}."
    return [
        note + (f" They differ in {names}: if that is an HP or the seed, map it." if names else "")
    ]


def _one_row_each(df: pd.DataFrame, again: pd.DataFrame) -> pd.DataFrame:
    """One row for each value and seed: of several results the mean, or that one diverged."""
    if again.empty:
        return df
    results = again.sort_values("status", kind="stable")  # diverged before done
    means = results.groupby(["cell", "seed"])["val_loss"].transform("mean")
    results["val_loss"] = means.where(results["status"] == "done")
    merged = results[~results.duplicated(["cell", "seed"])]
    return pd.concat([df.drop(index=again.index), merged]).sort_index()


def _differing(
    unused: pd.DataFrame, cell: pd.Series, is_meant: Callable[[str], object] | None = None
) -> str:
    """The columns in which the runs of most values differ.

    Without ``is_meant``, those of few distinct cells: a name, a date or a duration differs always.
    """
    names = []
    for name in unused.columns:
        cells = unused[name].dropna().astype(str)
        is_few = (
            cells.nunique() <= len(cells) / 2 if is_meant is None else is_meant(str(name).lower())
        )
        if is_few and len(cells):
            n_distinct = cells.groupby(cell[cells.index]).nunique()
            names += [shown(name)] if (n_distinct > 1).mean() > 0.5 else []
    return ", ".join(names)
