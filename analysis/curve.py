"""The local curve of a slice: a valley in log2 x, and a smooth deviation from it.

The mean losses over seeds are m_i = k0 + k1 u + k2 valley(u; a) + walk(u) + e_i (`basis`), with
u = log2 x − log2 x[argmin] in octaves. a/3, the cubic term in units of the quadratic one, is
N(0, 0.6²): slow on one side and steep on the other. The walk, how far the curve may be from such
a valley, is as rough as the values themselves say, with a prior that keeps it from 0
(`posterior`). Linearized in a, every contrast of the curve has a t interval; where the data are
imprecise it holds what such a curve may do between the values.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from analysis import basis, noise
from analysis.posterior import posterior
from analysis.slices import Slice, bracket, mean_loss

REACH_STEPS = 2.0
REACH_OCTAVES = 4.0
MIN_VALUES = 3
MIN_VALUES_ONE_SEED = 4
# An end value this many standard errors above what the others foretell is a cliff.
CLIFF_ERRORS = 3.0
# From this roughness on (or where noise is uneven) ends are tried as cliffs.
ROUGH = 0.4


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
        beta: (5,) coefficients k0…k4; empty where the values carry no curve.
        cov: (5, 5) their covariance, loss²/octave^(k+l).
        a: Asymmetry of the valley, octave^-1.
        misfit: Factor by which ``cov`` was widened for a misfit, 1 for none.
        noise_var: Variance of one loss that the values share, loss².
        df: Degrees of freedom of the noise.
        n_seeds: Seeds with data in the window.
        own: A value compared by its own losses: log2, mean loss, variance of that mean.
        variance: (P,) variances of the mean losses, loss²; NaN off the window.
    """

    slice: Slice
    spacing_log2: float
    center: float
    window: np.ndarray
    wall_left: float | None
    wall_right: float | None
    beta: np.ndarray
    cov: np.ndarray
    a: float
    steps: np.ndarray
    roughness: float
    noise_var: float
    df: float
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
        """Return the (N, 5) linear forms whose product with ``beta`` is f at ``log2_x``."""
        return basis.values(self._u(log2_x), self.a, self.steps)

    def slope_rows(self, log2_x: float | np.ndarray) -> np.ndarray:
        """Return the (N, 5) linear forms whose product with ``beta`` is f' at ``log2_x``."""
        return basis.slopes(self._u(log2_x), self.a, self.steps)

    def bend_rows(self, log2_x: float | np.ndarray) -> np.ndarray:
        """Return the (N, 5) linear forms whose product with ``beta`` is f'' at ``log2_x``."""
        return basis.bends(self._u(log2_x), self.a, self.steps)

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
        if self.own is not None and abs(self.own[0] - log2_a) < 1e-4:
            _, offset, extra = self.own
        else:
            forms = forms + self.rows(log2_a)
        variance = np.einsum("nk,kl,nl->n", forms, self.cov, forms) + extra
        return offset + forms @ self.beta, np.sqrt(np.maximum(variance, 0.0))

    def difference(self, log2_a: float, log2_b: float) -> tuple[float, float]:
        """Return estimate and standard error of f(a) − f(b), loss."""
        estimate, error = self.differences(log2_a, np.array([log2_b]))
        return float(estimate[0]), float(error[0])


def fit(slice_: Slice, *, spacing_log2: float = 1.0, own_level: float | None = None) -> Fit:
    """Return the local curve about the best value of a slice.

    The window is the values within 4 octaves (or 2 lattice steps) of the best, up to the
    nearest diverged one; cliffs at its ends are cut off (`_without_cliffs`). Fewer than 3 values
    carry no curve. With several seeds the noise is what differs between them
    (`noise.of_seeds`), with one it is the scatter about a polynomial of lower degree.

    Args:
        slice_: Losses along one HP.
        spacing_log2: Lattice step, octaves.
        own_level: log2 of a value that is compared by its own losses, so that the curve need
            not reach it; its seeds still tell the noise.
    """
    marks = bracket(slice_)
    if marks.best is None:
        return _no_fit(slice_, spacing_log2)
    x, means = slice_.log2_x, mean_loss(slice_)
    center = float(x[marks.best])
    reach = max(REACH_STEPS * spacing_log2, REACH_OCTAVES) * (1 + 1e-6)
    near = slice_.usable & (np.abs(x - center) <= reach)
    near &= x > (-np.inf if marks.diverged_left is None else marks.diverged_left)
    near &= x < (np.inf if marks.diverged_right is None else marks.diverged_right)
    level = None if own_level is None else slice_.index(own_level)
    window, solved = _without_cliffs(slice_, means, near, center, level, spacing_log2)
    cut = near & ~window
    walls_left = [*x[cut & (x < center)], *_known(marks.diverged_left)]
    walls_right = [*x[cut & (x > center)], *_known(marks.diverged_right)]
    on_curve = window.copy()
    if level is not None:
        on_curve[level] = False
    return Fit(
        slice=slice_,
        spacing_log2=spacing_log2,
        center=center,
        window=on_curve,
        wall_left=float(max(walls_left)) if walls_left else None,
        wall_right=float(min(walls_right)) if walls_right else None,
        **solved._asdict(),
    )


def _known(value: float | None) -> list[float]:
    return [] if value is None else [value]


def _without_cliffs(
    slice_: Slice,
    means: np.ndarray,
    near: np.ndarray,
    center: float,
    level: int | None,
    step: float,
) -> tuple[np.ndarray, "_Solved"]:
    """The window without cliffs at its ends, and the curve of what is left.

    A cliff begins at a value, not next to the best, that lies above what the curve of those
    inside it foretells by more than CLIFF_ERRORS standard errors, its own included. It is cut
    off with all beyond it, the most surprising first, until none is left or 4 values are.
    """
    window = near.copy()
    solved = _solve(slice_, means, window, center, level, step)
    while window.sum() > MIN_VALUES + 1 and _is_rough(solved):
        tried = []
        for first, less in _shortened(window, slice_.log2_x, center):
            rest = _solve(slice_, means, less, center, level, step)
            own = float(solved.variance[first])
            surprise = _surprise(rest, slice_.log2_x[first] - center, means[first], own)
            tried.append((surprise, less, rest))
        worst = max(tried, key=lambda t: t[0], default=None)
        if worst is None or worst[0] <= CLIFF_ERRORS:
            break
        _, window, solved = worst
    return window, solved


def _shortened(
    window: np.ndarray, log2_x: np.ndarray, center: float
) -> list[tuple[int, np.ndarray]]:
    """Every window without some values at one end: the innermost of them, and what is left.

    The best value, its neighbours and at least 4 values stay.
    """
    at = np.flatnonzero(window)
    best = int(np.abs(log2_x[at] - center).argmin())
    found = []
    for k in range(at.size):
        gone = at[: k + 1] if k < best else at[k:]
        if abs(k - best) > 1 and at.size - gone.size > MIN_VALUES:
            less = window.copy()
            less[gone] = False
            found.append((int(at[k]), less))
    return found


def _is_rough(solved: "_Solved") -> bool:
    """Whether something in the window does not go well with a valley and one noise."""
    known = solved.variance[np.isfinite(solved.variance)]
    scattered = known.size > 0 and np.ptp(known) > 0
    return bool(scattered or solved.roughness > ROUGH)


def _surprise(rest: "_Solved", u: float, mean: float, variance: float) -> float:
    """How many standard errors a mean lies above the curve of the others."""
    row = basis.values(np.array([u]), rest.a, rest.steps)[0]
    error = float(np.sqrt(row @ rest.cov @ row + variance))
    return float(mean - row @ rest.beta) / error if rest.beta.size else 0.0


def _no_fit(slice_: Slice, spacing_log2: float) -> Fit:
    return Fit(
        slice=slice_,
        spacing_log2=spacing_log2,
        center=float("nan"),
        window=np.zeros(len(slice_.log2_x), dtype=bool),
        wall_left=None,
        wall_right=None,
        **_Solved()._asdict(),
    )


class _Solved(NamedTuple):
    beta: np.ndarray = np.zeros(0)
    cov: np.ndarray = np.zeros((0, 0))
    a: float = 0.0
    steps: np.ndarray = np.zeros(0)
    roughness: float = 0.0
    noise_var: float = float("nan")
    df: float = 0.0
    n_seeds: int = 0
    own: tuple[float, float, float] | None = None
    variance: np.ndarray = np.zeros(0)


def _solve(
    slice_: Slice,
    means: np.ndarray,
    window: np.ndarray,
    center: float,
    level: int | None,
    spacing_log2: float,
) -> _Solved:
    """Coefficients of the window's values but ``level``, with the noise of all of them."""
    inside = window.copy()
    if level is not None:
        inside[level] = True
    at = np.flatnonzero(inside)
    seeds = np.isfinite(slice_.loss[at]).any(axis=0)
    u, m = slice_.log2_x[at] - center, means[at]
    on_curve = np.ones(at.size, dtype=bool) if level is None else at != level
    n_seeds = int(seeds.sum())
    if on_curve.sum() < MIN_VALUES or (n_seeds == 1 and on_curve.sum() < MIN_VALUES_ONE_SEED):
        return _Solved(n_seeds=n_seeds)
    losses = slice_.loss[at][:, seeds]
    found = (
        noise.of_seeds(losses) if n_seeds > 1 else _of_residuals(u[on_curve], m[on_curve], at.size)
    )
    variance = found.each / np.isfinite(losses).sum(axis=1)
    curve = posterior(u[on_curve], m[on_curve], variance[on_curve], spacing_log2)
    each = np.full(means.size, np.nan)
    each[at] = variance
    own = None
    if level is not None:
        i = int(np.flatnonzero(at == level)[0])
        own = (float(slice_.log2_x[level]), float(m[i]), float(variance[i]))
    return _Solved(
        **curve._asdict(),
        noise_var=found.shared,
        df=found.df,
        n_seeds=n_seeds,
        own=own,
        variance=each,
    )


def _of_residuals(u: np.ndarray, m: np.ndarray, n: int) -> noise.Noise:
    """Noise of one seed: the scatter about a quadratic, from 6 values on about a cubic.

    What the polynomial misses counts as noise; what differs from seed to seed stays unseen.
    """
    degree = 3 if u.size >= 6 else 2
    residual = m - np.polynomial.Polynomial.fit(u, m, degree)(u)
    df = u.size - 1 - degree
    floor = (noise.ROUNDING * float(np.abs(m).max())) ** 2
    shared = float((residual**2).sum()) / df + floor if df else float("nan")
    return noise.Noise(shared=shared, each=np.full(n, shared), df=float(df))
