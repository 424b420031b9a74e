"""The question that a table from elsewhere can answer, read off its rows."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from mutransfer.analysis.fit.curve import fit_slice
from mutransfer.analysis.fit.optimum import optimum
from mutransfer.analysis.table.arguments import shown
from mutransfer.analysis.table.axis import axis_value_text
from mutransfer.analysis.table.schema import HP_PREFIX
from mutransfer.analysis.table.slice import log2_of, slice_of
from mutransfer.analysis.table.table import TableError, hp_columns, in_arm
from mutransfer.analysis.verdict.question import Tolerance, TransferQuestion
from mutransfer.words import Axis, round_hp

MIN_SLICED_VALUES = 3  # fewer carry no curve

HPSet = Mapping[str, float | None]


def table_question(
    df: pd.DataFrame,
    *,
    tolerance: Tolerance,
    search_at: int | None = None,
    target_at: int | None = None,
    defaults: Mapping[str, float] | None = None,
    axis: Axis = "width",
) -> TransferQuestion:
    """Return the question that a table can answer: does its best set at the search hold elsewhere?

    Sliced are the HPs with 3 or more values above 0 at the search. The transferred set is the
    best combination there that was run at the target too; of a single HP the value run
    nearest to the fitted optimum.

    Args:
        df: A validated table.
        tolerance: Accepted regret.
        search_at: Axis value at which HPs are tuned; None: the smallest.
        target_at: Axis value at which they are checked; None: the largest.
        defaults: Untuned values by HP, whose regret is reported for comparison.
        axis: Axis along which transfer is judged; its column holds the axis value of a row.

    Raises:
        TableError: an axis value without μP runs, a default of an HP that the table lacks, or no
            set that was run at both.
    """
    ours = df[in_arm(df, "mup", axis=axis)]
    axis_values = sorted({int(value) for value in ours[axis]})
    if not axis_values:
        raise TableError("table: runs of arm mup; got none; without μP nothing can transfer")
    search = axis_values[0] if search_at is None else search_at
    target = axis_values[-1] if target_at is None else target_at
    faults = _end_faults(axis_values, search, target) + _default_faults(df, defaults or {})
    if faults:
        raise TableError("\n".join(faults))
    best = _best_shared(ours, search, target, axis)
    sliced = _sliced(ours, best, search, axis)
    seeds = _seeds(ours)
    spacing = _spacing(ours, sliced[0])
    if len(sliced) == 1:
        best = _nearest_to_optimum(ours, sliced[0], best, (search, target), seeds, spacing, axis)
    control: Literal["sp", "unscaled"] = "sp" if axis == "width" else "unscaled"
    has_control = control in set(df["arm"])
    return TransferQuestion(
        parameters=sliced,
        search_at=search,
        axis_values=tuple(v for v in axis_values if v != target or len(axis_values) > 2),
        target_at=target,
        base_width=int(df["base_width"].iloc[0]),
        seeds=seeds,
        target_seeds=_seeds(ours[ours[axis] == target]),
        spacing_log2=spacing,
        tolerance=tolerance,
        center=best,
        control=control if has_control else None,
        control_parameters=sliced if has_control else (),
        transferred=best,
        search_best=best,
        defaults=dict(defaults or {}),
        axis=axis,
    )


def _end_faults(axis_values: Sequence[int], search: int, target: int) -> list[str]:
    """The faults of the axis values of search and target."""
    faults = [
        f"{name}: one of {list(axis_values)} (arm mup); got {shown(value)}; pick one"
        for name, value in (("search_at", search), ("target_at", target))
        if value not in axis_values
    ]
    if not faults and search == target:
        faults = [f"search_at: another than the target; got {search}; pick one"]
    return faults


def _default_faults(df: pd.DataFrame, defaults: Mapping[str, float]) -> list[str]:
    hps = [name.removeprefix(HP_PREFIX) for name in hp_columns(df)]
    unknown = ", ".join(shown(hp) for hp in defaults if hp not in hps)
    rule = f"defaults: HPs of the table, without {HP_PREFIX} ({', '.join(hps)})"
    return [f"{rule}; got {unknown}; correct the name"] if unknown else []


def _best_shared(df: pd.DataFrame, search: int, target: int, axis: Axis) -> HPSet:
    """The HP combination of lowest mean loss at the search that was run at the target too."""
    names = hp_columns(df)
    done = df[df["status"] == "done"]
    means = done[done[axis] == search].groupby(names, dropna=False)["val_loss"].mean()
    at_target = df[df[axis] == target].groupby(names, dropna=False).size()
    shared = (
        means[means.index.isin(at_target.index)]
        if len(names) == 1
        else means.loc[[key for key in means.index if key in set(at_target.index)]]
    )
    if shared.empty:
        raise TableError(
            f"table: an HP set with a loss at {axis_value_text(axis, search)} that was run at "
            f"{axis_value_text(axis, target)} too; got none; run the best one there"
        )
    key = shared.idxmin()
    cells = key if isinstance(key, tuple) else (key,)
    return {
        name.removeprefix(HP_PREFIX): None if pd.isna(value) else float(value)
        for name, value in zip(names, cells, strict=True)
    }


def _sliced(df: pd.DataFrame, best: HPSet, search: int, axis: Axis) -> tuple[str, ...]:
    """The HPs with enough values at the search, the other HPs at their best."""
    hps = [name.removeprefix(HP_PREFIX) for name in hp_columns(df)]
    sliced = tuple(
        hp
        for hp in hps
        if best[hp] is not None and _n_values(df, hp, best, search, axis) >= MIN_SLICED_VALUES
    )
    if not sliced:
        raise TableError(
            f"table: some HP with {MIN_SLICED_VALUES} values or more at "
            f"{axis_value_text(axis, search)}, the others alike; got none; add runs that vary "
            "one HP"
        )
    return sliced


def _n_values(df: pd.DataFrame, hp: str, best: HPSet, axis_value: int, axis: Axis) -> int:
    slice_ = slice_of(
        df, hp=hp, fixed=best, axis_value=axis_value, arm="mup", seeds=_seeds(df), axis=axis
    )
    return len(slice_.log2_x)


def _seeds(df: pd.DataFrame) -> tuple[int, ...]:
    return tuple(sorted({int(seed) for seed in df["seed"]}))


def _spacing(df: pd.DataFrame, hp: str) -> float:
    """The median step between the values of an HP, octaves."""
    values = np.unique([log2_of(v) for v in df[HP_PREFIX + hp].dropna() if v > 0])
    return float(np.median(np.diff(values))) if values.size > 1 else 1.0


def _nearest_to_optimum(
    df: pd.DataFrame,
    hp: str,
    best: HPSet,
    ends: tuple[int, int],
    seeds: tuple[int, ...],
    spacing: float,
    axis: Axis,
) -> HPSet:
    """The set with the HP at that value run at both ends that is nearest to the search optimum."""
    at_search, at_target = (
        slice_of(df, hp=hp, fixed=best, axis_value=end, arm="mup", seeds=seeds, axis=axis)
        for end in ends
    )
    location = optimum(fit_slice(at_search, spacing_log2=spacing)).log2_opt
    usable = at_search.log2_x[at_search.usable]
    shared = [x for x in usable if at_target.index(float(x)) is not None]
    if location is None or not shared:
        return dict(best)
    nearest = min(shared, key=lambda x: abs(x - location))
    return {**best, hp: round_hp(2.0 ** float(nearest))}
