"""The fit of a slice: what its values say about the curve of the mean loss in log2 x.

The weight of a value is that of its noise and of the misfit that is allowed for: the true curve is
none of the library's (`fit.shapes`), it may lie off the nearest of these by a tenth of the
tolerance and by a share of its height above the minimum. Bounds are those of a profile over the
library (`fit.profile`) with Student's t in place of the normal.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import special
from scipy.optimize import brentq

from mutransfer.analysis.fit import noise
from mutransfer.analysis.fit.profile import BEYOND, MeanCurve, Profile, Values, profile_of
from mutransfer.analysis.fit.window import window_of
from mutransfer.analysis.table.slice import Slice, bracket, mean_loss

# The accepted regret where none is given, as a share of the best loss.
DEFAULT_TOLERANCE = 0.005
# Misfit allowed for at a value: this share of the tolerance and this one of its height above the
# best. Half the second: a log-cosh passes at regret 0 in 80 instead of 47 % (2 seeds × 5 values,
# noise 0.4 tolerances), but splines through public sweeps pass wrongly in up to 33 instead of 13 %
# (3 × 7). Twice: a V passes in 37 instead of 87 %. Source: benchmarks/results/constants.md; of the
# splines a prototype.
MISFIT_OF_TOLERANCE, MISFIT_OF_HEIGHT = 0.1, 0.1
# Where the standard error of a mean exceeds this share of the tolerance, noise hides a misfit and
# the second share falls in proportion: else noise of one tolerance halves the PASSes at regret 0.
NOISE_THAT_HIDES = 0.25
# A curve has a level, a location and two sizes.
N_PARAMETERS = 4
# The misfit of the best curve counts where an F test rejects it at this level.
MISFIT_P = 0.1
MIN_VALUES, MIN_VALUES_ONE_RUN = 3, 5
# The noise of one run a value is sought to this share of the tolerance.
RESIDUAL_SD = 0.01
# Curves of more misfit weigh less than e^-6 of the best in the mean curve.
MAX_WEIGHTED_EXCESS = 12.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """A fitted slice.

    Attributes:
        slice: The slice that was fitted.
        tolerance_loss: The accepted regret, loss, by which misfit is measured.
        window: (P,) True for the values on the curve.
        center: log2 of the value of lowest mean loss; NaN if there is none.
        variance: (P,) variances of the mean losses, loss²; NaN off the window.
        noise_var: Variance of one loss that the values share, loss²; NaN if unknown.
        df: Degrees of freedom of the noise, gains from the family included (`noise.moderated`).
        df_slice: Those of the slice alone.
        tilt: Variance of the tilt of a seed's curve over that of independent values.
        from_residuals: The noise is the scatter about the curve: there are no replicates.
        means: (V,) mean losses of the values of the window.
    """

    slice: Slice
    tolerance_loss: float
    window: np.ndarray
    center: float
    variance: np.ndarray
    noise_var: float
    df: float
    df_slice: float
    tilt: float
    from_residuals: bool
    means: np.ndarray

    @property
    def ok(self) -> bool:
        """Whether there are curves, and a noise estimate with a degree of freedom or more."""
        least = MIN_VALUES_ONE_RUN if self.from_residuals else MIN_VALUES
        return self.means.size >= least and self.df >= 1

    @cached_property
    def curve_values(self) -> Values:
        """The values of the window as a curve is fitted to them; only where `ok`."""
        return _values(
            self.slice,
            self.window,
            self.means,
            self.variance[self.window],
            self.tilt,
            self.tolerance_loss,
        )

    @cached_property
    def profile(self) -> Profile:
        """The curves that fit; only where `ok`."""
        return profile_of(self.curve_values)

    @property
    def values(self) -> np.ndarray:
        """log2 of the values on the curve, ascending."""
        return self.slice.log2_x[self.window]

    @cached_property
    def n_seeds(self) -> int:
        """Number of different seeds in the window; runs of each value, where these are unpaired."""
        present = np.isfinite(self.slice.loss[self.window])
        return int(present.any(axis=0).sum()) if present.size else 0

    @property
    def is_one_seed(self) -> bool:
        """Whether all runs in the window have one seed: what differs between seeds is unseen."""
        return self.slice.paired and self.n_seeds < 2

    @property
    def n_missing(self) -> int:
        """Number of (value, seed) cells in the window without a loss; 0 for unpaired seeds."""
        inside = self.slice.loss[self.window]
        return int(np.isnan(inside).sum()) if self.slice.paired else 0

    @property
    def wall_left(self) -> float | None:
        """log2 of the nearest value below the window that is a wall or far above the curve."""
        return self._beyond(-1)

    @property
    def wall_right(self) -> float | None:
        """The same above the window."""
        return self._beyond(1)

    def _beyond(self, side: int) -> float | None:
        return _nearest_beyond(self.slice, self.window, side)

    @cached_property
    def scale(self) -> float:
        """The factor of all variances, at least 1, by which the best curve misfits."""
        spare = self.profile.n_values - N_PARAMETERS
        if spare < 1 or self.from_residuals:
            return 1.0
        ratio = self.profile.least_misfit / spare
        return max(ratio, 1.0) if special.fdtrc(spare, self.df, ratio) < MISFIT_P else 1.0

    def room(self, one_sided: float) -> float:
        """Return how much the misfit may exceed the least one for an error on one side."""
        return self.scale * float(special.stdtrit(self.df, 1 - one_sided)) ** 2

    @cached_property
    def _mean_curve(self) -> MeanCurve:
        excess = (self.profile.misfit - self.profile.least_misfit) / self.scale
        near = np.flatnonzero(excess < MAX_WEIGHTED_EXCESS)
        weight = np.exp(-excess[near] / 2)
        return self.profile.at(near).mean_curve(weight / weight.sum())

    def value(self, log2_x: float | np.ndarray) -> np.ndarray:
        """Return the mean curve, loss, (N,): the curves that fit, weighted by likelihood."""
        return self._mean_curve.at(np.atleast_1d(np.asarray(log2_x, dtype=float)))

    def location_z(self, log2_x: np.ndarray) -> np.ndarray:
        """Return the signed root of the profile of the location of the minimum, (N,).

        Its square is how much the misfit must grow, in units of ``scale``, for a minimum at a
        location; positive to the right of the best one. Linear beyond the locations tried.
        """
        grid, z = self._location_profile
        slopes = (z[1] - z[0]) / (grid[1] - grid[0]), (z[-1] - z[-2]) / (grid[-1] - grid[-2])
        inside = np.interp(log2_x, grid, z)
        below = z[0] + np.maximum(slopes[0], 1.0) * (log2_x - grid[0])
        above = z[-1] + np.maximum(slopes[1], 1.0) * (log2_x - grid[-1])
        return np.where(log2_x < grid[0], below, np.where(log2_x > grid[-1], above, inside))

    @cached_property
    def _location_profile(self) -> tuple[np.ndarray, np.ndarray]:
        profile = self.profile
        grid, index = np.unique(np.round(profile.location, 9), return_inverse=True)
        least = np.full(grid.size, np.inf)
        np.minimum.at(least, index, profile.misfit)
        far = (profile.locations < grid[0] - 1e-6) | (profile.locations > grid[-1] + 1e-6)
        grid = np.append(grid, profile.locations[far])
        least = np.append(least, profile.least[far])
        order = np.argsort(grid)
        grid, least = grid[order], least[order]
        best = int(least.argmin())
        z = np.sqrt(np.maximum(least - least[best], 0.0) / self.scale)
        return grid, np.where(np.arange(grid.size) < best, -z, z)


def fit_slice(slice_: Slice, *, tolerance_loss: float | None = None) -> Fit:
    """Return the fit of a slice: `fit_slices` of one."""
    return fit_slices([slice_], tolerance_loss=tolerance_loss)[0]


def fit_slices(
    slices: Sequence[Slice],
    *,
    tolerance_loss: float | Sequence[float | None] | None = None,
    families: Sequence[int] | None = None,
) -> list[Fit]:
    """Return the fit of each slice; its values may lie anywhere.

    Fewer than 3 values in the window (`fit.window`) get no curve, nor do fewer than 5 without
    replicates. With several runs a value the noise is that between them (`noise.of_seeds`);
    without it is the scatter about the curve.

    Args:
        slices: The slices.
        tolerance_loss: The accepted regret, loss, of all or of each; None: 0.5 % of the best loss.
        families: A number for each slice; those of one number, the axis values of one HP and arm,
            share their noise. None: each is fitted alone.
    """
    tolerances: Sequence[float | None]
    if tolerance_loss is None or isinstance(tolerance_loss, (int, float)):
        tolerances = [tolerance_loss] * len(slices)
    else:
        tolerances = tolerance_loss
    numbers = range(len(slices)) if families is None else families
    windows = [_Window.of(s, t) for s, t in zip(slices, tolerances, strict=True)]
    members: dict[int, list[_Window]] = defaultdict(list)
    for window, number in zip(windows, numbers, strict=True):
        if window.noise is not None and window.noise.df >= 1:
            members[number].append(window)
    for family in members.values():
        _share_noise(family)
    return [_fit_of(window) for window in windows]


@dataclass(kw_only=True, eq=False)
class _Window:
    """The window of a slice and its noise, which its family may change."""

    slice: Slice
    tolerance_loss: float
    inside: np.ndarray
    means: np.ndarray
    noise: noise.Noise | None
    shared: float = float("nan")
    df: float = 0.0
    tilt: float = 1.0

    @classmethod
    def of(cls, slice_: Slice, tolerance_loss: float | None) -> "_Window":
        means = mean_loss(slice_)
        usable = slice_.usable
        size = float(np.abs(means[usable]).max()) if usable.any() else 0.0
        best = float(np.abs(means[usable].min())) if usable.any() else 0.0
        given = DEFAULT_TOLERANCE * best if tolerance_loss is None else tolerance_loss
        # Below the rounding error of the losses a tolerance means nothing.
        tolerance = max(given, noise.ROUNDING * size, 1e-30)
        inside = window_of(slice_, tolerance)
        loss = slice_.loss[inside]
        window = cls(slice=slice_, tolerance_loss=tolerance, inside=inside, means=means, noise=None)
        n_runs = np.isfinite(loss).sum(axis=1)
        if inside.sum() >= 2 and (n_runs > 1).any():
            of_window = noise.of_seeds(slice_.log2_x[inside], loss, paired=slice_.paired)
            if of_window.df >= 1:
                window.noise, window.shared, window.df = of_window, of_window.shared, of_window.df
                window.tilt = noise.tilt_ratio([of_window])
        return window

    @property
    def n_runs(self) -> np.ndarray:
        """(V,) runs of each value inside."""
        return np.isfinite(self.slice.loss[self.inside]).sum(axis=1)


def _share_noise(family: Sequence[_Window]) -> None:
    """Moderate the noise of windows by that of their family (`noise.moderated`), in place."""
    noises = [w.noise for w in family if w.noise is not None]
    variances, dfs = np.array([(n.shared, n.df) for n in noises]).T
    doublings = np.log2([w.slice.axis_value for w in family])
    tilt = noise.tilt_ratio(noises)
    moderated = zip(*noise.moderated(variances, dfs, doublings), strict=True)
    for window, (shared, df) in zip(family, moderated, strict=True):
        window.shared, window.df, window.tilt = float(shared), float(df), tilt


def _fit_of(window: _Window) -> Fit:
    inside = window.inside
    n = int(inside.sum())
    variance = np.full(inside.size, np.nan)
    shared, df = window.shared, window.df
    if window.noise is not None:
        # A value whose seeds scatter more than those of the others keeps its variance.
        own = np.where(window.noise.each > window.noise.shared, window.noise.each, 0.0)
        variance[inside] = np.maximum(own, shared) / window.n_runs
    elif n >= MIN_VALUES_ONE_RUN:
        shared, df = _residual_variance(window), float(n - N_PARAMETERS)
        variance[inside] = shared
    return Fit(
        slice=window.slice,
        tolerance_loss=window.tolerance_loss,
        window=inside,
        center=_center(window),
        variance=variance,
        noise_var=shared,
        df=df,
        df_slice=df if window.noise is None else window.noise.df,
        tilt=window.tilt,
        from_residuals=window.noise is None,
        means=window.means[inside],
    )


def _center(window: _Window) -> float:
    if not window.inside.any():
        return float("nan")
    at = np.flatnonzero(window.inside)
    return float(window.slice.log2_x[at[window.means[at].argmin()]])


def _residual_variance(window: _Window) -> float:
    """The variance with which the least misfit of all curves is its degrees of freedom.

    Source: Paule & Mandel 1982, J. Res. NBS 87(5), 377-385.
    """
    inside, tolerance = window.inside, window.tolerance_loss
    means = window.means[inside]
    spare = means.size - N_PARAMETERS

    def excess(sd: float) -> float:
        variance = np.full(means.size, sd**2)
        values = _values(window.slice, inside, means, variance, 1.0, tolerance)
        return profile_of(values).least_misfit - spare

    if excess(0.0) <= 0:
        return 0.0
    # With as much noise a constant fits.
    enough = float(np.sqrt(means.size / spare) * means.std())
    return float(brentq(excess, 0.0, enough, xtol=RESIDUAL_SD * tolerance)) ** 2


def with_more_seeds(fitted: Fit, more: float) -> Fit:
    """Return a fit as it should be with ``more`` seeds, if its mean curve is the true one.

    Its noise falls, and with it the distance of the means from the mean curve.
    """
    share = fitted.n_seeds / (fitted.n_seeds + more)
    inside = fitted.window
    curve = fitted.value(fitted.values)
    means = curve + (fitted.means - curve) * share**0.5
    df = float(max(inside.sum() - 1, 1) * (fitted.n_seeds + more - 1))
    return replace(fitted, means=means, variance=fitted.variance * share, df=max(df, fitted.df))


def misfit_variance(mean: np.ndarray, variance: np.ndarray, tolerance_loss: float) -> np.ndarray:
    """Return the variance of the misfit that is allowed for at each value, loss², (P,).

    Args:
        mean: (P,) mean losses.
        variance: (P,) variances of these.
        tolerance_loss: The accepted regret, loss.
    """
    error = float(np.sqrt(np.median(variance)))
    share = MISFIT_OF_HEIGHT * min(1.0, NOISE_THAT_HIDES * tolerance_loss / max(error, 1e-300))
    return (MISFIT_OF_TOLERANCE * tolerance_loss) ** 2 + (share * (mean - mean.min())) ** 2


def _values(
    slice_: Slice,
    inside: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    tilt: float,
    tolerance_loss: float,
) -> Values:
    """The values of a window with noise and misfit as their covariance."""
    x = slice_.log2_x[inside]
    covariance = np.diag(variance + misfit_variance(mean, variance, tolerance_loss))
    u = x - x.mean()
    # A seed's own tilt remains in the mean of all: as large as it is beyond that of the noise.
    covariance += (tilt - 1.0) * float(np.median(variance)) * np.outer(u, u) / (u @ u)
    left, right = (_nearest_beyond(slice_, inside, side) for side in (-1, 1))
    return Values(
        log2_x=x,
        mean=mean,
        precision=np.linalg.inv(covariance),
        start=float(x[0]) - BEYOND if left is None else max(left, float(x[0]) - BEYOND),
        stop=float(x[-1]) + BEYOND if right is None else min(right, float(x[-1]) + BEYOND),
    )


def _nearest_beyond(slice_: Slice, window: np.ndarray, side: int) -> float | None:
    """log2 of the nearest value with a wall or a loss beyond the window on one side."""
    at = np.flatnonzero(window)
    if not at.size:
        return bracket(slice_).wall_right if side > 0 else bracket(slice_).wall_left
    seen = slice_.usable | slice_.walls
    beyond = (
        np.flatnonzero(seen[at[-1] + 1 :]) + at[-1] + 1
        if side > 0
        else np.flatnonzero(seen[: at[0]])
    )
    return float(slice_.log2_x[beyond[0 if side > 0 else -1]]) if beyond.size else None
