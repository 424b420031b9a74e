"""The question that a table from elsewhere can answer, read off its rows."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from mutransfer.analysis.fit.curve import fit_slice
from mutransfer.analysis.fit.optimum import optimum
from mutransfer.analysis.table.arguments import listed, shown
from mutransfer.analysis.table.axis import axis_value_text
from mutransfer.analysis.table.schema import HP_PREFIX
from mutransfer.analysis.table.slice import log2_of, lowest_loss
from mutransfer.analysis.table.table import TableError, hp_columns, in_arm
from mutransfer.analysis.verdict.question import Tolerance, TransferQuestion
from mutransfer.words import FINISHED, SAME_VALUE, Axis, round_hp

MIN_SLICED_VALUES = 3  # fewer carry no curve
SMALLEST_LOSS = 1e-30  # its square and the inverse of that are numbers
SAME_OCTAVES = math.log2(1 + SAME_VALUE)

HPSet = dict[str, float | None]


def table_question(
    df: pd.DataFrame,
    *,
    tolerance: Tolerance,
    search_at: int | None = None,
    target_at: int | None = None,
    defaults: Mapping[str, float] | None = None,
    axis: Axis = "width",
    paired: bool = True,
) -> TransferQuestion:
    """Return the question that a table can answer: do the optima at its search hold elsewhere?

    Sliced are the HPs with 3 or more values at the search, the others alike, through the best set
    there. The fitted optimum of each slice is transferred, whether or not it was run anywhere.
    Slices elsewhere hold the other HPs at those of their values that are closest to the best set,
    at the target to the transferred one, among those with 3 or more values of the sliced HP.

    Args:
        df: A validated table.
        tolerance: Accepted regret.
        search_at: Axis value at which HPs are tuned; None: the smallest.
        target_at: Axis value at which they are checked; None: the largest. Beyond the table's the
            regret there is predicted from all of them, of arm sp where the table has no μP.
        defaults: Untuned values by HP, whose regret is reported for comparison.
        axis: Axis along which transfer is judged; its column holds the axis value of a row.
        paired: A seed means the same at every value (`table.external.ExternalTable.paired`).

    Raises:
        TableError: an axis value without μP runs, a default of an HP that the table lacks, no
            HP that is varied alone at the search, or losses to which no share can be taken.
    """
    arm = _arm(df, target_at, axis)
    ours = df[in_arm(df, arm, axis=axis)]
    axis_values = sorted({int(value) for value in ours[axis]})
    if not axis_values:
        raise TableError("table: runs of arm mup; got none; without μP nothing can transfer")
    search = axis_values[0] if search_at is None else search_at
    target = axis_values[-1] if target_at is None else target_at
    faults = _end_faults(axis_values, search, target) + _default_faults(df, defaults or {})
    faults += _loss_faults(ours, tolerance)
    if faults:
        raise TableError("\n".join(faults))
    best = _best(ours, search, axis)
    control: Literal["sp", "unscaled"] = "sp" if axis == "width" else "unscaled"
    has_control = control in set(df["arm"]) and arm == "mup"
    arms = (arm, control) if has_control else (arm,)
    question = TransferQuestion(
        parameters=best.sliced,
        search_at=search,
        axis_values=tuple(v for v in axis_values if v != target or len(axis_values) > 2),
        target_at=target,
        base_width=int(df["base_width"].iloc[0]),
        seeds=_seeds(ours),
        target_seeds=_seeds(ours[ours[axis] == target]),
        spacing_log2=_spacing(ours, best.sliced[0]),
        tolerance=tolerance,
        center=best.hps,
        control=control if has_control else None,
        control_parameters=best.sliced if has_control else (),
        transferred=best.hps,
        search_best=best.hps,
        defaults=dict(defaults or {}),
        axis=axis,
        centers=_centers(df, best.hps, best.sliced, arms, axis),
        external=True,
        paired=paired,
        arm=arm,
    )
    transferred, flags = _transferred(df, question)
    at_target = _centers(df[df[axis] == target], transferred, best.sliced, arms, axis)
    return dataclasses.replace(
        question,
        transferred=transferred,
        transferred_flags=flags,
        centers={**question.centers, **at_target},
    )


def _arm(df: pd.DataFrame, target_at: int | None, axis: Axis) -> Literal["mup", "sp"]:
    """The arm that is judged: sp where there is no μP and its law is asked for beyond the table."""
    ladder = df[df["arm"] == "sp"]
    is_alone = axis == "width" and not (df["arm"] == "mup").any() and not ladder.empty
    return "sp" if is_alone and target_at is not None and target_at > ladder[axis].max() else "mup"


def _transferred(
    df: pd.DataFrame, question: TransferQuestion
) -> tuple[HPSet, dict[str, list[str]]]:
    """The set with each sliced HP at its fitted optimum at the search, and the flags of these."""
    transferred, flags = dict(question.center), {}
    for hp in question.parameters:
        found, target = (
            question.slice(df, hp, question.center, at, question.arm, question.seeds)
            for at in (question.search_at, question.target_at)
        )
        accepted = question.tolerance.in_loss(
            target_best=lowest_loss(found if question.tolerance.kind == "rel_loss" else target),
            search_best=lowest_loss(found),
        )
        best = optimum(fit_slice(found, tolerance_loss=accepted))
        if best.log2_opt is not None:
            near = found.log2_x[np.abs(found.log2_x - best.log2_opt).argmin()]
            is_run = abs(near - best.log2_opt) < SAME_OCTAVES
            transferred[hp] = round_hp(2.0 ** float(near if is_run else best.log2_opt))
        flags[hp] = list(best.flags)
    return transferred, flags


def _end_faults(axis_values: Sequence[int], search: int, target: int) -> list[str]:
    """The faults of the axis values of search and target."""
    faults = [
        f"{name}: one of {list(axis_values)} (arm mup); got {shown(value)}; pick one"
        for name, value in (("search_at", search), ("target_at", target))
        if value not in axis_values and not (name == "target_at" and value > axis_values[-1])
    ]
    if not faults and search == target:
        faults = [f"search_at: another than the target; got {search}; pick one"]
    return faults


def _default_faults(df: pd.DataFrame, defaults: Mapping[str, float]) -> list[str]:
    hps = [name.removeprefix(HP_PREFIX) for name in hp_columns(df)]
    unknown = ", ".join(shown(hp) for hp in defaults if hp not in hps)
    rule = f"defaults: HPs of the table, without {HP_PREFIX} ({listed(hps)})"
    return [f"{rule}; got {unknown}; correct the name"] if unknown else []


def _loss_faults(df: pd.DataFrame, tolerance: Tolerance) -> list[str]:
    """The faults of losses that are all one, or of a share of losses that are not above 0."""
    values = df.loc[df["status"] == "done", "val_loss"]
    if 0 < values.abs().max() < SMALLEST_LOSS:
        got = f"none above {values.abs().max():.3g}"
        return [
            f"val_loss: losses above {SMALLEST_LOSS:g} in size; got {got}; give it in a larger unit"
        ]
    if len(values) > 1 and values.nunique() == 1:
        got = f"{values.iloc[0]:.4g} in all {len(values)} finished runs"
        return [f"val_loss: losses that differ; got {got}; check the column"]
    signed = -values if tolerance.of == "score" else values
    if tolerance.kind != "rel_loss" or not (signed <= 0).any():
        return []
    got = f"{signed.min():.4g} to {signed.max():.4g}"
    rule = f"tolerance: rel_loss is a share of the best {tolerance.of}, and needs all above 0"
    return [f"{rule}; got {got}; give an absolute one, like abs_loss=0.01"]


class _Best(NamedTuple):
    """The best set at the search that slices pass through, and the HPs of these slices."""

    hps: HPSet
    sliced: tuple[str, ...]


def _best(df: pd.DataFrame, search: int, axis: Axis) -> _Best:
    """The set at the search through which most HPs are sliced, of several the one of lowest loss.

    The lowest mean loss is meant, of those sets of which no run diverged.
    """
    here = df[(df[axis] == search) & df["status"].isin(FINISHED)]
    names = hp_columns(df)
    n_values = {name: _n_values(here, name) for name in names}
    is_sliced = pd.DataFrame({name: n >= MIN_SLICED_VALUES for name, n in n_values.items()})
    sets = here.groupby(names, dropna=False)
    means = (
        sets["val_loss"]
        .transform("mean")
        .where(~(here["status"] == "diverged").groupby(sets.ngroup()).transform("any"))
    )
    n_sliced = is_sliced.sum(axis=1)[means.notna()]
    where = axis_value_text(axis, search)
    if n_sliced.empty:
        got = f"none of {int((df[axis] == search).sum())} runs"
        raise TableError(f"table: runs with a loss at {where}; got {got}; search at another value")
    if not n_sliced.any():
        rule = f"some HP with {MIN_SLICED_VALUES} values or more at {where}, the other HPs alike"
        raise TableError(f"table: {rule}; got none; add runs that vary one HP alone")
    row = means[n_sliced.index[n_sliced == n_sliced.max()]].idxmin()
    hps = {
        name.removeprefix(HP_PREFIX): None if pd.isna(value) else float(value)
        for name, value in here.loc[row, names].items()
    }
    return _Best(hps, tuple(n.removeprefix(HP_PREFIX) for n in names if is_sliced.loc[row, n]))


def _n_values(df: pd.DataFrame, name: str) -> pd.Series:
    """For each row the number of values above 0 of an HP, the other HPs as in this row."""
    others = [other for other in hp_columns(df) if other != name]
    values = df[name].where(df[name] > 0)
    groups = values.groupby([df[o] for o in others], dropna=False) if others else None
    n = values.nunique() if groups is None else groups.transform("nunique")
    return pd.Series(n, index=df.index).where(values.notna(), 0)


def _centers(
    df: pd.DataFrame, hps: HPSet, sliced: Sequence[str], arms: Sequence[str], axis: Axis
) -> dict[tuple[str, str, int], HPSet]:
    """What slices hold fixed: the values closest to a set, by HP, arm and axis value."""
    centers = {}
    for arm in arms:
        rows = df[in_arm(df, arm, axis=axis) & df["status"].isin(FINISHED)]
        for axis_value, here in rows.groupby(axis):
            for hp in sliced:
                center = _closest(here, hp, hps)
                if center is not None:
                    centers[hp, arm, int(axis_value)] = center
    return centers


def _closest(df: pd.DataFrame, hp: str, hps: HPSet) -> HPSet | None:
    """The values of the other HPs closest to a set at which an HP has values enough; or None.

    Closest in octaves, summed over the HPs; of several, that with the lowest loss.
    """
    rows = df[_n_values(df, HP_PREFIX + hp) >= MIN_SLICED_VALUES]
    if rows.empty:
        return None
    away = pd.Series(0.0, index=rows.index)
    for name in hp_columns(df):
        if name != HP_PREFIX + hp:
            away += _distance(rows[name], hps[name.removeprefix(HP_PREFIX)])
    closest = rows[away <= away.min() + SAME_OCTAVES]
    row = closest.loc[closest["val_loss"].fillna(np.inf).idxmin()]
    others = {n.removeprefix(HP_PREFIX): row[n] for n in hp_columns(df) if n != HP_PREFIX + hp}
    return {n: None if pd.isna(v) else float(v) for n, v in others.items()} | {hp: hps[hp]}


def _distance(cells: pd.Series, value: float | None) -> pd.Series:
    """How far the values of an HP are from one, in octaves; a value without a log2 is far."""
    far = 100.0
    if value is None or value <= 0:
        same = cells.isna() if value is None else cells == value
        return same.map({True: 0.0, False: far})
    return (np.log2(cells.where(cells > 0)) - np.log2(value)).abs().fillna(far)


def _seeds(df: pd.DataFrame) -> tuple[int, ...]:
    return tuple(sorted({int(seed) for seed in df["seed"]}))


def _spacing(df: pd.DataFrame, hp: str) -> float:
    """The median step between the values of an HP, octaves."""
    values = np.unique([log2_of(v) for v in df[HP_PREFIX + hp].unique() if v > 0])
    return float(np.median(np.diff(values))) if values.size > 1 else 1.0
