"""The local curve of a slice: a polynomial in log2 x, with seeds as additive blocks.

y_ij = f(u_i) + b_j + e_ij with u = log2 x − log2 x[argmin], f a cubic or a quadratic without
constant, b_j the level of seed j, e independent with one variance. It is a linear model, so
every contrast of f has an exact t interval. Noise is the pooled residual or, if larger, the
mean square of the lack of fit: where the curve is no polynomial, its misfit is what errs.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import special

from analysis.slices import Slice, bracket, mean_loss

REACH_STEPS = 2.0
MIN_VALUES = 3
MIN_VALUES_CUBIC = 5
MIN_DF_CUBIC = 2
# Four values get a cubic only if the quadratic's lack of fit is significant at this level.
LACK_OF_FIT_LEVEL = 0.05
# Excess per squared distance from the best stays below 2 times the next largest on a cubic.
CLIFF_RATIO = 6.0
# Below this share of the losses' size, residuals are rounding errors of the arithmetic.
ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """A fitted local curve and everything its intervals need.

    Attributes:
        slice: What was fitted.
        spacing_log2: Lattice step, octaves.
        center: log2 of the value of lowest mean loss; NaN if there is none.
        window: (P,) True for the values on the curve.
        wall_left: log2 of the nearest value below the window that diverged or is a cliff.
        wall_right: The same above the window.
        degree: 3, 2, or 0 where the values do not carry a curve.
        beta: Coefficients: powers 1…degree of u, a level per seed, and perhaps one own level.
        cov_unit: Their covariance divided by the noise variance.
        noise_var: Variance of one loss about the curve, loss²; NaN without residual.
        df: Residual degrees of freedom.
        n_seeds: Seeds with data in the window.
        level_log2: log2 of a value that has its own level instead of a place on the curve.
    """

    slice: Slice
    spacing_log2: float
    center: float
    window: np.ndarray
    wall_left: float | None
    wall_right: float | None
    degree: int
    beta: np.ndarray
    cov_unit: np.ndarray
    noise_var: float
    df: int
    n_seeds: int
    level_log2: float | None = None

    @property
    def ok(self) -> bool:
        """Whether there is a curve with a residual to judge it by."""
        return self.degree >= 2 and self.df >= 1

    @property
    def values(self) -> np.ndarray:
        """log2 of the values on the curve, ascending."""
        return self.slice.log2_x[self.window]

    def rows(self, log2_x: np.ndarray) -> np.ndarray:
        """Return the (N, k) linear forms whose product with ``beta`` is f at ``log2_x``."""
        u = np.atleast_1d(np.asarray(log2_x, dtype=float)) - self.center
        rows = np.zeros((u.size, self.beta.size))
        for power in range(1, self.degree + 1):
            rows[:, power - 1] = u**power
        rows[:, self.degree : self.degree + self.n_seeds] = 1.0 / self.n_seeds
        return rows

    def slope_rows(self, log2_x: np.ndarray) -> np.ndarray:
        """Return the (N, k) linear forms whose product with ``beta`` is f' at ``log2_x``."""
        u = np.atleast_1d(np.asarray(log2_x, dtype=float)) - self.center
        rows = np.zeros((u.size, self.beta.size))
        for power in range(1, self.degree + 1):
            rows[:, power - 1] = power * u ** (power - 1)
        return rows

    def value(self, log2_x: float | np.ndarray) -> np.ndarray:
        """Return f averaged over seeds, loss, (N,)."""
        return self.rows(np.asarray(log2_x)) @ self.beta

    def bend(self, log2_x: float) -> float:
        """Return f'', loss per octave²."""
        if self.degree < 2:
            return float("nan")
        cubic = self.beta[2] if self.degree == 3 else 0.0
        return float(2 * self.beta[1] + 6 * cubic * (log2_x - self.center))

    def place(self, log2_x: float) -> np.ndarray:
        """Return the linear form (1, k) of one value: its own level, or f."""
        if self.level_log2 is not None and abs(self.level_log2 - log2_x) < 1e-4:
            rows = self.rows(np.array([self.center]))
            rows[0, -1] = 1.0
            return rows
        return self.rows(np.array([log2_x]))

    def differences(self, log2_a: float, log2_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return estimates and standard errors of f(a) − f(b), loss, for each b, (N,) each."""
        forms = self.place(log2_a) - self.rows(log2_b)
        variance = np.einsum("nk,kl,nl->n", forms, self.cov_unit, forms) * self.noise_var
        return forms @ self.beta, np.sqrt(np.maximum(variance, 0.0))

    def difference(self, log2_a: float, log2_b: float) -> tuple[float, float]:
        """Return estimate and standard error of f(a) − f(b), loss."""
        estimate, error = self.differences(log2_a, np.array([log2_b]))
        return float(estimate[0]), float(error[0])


def fit(slice_: Slice, *, spacing_log2: float = 1.0, own_level: float | None = None) -> Fit:
    """Return the local curve about the best value of a slice.

    The window is the values within ±2 lattice steps of the best, up to the nearest diverged
    one; cliffs at its ends are cut off (`_cut_cliffs`). A cubic, or a quadratic where a cubic
    leaves fewer than 2 degrees of freedom or there are fewer than 5 values (4 values get a
    cubic if the quadratic misfits them); with fewer than 3 values there is no curve
    (``degree`` 0).

    Args:
        slice_: Losses along one HP.
        spacing_log2: Lattice step, octaves.
        own_level: log2 of a value that enters with a level of its own, so that the curve need
            not reach it; its seeds still tell the seed levels and the noise.
    """
    marks = bracket(slice_)
    if marks.best is None:
        return _no_fit(slice_, spacing_log2)
    x, means = slice_.log2_x, mean_loss(slice_)
    center = float(x[marks.best])
    reach = REACH_STEPS * spacing_log2 * (1 + 1e-6)
    near = slice_.usable & (np.abs(x - center) <= reach)
    near &= x > (-np.inf if marks.diverged_left is None else marks.diverged_left)
    near &= x < (np.inf if marks.diverged_right is None else marks.diverged_right)
    window = _cut_cliffs(x, means, near, marks.best, spacing_log2)
    cut = near & ~window
    walls_left = [*x[cut & (x < center)], *_known(marks.diverged_left)]
    walls_right = [*x[cut & (x > center)], *_known(marks.diverged_right)]
    on_curve = window.copy()
    level = None if own_level is None else slice_.index(own_level)
    if level is not None:
        on_curve[level] = False
    solved = _solve(slice_, on_curve, center, level)
    return Fit(
        slice=slice_,
        spacing_log2=spacing_log2,
        center=center,
        window=on_curve,
        wall_left=float(max(walls_left)) if walls_left else None,
        wall_right=float(min(walls_right)) if walls_right else None,
        degree=solved.degree,
        beta=solved.beta,
        cov_unit=solved.cov_unit,
        noise_var=solved.noise_var,
        df=solved.df,
        n_seeds=solved.n_seeds,
        level_log2=None if level is None else float(x[level]),
    )


def _known(value: float | None) -> list[float]:
    return [] if value is None else [value]


def _cut_cliffs(
    x: np.ndarray, means: np.ndarray, near: np.ndarray, best: int, step: float
) -> np.ndarray:
    """Drop end values of the window whose excess over the best is a cliff's.

    An end value goes when its excess per squared distance from the best is more than
    CLIFF_RATIO times the largest of the other values; distances under half a step count as
    half a step. The ends are looked at again until none goes or 3 values are left. The rule is
    fixed beforehand and uses no other result than the window itself.
    """
    distance = np.maximum(np.abs(x - x[best]), step / 2)
    excess = (means - means[best]) / distance**2
    window = near.copy()
    while window.sum() > MIN_VALUES:
        inside = np.flatnonzero(window)
        ends = [i for i in (inside[0], inside[-1]) if i != best]
        worst = max(ends, key=lambda i: excess[i])
        others = [i for i in inside if i not in (worst, best)]
        if excess[worst] <= CLIFF_RATIO * excess[others].max():
            return window
        window[worst] = False
    return window


def _no_fit(slice_: Slice, spacing_log2: float) -> Fit:
    return Fit(
        slice=slice_,
        spacing_log2=spacing_log2,
        center=float("nan"),
        window=np.zeros(len(slice_.log2_x), dtype=bool),
        wall_left=None,
        wall_right=None,
        degree=0,
        beta=np.zeros(0),
        cov_unit=np.zeros((0, 0)),
        noise_var=float("nan"),
        df=0,
        n_seeds=0,
    )


class _Solved(NamedTuple):
    degree: int
    beta: np.ndarray
    cov_unit: np.ndarray
    noise_var: float
    df: int
    n_seeds: int
    lack_of_fit_p: float


def _solve(slice_: Slice, on_curve: np.ndarray, center: float, level: int | None) -> _Solved:
    """Solve with the degree that the number of values allows."""
    included = on_curve.copy()
    if level is not None:
        included[level] = True
    i, j = np.nonzero(np.isfinite(slice_.loss) & included[:, None])
    n_values = int(on_curve.sum())
    spare = i.size - np.unique(j).size - int(level is not None)
    cubic_fits = spare - 3 >= MIN_DF_CUBIC
    if n_values < MIN_VALUES or spare < 2:
        return _least_squares(slice_, on_curve, i, j, center, level, 0)
    if n_values >= MIN_VALUES_CUBIC and cubic_fits:
        return _least_squares(slice_, on_curve, i, j, center, level, 3)
    quadratic = _least_squares(slice_, on_curve, i, j, center, level, 2)
    if n_values == MIN_VALUES + 1 and cubic_fits and quadratic.lack_of_fit_p < LACK_OF_FIT_LEVEL:
        return _least_squares(slice_, on_curve, i, j, center, level, 3)
    return quadratic


def _least_squares(
    slice_: Slice,
    on_curve: np.ndarray,
    i: np.ndarray,
    j: np.ndarray,
    center: float,
    level: int | None,
    degree: int,
) -> _Solved:
    """Solve for the powers, the seed levels and the own level from the cells (i, j)."""
    seeds, block = np.unique(j, return_inverse=True)
    levels = np.eye(seeds.size)[block]
    powers = np.arange(1, degree + 1)
    curve = np.where(on_curve[i], slice_.log2_x[i] - center, 0.0)[:, None] ** powers
    own = (i == level)[:, None].astype(float) if level is not None else np.zeros((i.size, 0))
    design = np.hstack([curve, levels, own])
    y = slice_.loss[i, j]
    beta, rss, rank = _residual(design, y)
    _, rss_free, rank_free = _residual(np.hstack([levels, np.eye(on_curve.size)[i]]), y)
    df, df_misfit, df_free = i.size - rank, rank_free - rank, i.size - rank_free
    misfit = max(rss - rss_free, 0.0) / df_misfit if df_misfit else 0.0
    p = 1.0
    if df_misfit and df_free:
        p = float(special.fdtrc(df_misfit, df_free, misfit * df_free / rss_free))
    return _Solved(
        degree=degree,
        beta=beta,
        cov_unit=np.linalg.pinv(design.T @ design),
        noise_var=max(rss / df, misfit) if df else float("nan"),
        df=df if degree else 0,
        n_seeds=seeds.size,
        lack_of_fit_p=p,
    )


def _residual(design: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, float, int]:
    """Return coefficients, residual sum of squares above rounding error, and rank."""
    beta, _, rank, _ = np.linalg.lstsq(design, y, rcond=None)
    floor = y.size * (ROUNDING * float(np.abs(y).max())) ** 2
    return beta, float(((y - design @ beta) ** 2).sum()) + floor, int(rank)
