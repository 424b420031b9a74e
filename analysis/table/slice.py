"""A slice: one HP varied and the others fixed, at one axis value, in one arm, for some seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse.csgraph import connected_components

from mutransfer.analysis.table.collapse import collapsed
from mutransfer.analysis.table.schema import HP_PREFIX
from mutransfer.analysis.table.table import TableError, hp_columns, in_arm
from mutransfer.words import FINISHED, Axis, round_hp

# The sixth digit of a value is worth up to 1.4e-5 octaves.
LOG2_DECIMALS = 5
N_WORSE_WANTED = 2

# Columns that must hold one value in all rows of a slice, apart from the axis.
_HELD_FIXED = ("study", "family", "width", "depth", "base_width", "batch_size", "steps")


@dataclass(frozen=True, kw_only=True, eq=False)
class Slice:
    """Final validation losses along one HP.

    Attributes:
        hp: Name of the varied HP.
        arm: ``mup``, ``sp`` or ``unscaled``.
        axis_value: Value on the axis: the width, where that is the axis.
        log2_x: log2 of the values of the HP, (P,) ascending.
        loss: Validation loss, (P, S); NaN where there is none.
        seeds: The seeds, (S,).
        diverged: (P,) True where any seed diverged.
        fixed: Values of the other HPs.
        paired: A seed means the same at every value; False: the columns of ``loss`` only number
            the runs of each value.
    """

    hp: str
    arm: str
    axis_value: int
    log2_x: np.ndarray
    loss: np.ndarray
    seeds: tuple[int, ...]
    diverged: np.ndarray
    fixed: Mapping[str, float | None]
    paired: bool = True

    @cached_property
    def collapsed(self) -> np.ndarray:
        """(P,) True where runs ended, finite, far above the curve; see `table.collapse`."""
        has_loss = np.isfinite(self.loss).any(axis=1) & ~self.diverged
        return collapsed(self.log2_x, _means(self, has_loss), self.loss, self.diverged)

    @property
    def walls(self) -> np.ndarray:
        """(P,) True where runs diverged or collapsed."""
        return self.diverged | self.collapsed

    @property
    def usable(self) -> np.ndarray:
        """(P,) True where there is a loss and no wall.

        If one seed of a value diverged, the others are a selected sample.
        """
        return np.isfinite(self.loss).any(axis=1) & ~self.walls

    @property
    def n_missing(self) -> int:
        """Number of (value, seed) cells without a loss at values that did not diverge."""
        return 0 if not self.paired else int(np.isnan(self.loss[~self.diverged]).sum())

    def index(self, log2_x: float) -> int | None:
        """Return the index of a value, or None if it was not run."""
        near = np.flatnonzero(np.abs(self.log2_x - log2_x) < 2 * 10**-LOG2_DECIMALS)
        return int(near[0]) if near.size else None


@dataclass(frozen=True, kw_only=True)
class Bracket:
    """The values on either side of the best value of a slice.

    Attributes:
        best: Index of the usable value of lowest mean loss; None if there is none.
        n_worse_left: Number of usable values below the best one, up to the nearest wall.
        n_worse_right: The same above it.
        wall_left: log2 of the nearest wall below the best, or None.
        wall_right: log2 of the nearest wall above the best, or None.
        wants_left: The slice should be extended downwards.
        wants_right: The slice should be extended upwards.
    """

    best: int | None
    n_worse_left: int
    n_worse_right: int
    wall_left: float | None
    wall_right: float | None
    wants_left: bool
    wants_right: bool


def log2_of(value: float) -> float:
    """Return log2 of a positive HP value, to the decimals that 6 digits of it determine."""
    return float(np.round(np.log2(value), LOG2_DECIMALS))


def slice_of(
    df: pd.DataFrame,
    *,
    hp: str,
    fixed: Mapping[str, float | None],
    axis_value: int,
    arm: str,
    seeds: Sequence[int] | None,
    axis: Axis = "width",
    base: int | None = None,
    paired: bool = True,
) -> Slice:
    """Return the slice of ``hp`` in a table.

    Rows are selected by their HP values alone, whichever stage requested the trial. A row belongs
    to the slice if its arm, axis value and seed match and all its other HPs equal ``fixed``; it
    fills the cell of its value of ``hp`` and its seed. Of trials in one cell that differ in the
    last digits of an HP only, the one counts whose other HPs are those of ``fixed`` to the last
    digit, then the one with the lower value.

    Args:
        df: A validated results table.
        hp: The varied HP; rows in which it is null or not above 0 have no log2 and are left out.
        fixed: Values that all other HPs must equal; None (or absent) matches null.
        axis_value: Value on the axis.
        arm: ``mup``, ``sp`` or ``unscaled``; rows of the base width count for all.
        seeds: Seeds, in the order of the columns of the slice; None: those that occur in it.
        axis: The axis, which is the name of the column of axis values.
        base: Along another axis than width: the axis value whose rows count for all arms.
        paired: As `Slice.paired`.

    Returns:
        The slice; of length 0 if no row matches. Failed and pruned rows give NaN.

    Raises:
        TableError: ``fixed`` or ``hp`` names an HP that the table lacks, two results for one cell,
            or rows that differ in something that is held fixed: study, family, base width, and
            width, depth, batch size and steps, apart from the axis.
    """
    others = {name: value for name, value in fixed.items() if name != hp}
    here = in_arm(df, arm, axis=axis, base=base) & _has_axis_value(df, axis, axis_value)
    rows = _matching(df[here], hp, others, seeds)
    seeds = sorted({int(seed) for seed in rows["seed"]}) or [0] if seeds is None else seeds
    cells = _cells(rows, hp=hp, others=others, arm=arm, axis=axis)
    values = sorted({x for x, _ in cells})
    index = {x: i for i, x in enumerate(values)}
    column = {seed: j for j, seed in enumerate(seeds)}
    loss = np.full((len(values), len(seeds)), np.nan)
    diverged = np.zeros(len(values), dtype=bool)
    for (x, seed), row in cells.items():
        diverged[index[x]] |= row.status == "diverged"
        if row.status == "done":
            loss[index[x], column[seed]] = row.val_loss
    return Slice(
        hp=hp,
        arm=arm,
        axis_value=int(axis_value),
        log2_x=np.array(values, dtype=float),
        loss=loss,
        seeds=tuple(int(s) for s in seeds),
        diverged=diverged,
        fixed=others,
        paired=paired,
    )


def _matching(
    df: pd.DataFrame,
    hp: str,
    others: Mapping[str, float | None],
    seeds: Sequence[int] | None,
) -> pd.DataFrame:
    """The rows of these seeds (None: all) with a positive ``hp`` and all other HPs as given."""
    columns = hp_columns(df)
    needed = [hp, *(name for name, value in others.items() if value is not None)]
    lacking = [name for name in needed if HP_PREFIX + name not in columns]
    if lacking:
        raise TableError(
            f"slice of {hp}: needs the columns of its HPs; got none for {lacking}; "
            f"add {', '.join(HP_PREFIX + name for name in lacking)}"
        )
    keep = df[HP_PREFIX + hp].to_numpy() > 0
    if seeds is not None:
        keep &= np.isin(df["seed"].to_numpy(), list(seeds))
    for name in columns:
        if name != HP_PREFIX + hp:
            keep &= equals(df[name].to_numpy(), others.get(name.removeprefix(HP_PREFIX)))
    return df[keep]


def _has_axis_value(df: pd.DataFrame, axis: Axis, axis_value: int) -> np.ndarray:
    return df[axis].to_numpy(dtype=float, na_value=np.nan) == axis_value


def equals(cells: np.ndarray, value: float | None) -> np.ndarray:
    """Return the mask of the cells that equal an HP value, (rows,); None matches null."""
    if value is None:
        return np.isnan(cells)
    return np.isclose(cells, round_hp(value), rtol=10**-LOG2_DECIMALS, atol=0.0)


class _Row(NamedTuple):
    hps: tuple[float, ...]  # every HP, null as infinity, which equals itself
    arm: str
    status: str
    val_loss: float
    n_val: float
    trial_id: str


def _cells(
    rows: pd.DataFrame, *, hp: str, others: Mapping[str, float | None], arm: str, axis: Axis
) -> dict[tuple[float, int], _Row]:
    """The row of each cell (log2 value, seed): a result rather than an unfinished trial."""
    for name in _HELD_FIXED:
        distinct = sorted({str(value) for value in rows[name].unique()})
        if len(distinct) > 1 and name != axis:
            remedy = "analyze one study at a time" if name == "study" else "keep one of them"
            raise TableError(f"slice of {hp}: rows of one {name}; got {distinct}; {remedy}")
    cells: dict[tuple[float, int], _Row] = {}
    rows = _by_preference(rows, others)
    hps = rows[hp_columns(rows)].fillna(np.inf).itertuples(index=False, name=None)
    log2_x = _grouped(np.round(np.log2(rows[HP_PREFIX + hp].to_numpy()), LOG2_DECIMALS)).tolist()
    columns = (rows[name].tolist() for name in ("seed", *_Row._fields[1:]))
    for x, hp_set, seed, *fields in zip(log2_x, hps, *columns, strict=True):
        key, row = (x, int(seed)), _Row(hp_set, *fields)
        other = cells.get(key)
        if other is None or _rank(row, arm) > _rank(other, arm):
            cells[key] = row
        elif (
            row.status in FINISHED and row.hps == other.hps and _rank(row, arm) == _rank(other, arm)
        ):
            raise TableError(
                f"slice of {hp}: one result for each value and seed; got trials {other.trial_id} "
                f"and {row.trial_id}; drop one"
            )
    return cells


def _by_preference(rows: pd.DataFrame, others: Mapping[str, float | None]) -> pd.DataFrame:
    """The rows, those first whose other HPs are exactly as given, then by their HP values."""
    inexact = np.zeros(len(rows), dtype=int)
    for name, value in others.items():
        if value is not None:
            inexact += rows[HP_PREFIX + name].to_numpy() != round_hp(value)
    hps = rows[hp_columns(rows)].to_numpy(dtype=float)
    return rows.iloc[np.lexsort([*hps.T, inexact])]


def _grouped(log2_x: np.ndarray) -> np.ndarray:
    """The logarithms, each that exceeds another by their last decimal only replaced by that one."""
    distinct, inverse = np.unique(log2_x, return_inverse=True)
    for i in range(1, distinct.size):
        if distinct[i] - distinct[i - 1] < 1.5 * 10**-LOG2_DECIMALS:
            distinct[i] = distinct[i - 1]
    return distinct[inverse]


def _rank(row: _Row, arm: str) -> tuple[bool, bool, float]:
    """The precedence of a row for its cell; the highest counts.

    A finished trial ranks above an unfinished one. Where a table from elsewhere holds both arms at
    the base width, the requested arm ranks above the other. Validations do not affect training: of
    two trials that differ in their number, the one with fewer counts, so that stage `convergence`
    adds nothing to a slice.
    """
    finished = row.status in FINISHED
    fewer = 0.0 if pd.isna(row.n_val) else -float(row.n_val)
    return finished, finished and row.arm == arm, fewer


@lru_cache(maxsize=512)
def mean_loss(slice_: Slice) -> np.ndarray:
    """Return the mean loss of each value, (P,), adjusted for seed effects; NaN where not usable.

    Least squares for y_ij = m_i + b_j with Σ b_j = 0, b_j the effect of seed j: the plain mean if
    no cell is missing or the seeds are not paired, and unbiased if a value lacks some seed.
    """
    means = _means(slice_, slice_.usable)
    means.setflags(write=False)
    return means


def _means(slice_: Slice, kept: np.ndarray) -> np.ndarray:
    """The mean losses of the values ``kept``, adjusted for seed effects; NaN elsewhere."""
    means = np.full(len(slice_.log2_x), np.nan)
    used = np.isfinite(slice_.loss) & kept[:, None]
    if used[kept].all() or not slice_.paired:
        means[kept] = np.nanmean(slice_.loss[kept], axis=1) if kept.any() else np.nan
        return means
    present = used[kept][:, used.any(axis=0)].astype(float)
    grand_mean = float(slice_.loss[used].mean())
    y = np.where(used, slice_.loss - grand_mean, 0.0)[kept][:, used.any(axis=0)]
    # The normal equations without the seed effects: P × P, however many seeds there are.
    share = present / present.sum(axis=0)
    matrix = np.diag(present.sum(axis=1)) - share @ present.T
    m = np.linalg.lstsq(matrix, y.sum(axis=1) - share @ y.sum(axis=0), rcond=None)[0]
    b = ((y - present * m[:, None]) * present).sum(axis=0) / present.sum(axis=0)
    # Values and seeds that are linked know only their sums m + b: in each part Σ b = 0.
    _, part = connected_components(present @ present.T)
    part_of_seed = part[present.argmax(axis=0)]
    shift = np.bincount(part_of_seed, b) / np.bincount(part_of_seed)
    means[kept] = m + shift[part] + grand_mean
    return means


def lowest_loss(slice_: Slice) -> float | None:
    """Return the lowest mean loss of a slice; None if there is none."""
    return float(np.nanmin(mean_loss(slice_))) if slice_.usable.any() else None


@lru_cache(maxsize=512)
def bracket(slice_: Slice) -> Bracket:
    """Return the values on either side of the best one, and whether to extend the slice.

    A slice is extended outwards until there are two worse values or a wall on each side.
    If every value diverged it is extended to smaller ones.
    """
    usable = slice_.usable
    if not usable.any():
        all_walls = bool(slice_.walls.any())
        return Bracket(
            best=None,
            n_worse_left=0,
            n_worse_right=0,
            wall_left=None,
            wall_right=float(slice_.log2_x[slice_.walls][0]) if all_walls else None,
            wants_left=all_walls,
            wants_right=False,
        )
    x = slice_.log2_x
    best = int(np.nanargmin(mean_loss(slice_)))
    lower, upper = x[slice_.walls & (x < x[best])], x[slice_.walls & (x > x[best])]
    left = float(lower[-1]) if lower.size else None
    right = float(upper[0]) if upper.size else None
    n_left = int((usable & (x < x[best]) & (x > (-np.inf if left is None else left))).sum())
    n_right = int((usable & (x > x[best]) & (x < (np.inf if right is None else right))).sum())
    return Bracket(
        best=best,
        n_worse_left=n_left,
        n_worse_right=n_right,
        wall_left=left,
        wall_right=right,
        wants_left=left is None and n_left < N_WORSE_WANTED,
        wants_right=right is None and n_right < N_WORSE_WANTED,
    )
