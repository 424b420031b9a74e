"""A slice: one HP varied and the others fixed, at one axis value, in one arm, for some seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from mutransfer.analysis.table.schema import HP_PREFIX
from mutransfer.analysis.table.table import TableError, hp_columns, in_arm
from mutransfer.words import FINISHED, Axis, round_hp

# log2 of a value with 6 significant digits is known to about 1e-6; rounding makes lattice values
# exact.
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
    """

    hp: str
    arm: str
    axis_value: int
    log2_x: np.ndarray
    loss: np.ndarray
    seeds: tuple[int, ...]
    diverged: np.ndarray
    fixed: Mapping[str, float | None]

    @property
    def usable(self) -> np.ndarray:
        """(P,) True where there is a loss and no seed diverged.

        If one seed of a value diverged, the others are a selected sample.
        """
        return np.isfinite(self.loss).any(axis=1) & ~self.diverged

    @property
    def n_missing(self) -> int:
        """Number of (value, seed) cells without a loss at values that did not diverge."""
        return int(np.isnan(self.loss[~self.diverged]).sum())

    def index(self, log2_x: float) -> int | None:
        """Return the index of a value, or None if it was not run."""
        near = np.flatnonzero(np.abs(self.log2_x - log2_x) < 2 * 10**-LOG2_DECIMALS)
        return int(near[0]) if near.size else None


@dataclass(frozen=True, kw_only=True)
class Bracket:
    """The values on either side of the best value of a slice.

    Attributes:
        best: Index of the usable value of lowest mean loss; None if there is none.
        n_worse_left: Number of usable values below the best one, up to the nearest diverged.
        n_worse_right: The same above it.
        diverged_left: log2 of the nearest diverged value below the best, or None.
        diverged_right: log2 of the nearest diverged value above the best, or None.
        wants_left: The slice should be extended downwards.
        wants_right: The slice should be extended upwards.
    """

    best: int | None
    n_worse_left: int
    n_worse_right: int
    diverged_left: float | None
    diverged_right: float | None
    wants_left: bool
    wants_right: bool


def log2_of(value: float) -> float:
    """Return log2 of a positive HP value, exact for lattice values of 6 digits."""
    return float(np.round(np.log2(value), LOG2_DECIMALS))


def slice_of(
    df: pd.DataFrame,
    *,
    hp: str,
    fixed: Mapping[str, float | None],
    axis_value: int,
    arm: str,
    seeds: Sequence[int],
    axis: Axis = "width",
    base: int | None = None,
) -> Slice:
    """Return the slice of ``hp`` in a table.

    Rows are selected by their HP values alone, whichever stage requested the trial. A row belongs
    to the slice if its arm, axis value and seed match and all its other HPs equal ``fixed``; it
    fills the cell of its value of ``hp`` and its seed.

    Args:
        df: A validated results table.
        hp: The varied HP; rows in which it is null or not above 0 have no log2 and are left out.
        fixed: Values that all other HPs must equal; None (or absent) matches null.
        axis_value: Value on the axis.
        arm: ``mup``, ``sp`` or ``unscaled``; rows of the base width count for all.
        seeds: Seeds, in the order of the columns of the slice.
        axis: The axis, which is the name of the column of axis values.
        base: Along another axis than width: the axis value whose rows count for all arms.

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
    cells = _cells(rows, hp=hp, arm=arm, axis=axis)
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
    )


def _matching(
    df: pd.DataFrame,
    hp: str,
    others: Mapping[str, float | None],
    seeds: Sequence[int],
) -> pd.DataFrame:
    """The rows of these seeds with a positive ``hp`` and all other HPs as given."""
    columns = hp_columns(df)
    needed = [hp, *(name for name, value in others.items() if value is not None)]
    lacking = [name for name in needed if HP_PREFIX + name not in columns]
    if lacking:
        raise TableError(
            f"slice of {hp}: needs the columns of its HPs; got none for {lacking}; "
            f"add {', '.join(HP_PREFIX + name for name in lacking)}"
        )
    keep = np.isin(df["seed"].to_numpy(), list(seeds)) & (df[HP_PREFIX + hp].to_numpy() > 0)
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
    arm: str
    status: str
    val_loss: float
    n_val: float
    trial_id: str


def _cells(rows: pd.DataFrame, *, hp: str, arm: str, axis: Axis) -> dict[tuple[float, int], _Row]:
    """The row of each cell (log2 value, seed): a result rather than an unfinished trial."""
    for name in _HELD_FIXED:
        distinct = sorted({str(value) for value in rows[name]})
        if len(distinct) > 1 and name != axis:
            raise TableError(
                f"slice of {hp}: rows of one {name}; got {distinct}; analyze one study at a time"
            )
    cells: dict[tuple[float, int], _Row] = {}
    columns = [HP_PREFIX + hp, "seed", *_Row._fields]
    for x, seed, *fields in zip(*(rows[c].tolist() for c in columns), strict=True):
        key, row = (log2_of(x), int(seed)), _Row(*fields)
        other = cells.get(key)
        if other is None or _rank(row, arm) > _rank(other, arm):
            cells[key] = row
        elif row.status in FINISHED and _rank(row, arm) == _rank(other, arm):
            raise TableError(
                f"slice of {hp}: one result for each value and seed; got trials {other.trial_id} "
                f"and {row.trial_id}; drop one"
            )
    return cells


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
    no cell is missing, and unbiased if a value lacks some seed.
    """
    means = np.full(len(slice_.log2_x), np.nan)
    used = np.isfinite(slice_.loss) & slice_.usable[:, None]
    if used[slice_.usable].all():
        means[slice_.usable] = slice_.loss[slice_.usable].mean(axis=1)
        means.setflags(write=False)
        return means
    i, j = np.nonzero(used)
    n_values, n_seeds = slice_.loss.shape
    rows = np.zeros((i.size + 1, n_values + n_seeds))
    rows[np.arange(i.size), i] = 1.0
    rows[np.arange(i.size), n_values + j] = 1.0
    rows[-1, n_values:] = used.any(axis=0)
    y = np.append(slice_.loss[used], 0.0)
    grand_mean = float(y[:-1].mean())
    y[:-1] -= grand_mean
    solution = np.linalg.lstsq(rows, y, rcond=None)[0]
    means[slice_.usable] = solution[:n_values][slice_.usable] + grand_mean
    means.setflags(write=False)
    return means


@lru_cache(maxsize=512)
def bracket(slice_: Slice) -> Bracket:
    """Return the values on either side of the best one, and whether to extend the slice.

    A slice is extended outwards until there are two worse values or a diverged one on each side.
    If every value diverged it is extended to smaller ones.
    """
    usable = slice_.usable
    if not usable.any():
        all_diverged = bool(slice_.diverged.any())
        return Bracket(
            best=None,
            n_worse_left=0,
            n_worse_right=0,
            diverged_left=None,
            diverged_right=float(slice_.log2_x[slice_.diverged][0]) if all_diverged else None,
            wants_left=all_diverged,
            wants_right=False,
        )
    x = slice_.log2_x
    best = int(np.nanargmin(mean_loss(slice_)))
    lower, upper = x[slice_.diverged & (x < x[best])], x[slice_.diverged & (x > x[best])]
    left = float(lower[-1]) if lower.size else None
    right = float(upper[0]) if upper.size else None
    n_left = int((usable & (x < x[best]) & (x > (-np.inf if left is None else left))).sum())
    n_right = int((usable & (x > x[best]) & (x < (np.inf if right is None else right))).sum())
    return Bracket(
        best=best,
        n_worse_left=n_left,
        n_worse_right=n_right,
        diverged_left=left,
        diverged_right=right,
        wants_left=left is None and n_left < N_WORSE_WANTED,
        wants_right=right is None and n_right < N_WORSE_WANTED,
    )
