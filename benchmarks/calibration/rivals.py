"""Other estimators of the optimum on the same draws, and the two negative controls."""

from collections.abc import Callable, Mapping
from itertools import combinations_with_replacement

import numpy as np
from scipy import special
from scipy.interpolate import Akima1DInterpolator

from mutransfer.analysis.table.slice import Slice

Interval = tuple[float, float]
REACH = 2.0
N_BOOTSTRAP = 60
# Porian et al. take a third of a grid step as the least error.
LEAST_ERROR_STEPS = 1 / 3


def _window(slice_: Slice) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    usable = slice_.usable
    x, loss = slice_.log2_x[usable], slice_.loss[usable]
    means = loss.mean(axis=1)
    near = np.abs(x - x[means.argmin()]) <= REACH * (1 + 1e-9)
    residual = loss - means[:, None] - (loss - means[:, None]).mean(axis=0)
    df = (len(x) - 1) * (loss.shape[1] - 1)
    sd = float(np.sqrt((residual**2).sum() / df))
    return x[near], means[near], loss[near], sd


def polynomial(slice_: Slice, degree: int) -> Interval:
    """A polynomial through the values within 2 octaves of the best; t interval to first order.

    Its noise is the scatter about it, as usual: misfit counts as noise.
    """
    x, m, loss, _ = _window(slice_)
    center, n_seeds = x.mean(), loss.shape[1]
    design = (x - center)[:, None] ** np.arange(degree + 1)
    if len(x) <= degree:
        return -np.inf, np.inf
    k = np.linalg.lstsq(design, m, rcond=None)[0]
    residual = loss - (design @ k)[:, None] - (loss - m[:, None]).mean(axis=0)
    df = loss.size - n_seeds - degree
    cov = np.linalg.inv(design.T @ design) * (residual**2).sum() / df / n_seeds
    roots = np.polynomial.Polynomial(k).deriv().roots()
    roots = roots[np.abs(roots.imag) < 1e-9].real
    bend = np.polynomial.Polynomial(k).deriv(2)
    minima = [r for r in roots if bend(r) > 0 and x[0] - center <= r <= x[-1] - center]
    if not minima:
        return -np.inf, np.inf
    powers = np.arange(degree + 1)
    row = powers * minima[0] ** np.maximum(powers - 1, 0)
    half = special.stdtrit(df, 0.975) * np.sqrt(row @ cov @ row) / bend(minima[0])
    return float(minima[0] + center - half), float(minima[0] + center + half)


def akima(slice_: Slice) -> Interval:
    """Akima interpolation of log loss, bootstrap over noise (Porian et al. 2024, §3.2).

    Values redrawn with the pooled seed noise; draws with the minimum at an edge are dropped; the
    error is at least a third of a step and grows with the share dropped.
    """
    usable = slice_.usable
    x, loss = slice_.log2_x[usable], slice_.loss[usable]
    *_, sd = _window(slice_)
    fine = np.linspace(x[0], x[-1], 129)
    rng = np.random.default_rng(0)
    noise = rng.normal(0, sd / np.sqrt(loss.shape[1]), (N_BOOTSTRAP, len(x)))
    drawn = np.log(np.maximum(loss.mean(axis=1) + noise, 1e-9))
    locations = fine[Akima1DInterpolator(x, drawn.T, axis=0)(fine).argmin(axis=0)]
    kept = locations[(locations > x[0]) & (locations < x[-1])]
    if len(kept) < N_BOOTSTRAP / 2:
        return -np.inf, np.inf
    least = LEAST_ERROR_STEPS * float(np.median(np.diff(x)))
    error = max(float(kept.std()), least) * N_BOOTSTRAP / len(kept)
    return float(kept.mean() - 1.96 * error), float(kept.mean() + 1.96 * error)


def bootstrap(slice_: Slice) -> Interval:
    """All resamples of the seeds, a parabola through each: with 2 seeds about 50 %."""
    x, _, loss, _ = _window(slice_)
    n = loss.shape[1]
    vertices = []
    for picked in combinations_with_replacement(range(n), n):
        k = np.polyfit(x, loss[:, picked].mean(axis=1), 2)
        vertices.append(-k[1] / (2 * k[0]))
    low, high = np.quantile(vertices, [0.025, 0.975])
    return float(low), float(high)


RIVALS: Mapping[str, Callable[[Slice], Interval]] = {
    "local quadratic": lambda s: polynomial(s, 2),
    "local cubic": lambda s: polynomial(s, 3),
    "Akima in log loss": akima,
    "bootstrap over seeds (control)": bootstrap,
}


def paired_bound(target: Slice, carried: float) -> float:
    """Upper 95 % bound of the regret from the paired difference to the best value (control)."""
    at = target.index(carried)
    usable = target.usable
    best = int(
        np.where(usable, np.nan_to_num(target.loss, nan=np.inf).mean(axis=1), np.inf).argmin()
    )
    if at is None or at == best or not usable[at]:
        best = int(np.argsort(np.where(usable, target.loss.mean(axis=1), np.inf))[1])
    gap = target.loss[at] - target.loss[best]
    n = gap.size
    return float(gap.mean() + special.stdtrit(n - 1, 0.95) * gap.std(ddof=1) / np.sqrt(n))
