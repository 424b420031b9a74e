"""The local curve of a slice: a valley in log2 x, and a smooth deviation from it.

The mean losses over seeds are m_i = k0 + k1 u + k2 valley(u; a) + walk(u) + e_i (`valley`), with
u = log2 x − log2 x[argmin] in octaves. a/3, the cubic term in units of the quadratic one, is
N(0, 0.6²): slow on one side and steep on the other. The walk is the deviation from such a valley;
its roughness is estimated from the values, with a prior that keeps it from 0 (`regression`).
Linearized in a, every contrast of the curve has a t interval, which allows for what such a curve
may do between the values where the data are imprecise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mutransfer.analysis.fit import valley
from mutransfer.analysis.fit.cliffs import cut_cliffs
from mutransfer.analysis.fit.pool import share
from mutransfer.analysis.fit.regression import Linear, knot_sd
from mutransfer.analysis.fit.solve import Solved, solve
from mutransfer.analysis.fit.window import Window, window_of
from mutransfer.analysis.table.slice import Slice, bracket, mean_loss

# Prior standard deviation of a jump of f'', in units of k2 (`Fit.differences_with_kink`).
JUMP_SD = 1.75


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """A fitted local curve and everything that its intervals need.

    Attributes:
        slice: The slice that was fitted.
        spacing_log2: Lattice step, octaves.
        center: log2 of the value of lowest mean loss; NaN if there is none.
        window: (P,) True for the values on the curve.
        barrier_left: log2 of the nearest value below the window that diverged or is a cliff.
        barrier_right: The same above the window.
        beta: (4 + K,) coefficients of `valley.values`; empty where there are too few values.
        cov: (4 + K, 4 + K) their covariance.
        a: Asymmetry of the valley, octave^-1.
        scale: Size of k2 in the priors, loss/octave².
        roughness: Of the walk, in units of ``scale`` per root octave.
        knots: (K,) knots of the spline, octaves from ``center``, where f'' may change.
        noise_var: Variance of one loss that the values share, loss².
        df: Degrees of freedom of the noise, gains from the family included (`noise.moderated`).
        df_slice: Residual degrees of freedom of the slice alone.
        n_seeds: Seeds with data in the window.
        pinned: The value compared by its own mean loss, not by the curve: log2, mean loss,
            variance of that mean; or None.
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
    knots: np.ndarray
    noise_var: float
    df: float
    df_slice: float
    n_seeds: int
    pinned: tuple[float, float, float] | None
    variance: np.ndarray

    @property
    def ok(self) -> bool:
        """Whether there is a curve, and a noise estimate with a degree of freedom or more."""
        return self.beta.size > 0 and self.df >= 1

    @property
    def values(self) -> np.ndarray:
        """log2 of the values on the curve, ascending."""
        return self.slice.log2_x[self.window]

    def rows(self, log2_x: float | np.ndarray) -> np.ndarray:
        """Return the (N, 4 + K) linear forms whose product with ``beta`` is f at ``log2_x``."""
        return valley.values(self._u(log2_x), self.a, self.knots)

    def slope_rows(self, log2_x: float | np.ndarray) -> np.ndarray:
        """Return the (N, 4 + K) linear forms whose product with ``beta`` is f' at ``log2_x``."""
        return valley.slopes(self._u(log2_x), self.a, self.knots)

    def second_derivative_rows(self, log2_x: float | np.ndarray) -> np.ndarray:
        """Return the (N, 4 + K) linear forms whose product with ``beta`` is f'' at ``log2_x``."""
        return valley.second_derivatives(self._u(log2_x), self.a, self.knots)

    def _u(self, log2_x: float | np.ndarray) -> np.ndarray:
        return np.atleast_1d(np.asarray(log2_x, dtype=float)) - self.center

    def value(self, log2_x: float | np.ndarray) -> np.ndarray:
        """Return f averaged over seeds, loss, (N,)."""
        return self.rows(log2_x) @ self.beta

    def second_derivative(self, log2_x: float) -> float:
        """Return f'', loss per octave²; NaN without a curve."""
        if not self.beta.size:
            return float("nan")
        return float(self.second_derivative_rows(log2_x)[0] @ self.beta)

    def difference(self, log2_a: float, log2_b: float) -> tuple[float, float]:
        """Return estimate and standard error of f(a) − f(b), loss."""
        estimate, error = self.differences(log2_a, np.array([log2_b]))
        return float(estimate[0]), float(error[0])

    def differences(self, log2_a: float, log2_b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return estimates and standard errors of f(a) − f(b), loss, for each b, (N,) each."""
        forms, extra, offset = -self.rows(log2_b), 0.0, 0.0
        if self.pinned is not None and self._is_pinned(log2_a):
            _, offset, extra = self.pinned
        else:
            forms = forms + self.rows(log2_a)
        variance = np.einsum("nk,kl,nl->n", forms, self.cov, forms) + extra
        return offset + forms @ self.beta, np.sqrt(np.maximum(variance, 0.0))

    def differences_with_kink(
        self, log2_a: float, log2_b: np.ndarray, log2_kink: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return `differences` of a curve that is allowed a kink.

        Between two values a curve with a jump in f'' looks like a smooth one whose minimum is
        elsewhere. For each b, f'' may jump at one location by N(0, (JUMP_SD·scale)²) besides the
        walk: one coefficient more in the linear model.

        Args:
            log2_a: The value a.
            log2_b: The values b, (N,).
            log2_kink: Where f'' may jump, (N,).
        """
        kink = self._u(log2_kink)
        column = valley.outward_distances(self._u(self.values), kink) ** 2 / 2
        size, error, decrease = self._linear.with_extra_coefficient(column, JUMP_SD * self.scale)
        forms = -self.rows(log2_b)
        jumps = -(valley.outward_distance(self._u(log2_b), kink) ** 2) / 2
        if not self._is_pinned(log2_a):
            forms = forms + self.rows(log2_a)
            jumps = jumps + valley.outward_distance(self._u(log2_a), kink) ** 2 / 2
        jumps = jumps - np.einsum("nk,kn->n", forms, decrease)
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
            knots=self.knots,
            knot_sd=knot_sd(self.scale, self.roughness, self.knots.size),
        )

    def _is_pinned(self, log2_x: float) -> bool:
        return self.pinned is not None and abs(self.pinned[0] - log2_x) < 1e-4


def fit_slice(slice_: Slice, *, spacing_log2: float = 1.0, pinned: float | None = None) -> Fit:
    """Return the local curve about the best value of a slice: `fit_slices` of one."""
    return fit_slices([slice_], spacing_log2=spacing_log2, pinned=[pinned])[0]


def fit_slices(
    slices: Sequence[Slice],
    *,
    spacing_log2: float = 1.0,
    pinned: Sequence[float | None] | None = None,
    families: Sequence[int] | None = None,
) -> list[Fit]:
    """Return the local curve about the best value of each slice.

    The window is the values within 4 octaves (or 2 lattice steps) of the best, up to the
    nearest diverged one; cliffs at its ends are cut off (`cut_cliffs`). Fewer than 3 values get no
    curve. With several seeds the noise is estimated from the differences between them
    (`noise.of_seeds`), with one from the scatter about a polynomial of lower degree.

    Args:
        slices: The slices.
        spacing_log2: Lattice step, octaves.
        pinned: For each slice, log2 of a value that is compared by its own mean loss, so that the
            curve need not pass through it; its seeds still enter the noise. None: no such value.
        families: A number for each slice; those of one number, the axis values of one HP and arm,
            share noise, roughness and the likelihood of cliffs (`share`, `cut_cliffs`). None: each
            is fitted alone.
    """
    pins = [None] * len(slices) if pinned is None else pinned
    windows = [window_of(s, spacing_log2, pin) for s, pin in zip(slices, pins, strict=True)]
    solved = solve(windows)
    cut_cliffs(windows, solved, families)
    if families is not None:
        solved = share(windows, solved, families)
    return [_fit_of(window, curve) for window, curve in zip(windows, solved, strict=True)]


def _fit_of(window: Window, solved: Solved) -> Fit:
    slice_, center = window.slice, window.center
    x, sides = slice_.log2_x, bracket(slice_)
    cliffs = x[window.near & ~window.kept]
    left = [*cliffs[cliffs < center], *_present(sides.diverged_left)]
    right = [*cliffs[cliffs > center], *_present(sides.diverged_right)]
    return Fit(
        slice=slice_,
        spacing_log2=window.spacing_log2,
        center=center,
        window=window.on_curve,
        barrier_left=float(max(left)) if left else None,
        barrier_right=float(min(right)) if right else None,
        **{k: v for k, v in solved._asdict().items() if k != "p_loudest"},
    )


def _present(value: float | None) -> list[float]:
    return [] if value is None else [value]
