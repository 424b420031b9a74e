"""The curve of the values in a window, and which values a window holds."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mutransfer.analysis.fit import noise, valley
from mutransfer.analysis.fit.regression import Linear, Stack, shapes, stack
from mutransfer.analysis.fit.window import Window

MIN_VALUES = 3

MIN_VALUES_ONE_SEED = 4


class Solved(NamedTuple):
    """The curve of a window and its noise, as `analysis.curve.Fit` has them."""

    beta: np.ndarray = np.zeros(0)
    cov: np.ndarray = np.zeros((0, 0))
    a: float = 0.0
    scale: float = 0.0
    roughness: float = 0.0
    steps: np.ndarray = np.zeros(0)
    noise_var: float = float("nan")
    df: float = 0.0
    df_own: float = 0.0
    p_loudest: float = 1.0
    n_seeds: int = 0
    own: tuple[float, float, float] | None = None
    variance: np.ndarray = np.zeros(0)


class _Known(NamedTuple):
    """Places, means and variances of the values on a curve, and what is known besides."""

    u: np.ndarray
    m: np.ndarray
    variance: np.ndarray
    rest: Solved


def solve(windows: Sequence[Window]) -> list[Solved]:
    """Return the curve of each window; those with the same number of values at once."""
    known = [_known_of(window) for window in windows]
    solved = [k.rest for k in known]
    for which, data in _stacks(known):
        for i, *shape in zip(which, *shapes(data), strict=True):
            solved[i] = _curve(known[i], windows[i].spacing_log2, *shape)
    return solved


def _stacks(known: Sequence[_Known]) -> list[tuple[list[int], Stack]]:
    """The values of all that carry a curve, those with the same number of values together."""
    sizes = defaultdict(list)
    for i, k in enumerate(known):
        if k.u.size:
            sizes[k.u.size].append(i)
    return [
        (which, stack(*(np.stack(c) for c in zip(*(known[i][:3] for i in which), strict=True))))
        for which in sizes.values()
    ]


def _no_values(solved: Solved) -> _Known:
    none = np.zeros(0)
    return _Known(none, none, none, solved)


def _curve(known: _Known, step: float, scale: float, rho: float, roughness: float) -> Solved:
    steps = valley.knots(float(known.u[0]) - step, float(known.u[-1]) + step)
    sd = step_sd(scale, roughness, steps.size)
    beta, cov = Linear(*known[:3], rho, scale, steps, sd).coefficients()
    return known.rest._replace(
        beta=beta,
        cov=cov,
        a=float(3 * rho),
        scale=float(scale),
        roughness=float(roughness),
        steps=steps,
    )


def _known_of(window: Window) -> _Known:
    """The values of a window but ``level``, with the noise of all of them."""
    inside = window.kept.copy()
    if window.level is not None:
        inside[window.level] = True
    at = np.flatnonzero(inside)
    losses = window.slice.loss[at]
    counts = np.isfinite(losses)
    seeds = counts.any(axis=0)
    u, m = window.slice.log2_x[at] - window.center, window.means[at]
    on_curve = np.ones(at.size, dtype=bool) if window.level is None else at != window.level
    n_seeds, n_values = int(seeds.sum()), int(on_curve.sum())
    if n_values < MIN_VALUES or (n_seeds == 1 and n_values < MIN_VALUES_ONE_SEED):
        return _no_values(Solved(n_seeds=n_seeds))
    found = (
        noise.of_seeds(losses[:, seeds])
        if n_seeds > 1
        else _of_residuals(u[on_curve], m[on_curve], at.size)
    )
    variance = found.each / counts.sum(axis=1)
    each = np.full(window.means.size, np.nan)
    each[at] = variance
    own = None
    if window.level is not None:
        own = (float(window.slice.log2_x[window.level]), *_single(m, variance, ~on_curve))
    rest = Solved(
        noise_var=found.shared,
        df=found.df,
        df_own=found.df,
        p_loudest=found.p_loudest,
        n_seeds=n_seeds,
        own=own,
        variance=each,
    )
    return _Known(u[on_curve], m[on_curve], variance[on_curve], rest)


def _single(m: np.ndarray, variance: np.ndarray, which: np.ndarray) -> tuple[float, float]:
    return float(m[which][0]), float(variance[which][0])


def _of_residuals(u: np.ndarray, m: np.ndarray, n: int) -> noise.Noise:
    """Noise of one seed: the scatter about a quadratic, from 6 values on about a cubic.

    What the polynomial misses counts as noise; what differs from seed to seed stays unseen.
    """
    degree = 3 if u.size >= 6 else 2
    residual = m - np.polynomial.Polynomial.fit(u, m, degree)(u)
    df = u.size - 1 - degree
    floor = (noise.ROUNDING * float(np.abs(m).max())) ** 2
    shared = float((residual**2).sum()) / df + floor if df else float("nan")
    return noise.Noise(shared=shared, each=np.full(n, shared), df=float(df), p_loudest=1.0)


def step_sd(scale: float, roughness: float, n: int) -> np.ndarray:
    """Standard deviations of n steps of the walk, loss/octave²."""
    return np.full(n, roughness * scale * valley.KNOT_OCTAVES**0.5)
