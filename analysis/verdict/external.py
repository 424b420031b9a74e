"""What can be asked of a table from elsewhere."""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from mutransfer.analysis.fit.curve import fit
from mutransfer.analysis.fit.optimum import optimum
from mutransfer.analysis.table.axis import at
from mutransfer.analysis.table.schema import HP_PREFIX
from mutransfer.analysis.table.slice import log2_of, slice_of
from mutransfer.analysis.table.table import TableError, hp_columns, in_arm
from mutransfer.analysis.verdict.question import Tolerance, TransferQuestion
from mutransfer.words import Axis, round_hp


def question(
    df: pd.DataFrame,
    *,
    tolerance: Tolerance,
    search_at: int | None = None,
    target_at: int | None = None,
    defaults: Mapping[str, float] | None = None,
    axis: Axis = "width",
) -> TransferQuestion:
    """Return what can be asked of a table: does the best of its search place hold at the target?

    Sliced are the HPs with 3 or more values above 0 at the search place. The transferred set is the
    best combination there that was run at the target too; of a single HP the value run
    nearest to the fitted optimum.

    Args:
        df: A validated table.
        tolerance: Accepted regret.
        search_at: The place where HPs are tuned; None: the narrowest.
        target_at: The place where they are checked; None: the widest.
        defaults: Untuned values whose regret is told beside.
        axis: Along which transfer is asked about; the place of a row is in the column of its name.

    Raises:
        TableError: a place without μP runs, or nothing that was run at both places.
    """
    ours = df[in_arm(df, "mup", axis=axis)]
    axis_values = sorted({int(w) for w in ours[axis]})
    if not axis_values:
        raise TableError("table: runs of arm mup; got none; without μP nothing is to transfer")
    search, target = search_at or axis_values[0], target_at or axis_values[-1]
    option = "width" if axis == "width" else "at"
    for name, axis_value in (("search", search), ("target", target)):
        if axis_value not in axis_values:
            raise TableError(
                f"--{name}-{option}: one of {axis_values} (arm mup); got {axis_value}; pick one"
            )
    if search == target:
        raise TableError(f"--search-{option}: another than the target; got {search}; pick one")
    best = _best_shared(ours, search, target, axis)
    hps = [n.removeprefix(HP_PREFIX) for n in hp_columns(df)]
    sliced = tuple(
        hp for hp in hps if best[hp] is not None and _n_values(ours, hp, best, search, axis) >= 3
    )
    if not sliced:
        raise TableError(
            f"table: some HP with 3 values or more at {at(axis, search)}, the others alike; got "
            "none; add runs that vary one HP"
        )
    control: Literal["sp", "unscaled"] = "sp" if axis == "width" else "unscaled"
    both = control in set(df["arm"])
    seeds = tuple(sorted({int(s) for s in ours["seed"]}))
    there = tuple(sorted({int(s) for s in ours[ours[axis] == target]["seed"]}))
    spacing = _spacing(ours, sliced[0])
    if len(sliced) == 1:
        best = _near_optimum(ours, sliced[0], best, (search, target), seeds, spacing, axis)
    return TransferQuestion(
        parameters=sliced,
        search_at=search,
        axis_values=tuple(w for w in axis_values if w != target or len(axis_values) > 2),
        target_at=target,
        base_width=int(df["base_width"].iloc[0]),
        seeds=seeds,
        target_seeds=there,
        spacing_log2=spacing,
        tolerance=tolerance,
        center=best,
        control=control if both else None,
        control_parameters=sliced if both else (),
        transferred=best,
        search_best=best,
        defaults=dict(defaults or {}),
        axis=axis,
    )


def _best_shared(df: pd.DataFrame, search: int, target: int, axis: Axis) -> dict[str, float | None]:
    """The HP combination of lowest mean loss at the search place that the target has too."""
    names = hp_columns(df)
    done = df[df["status"] == "done"]
    means = done[done[axis] == search].groupby(names, dropna=False)["val_loss"].mean()
    there = df[df[axis] == target].groupby(names, dropna=False).size()
    shared = (
        means[means.index.isin(there.index)]
        if len(names) == 1
        else means.loc[[key for key in means.index if key in set(there.index)]]
    )
    if shared.empty:
        raise TableError(
            f"table: an HP set with a loss at {at(axis, search)} that was run at "
            f"{at(axis, target)} too; got none; run the best one there"
        )
    key = shared.idxmin()
    cells = key if isinstance(key, tuple) else (key,)
    return {
        n.removeprefix(HP_PREFIX): None if pd.isna(v) else float(v)
        for n, v in zip(names, cells, strict=True)
    }


def _n_values(
    df: pd.DataFrame, hp: str, best: Mapping[str, float | None], place: int, axis: Axis
) -> int:
    seeds = sorted({int(s) for s in df["seed"]})
    found = slice_of(df, hp=hp, fixed=best, axis_value=place, arm="mup", seeds=seeds, axis=axis)
    return len(found.log2_x)


def _spacing(df: pd.DataFrame, hp: str) -> float:
    values = np.unique([log2_of(v) for v in df[HP_PREFIX + hp].dropna() if v > 0])
    return float(np.median(np.diff(values))) if values.size > 1 else 1.0


def _near_optimum(
    df: pd.DataFrame,
    hp: str,
    best: Mapping[str, float | None],
    places: tuple[int, int],
    seeds: tuple[int, ...],
    spacing: float,
    axis: Axis,
) -> dict[str, float | None]:
    """The set with the HP at the value of both places that is nearest to its optimum."""
    here, there = (
        slice_of(df, hp=hp, fixed=best, axis_value=p, arm="mup", seeds=seeds, axis=axis)
        for p in places
    )
    place = optimum(fit(here, spacing_log2=spacing)).log2_opt
    shared = [x for x in here.log2_x[here.usable] if there.index(float(x)) is not None]
    if place is None or not shared:
        return dict(best)
    nearest = min(shared, key=lambda x: abs(x - place))
    return {**best, hp: round_hp(2.0 ** float(nearest))}
