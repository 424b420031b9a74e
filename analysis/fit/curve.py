"""The local curve of a slice: a valley in log2 x, and a smooth deviation from it.

The mean losses over seeds are m_i = k0 + k1 u + k2 valley(u; a) + walk(u) + e_i (`basis`), with
u = log2 x − log2 x[argmin] in octaves. a/3, the cubic term in units of the quadratic one, is
N(0, 0.6²): slow on one side and steep on the other. The walk, how far the curve may be from such
a valley, is as rough as the values themselves say, with a prior that keeps it from 0
(`posterior`). Linearized in a, every contrast of the curve has a t interval; where the data are
imprecise it holds what such a curve may do between the values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mutransfer.analysis.fit import valley
from mutransfer.analysis.fit.cliffs import cut_cliffs
from mutransfer.analysis.fit.pool import share
from mutransfer.analysis.fit.regression import Linear
from mutransfer.analysis.fit.solve import Solved, solve, step_sd
from mutransfer.analysis.fit.window import Window, window_of
from mutransfer.analysis.table.slice import Slice, bracket, mean_loss

# Prior standard deviation of a jump of f'', in units of k2 (`Fit.doubted`).
JUMP_SD = 1.75


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """A fitted local curve and everything its intervals need.

    Attributes:
        slice: What was fitted.
        spacing_log2: Lattice step, octaves.
        center: log2 of the value of lowest mean loss; NaN if there is none.
        window: (P,) True for the values on the curve.
        barrier_left: log2 of the nearest value below the window that diverged or is a cliff.
        barrier_right: The same above the window.
        beta: (4 + K,) coefficients in `basis.values`; empty where the values carry no curve.
        cov: (4 + K, 4 + K) their covariance.
        a: Asymmetry of the valley, octave^-1.
        scale: Size of k2 that the priors take, loss/octave².
        roughness: Of the walk, in units of ``scale`` per root octave.
        steps: (K,) places at which the bend may step, octaves from ``center``.
        noise_var: Variance of one loss that the values share, loss².
        df: Degrees of freedom of the noise, what the family tells included (`noise.moderated`).
        df_own: Those of the slice alone.
        n_seeds: Seeds with data in the window.
        own: A value compared by its own losses: log2, mean loss, variance of that mean.
        variance: (P,) variances of the mean losses, loss²; NaN off the window.
    """

    slice: Slice
    spacing_log2: float
    center: float
    window: np.ndarray
    barrier_left: float | None
    barrier_right: float | None
    beta: np.ndarray
    cov: np.ndarray
    a: float
    scale: float
    roughness: float
    steps: np.ndarray
    noise_var: float
    df: float
    df_own: float
    n_seeds: int
    own: tuple[float, float, float] | None
    variance: np.ndarray

    @property
    def ok(self) -> bool:
        """Whether there is a curve and a noise to judge it by."""
        return self.beta.size > 0 and self.df >= 1

    @property
    def values(self) -> np.ndarray:
        """log2 of the values on the curve, ascending."""
        return self.slice.log2_x[self.window]

    def rows(self, log2_x: float | np.ndarray) -> np.ndarray:
        """Return the (N, 4 + K) linear forms whose product with ``beta`` is f at ``log2_x``."""
        return valley.values(self._u(log2_x), self.a, self.steps)

    def slope_rows(self, log2_x: float | np.ndarray) -> np.ndarray:
        """Return the (N, 4 + K) linear forms whose product with ``beta`` is f' at ``log2_x``."""
        return valley.slopes(self._u(log2_x), self.a, self.steps)

    def bend_rows(self, log2_x: float | np.ndarray) -> np.ndarray:
        """Return the (N, 4 + K) linear forms whose product with ``beta`` is f'' at ``log2_x``."""
        return valley.bends(self._u(log2_x), self.a, self.steps)

    def _u(self, log2_x: float | np.ndarray) -> np.ndarray:
        return np.atleast_1d(np.asarray(log2_x, dtype=float)) - self.center

    def value(self, log2_x: float | np.ndarray) -> np.ndarray:
        """Return f averaged over seeds, loss, (N,)."""
        return self.rows(log2_x) @ self.beta

    def bend(self, log2_x: float) -> float:
        """Return f'', loss per octave²; NaN without a curve."""
        return float(self.bend_rows(log2_x)[0] @ self.beta) if self.beta.size else float("nan")

    def differences(self, log2_a: float, log2_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return estimates and standard errors of f(a) − f(b), loss, for each b, (N,) each."""
        forms, extra, offset = -self.rows(log2_b), 0.0, 0.0
        if self.own is not None and self._is_own(log2_a):
            _, offset, extra = self.own
        else:
            forms = forms + self.rows(log2_a)
        variance = np.einsum("nk,kl,nl->n", forms, self.cov, forms) + extra
        return offset + forms @ self.beta, np.sqrt(np.maximum(variance, 0.0))

    def differences_with_kink(
        self, log2_a: float, log2_b: np.ndarray, log2_at: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return `differences` as somebody takes them who doubts that the curve is smooth.

        Between two values a curve whose bend jumps looks like a smooth one whose minimum is
        elsewhere. For each b, f'' may jump at a place of its own by N(0, (JUMP_SD·scale)²) besides
        what it walks: one coefficient more in the linear model.

        Args:
            log2_a: The one value.
            log2_b: The others, (N,).
            log2_at: Where f'' may jump, (N,).
        """
        at = self._u(log2_at)
        column = valley.beyond(self._u(self.values), at) ** 2 / 2
        size, error, falls = self._linear.with_one_more(column, JUMP_SD * self.scale)
        forms, jumps = -self.rows(log2_b), -(valley.beyond_own(self._u(log2_b), at) ** 2) / 2
        if not self._is_own(log2_a):
            forms = forms + self.rows(log2_a)
            jumps = jumps + valley.beyond_own(self._u(log2_a), at) ** 2 / 2
        jumps = jumps - np.einsum("nk,kn->n", forms, falls)
        estimates, errors = self.differences(log2_a, log2_b)
        return estimates + jumps * size, np.hypot(errors, jumps * error)

    @cached_property
    def _linear(self) -> Linear:
        return Linear(
            u=self._u(self.values),
            m=mean_loss(self.slice)[self.window],
            variance=self.variance[self.window],
            rho=self.a / 3,
            scale=self.scale,
            steps=self.steps,
            step_sd=step_sd(self.scale, self.roughness, self.steps.size),
        )

    def _is_own(self, log2_x: float) -> bool:
        return self.own is not None and abs(self.own[0] - log2_x) < 1e-4

    def difference(self, log2_a: float, log2_b: float) -> tuple[float, float]:
        """Return estimate and standard error of f(a) − f(b), loss."""
        estimate, error = self.differences(log2_a, np.array([log2_b]))
        return float(estimate[0]), float(error[0])


def fit(slice_: Slice, *, spacing_log2: float = 1.0, pinned: float | None = None) -> Fit:
    """Return the local curve about the best value of a slice: `fits` of one."""
    return fits([slice_], spacing_log2=spacing_log2, own_levels=[pinned])[0]


def fits(
    slices: Sequence[Slice],
    *,
    spacing_log2: float = 1.0,
    own_levels: Sequence[float | None] | None = None,
    families: Sequence[int] | None = None,
) -> list[Fit]:
    """Return the local curve about the best value of each slice.

    The window is the values within 4 octaves (or 2 lattice steps) of the best, up to the
    nearest diverged one; cliffs at its ends are cut off (`cut_cliffs`). Fewer than 3 values
    carry no curve. With several seeds the noise is what differs between them
    (`noise.of_seeds`), with one it is the scatter about a polynomial of lower degree.

    Args:
        slices: Losses along one HP, each.
        spacing_log2: Lattice step, octaves.
        own_levels: log2 of a value of each slice that is compared by its own losses, so that the
            curve need not reach it; its seeds still tell the noise. None: no such value.
        families: A number for each slice; those of one number, the widths of one HP and arm,
            share noise, roughness and the likelihood of cliffs (`share`, `cut_cliffs`). None: each
            as if it were alone.
    """
    levels = [None] * len(slices) if own_levels is None else own_levels
    windows = [window_of(s, spacing_log2, level) for s, level in zip(slices, levels, strict=True)]
    solved = solve(windows)
    cut_cliffs(windows, solved, families)
    if families is not None:
        solved = share(windows, solved, families)
    return [_fit(window, found) for window, found in zip(windows, solved, strict=True)]


def _fit(window: Window, solved: Solved) -> Fit:
    slice_, center, kept = window.slice, window.center, window.kept
    x, marks = slice_.log2_x, bracket(slice_)
    cut = window.near & ~kept
    walls_left = [*x[cut & (x < center)], *_known(marks.diverged_left)]
    walls_right = [*x[cut & (x > center)], *_known(marks.diverged_right)]
    on_curve = kept.copy()
    if window.level is not None:
        on_curve[window.level] = False
    return Fit(
        slice=slice_,
        spacing_log2=window.spacing_log2,
        center=center,
        window=on_curve,
        barrier_left=float(max(walls_left)) if walls_left else None,
        barrier_right=float(min(walls_right)) if walls_right else None,
        **{k: v for k, v in solved._asdict().items() if k != "p_loudest"},
    )


def _known(value: float | None) -> list[float]:
    return [] if value is None else [value]
