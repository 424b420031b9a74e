"""The curve of the values in each window, and the noise it is judged by."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mutransfer.analysis.fit import noise, valley
from mutransfer.analysis.fit.regression import Linear, Stack, estimate_shapes, knot_sd, stack
from mutransfer.analysis.fit.window import Window

MIN_VALUES = 3
MIN_VALUES_ONE_SEED = 4


class Solved(NamedTuple):
    """The curve of a window and its noise; the attributes are those of `curve.Fit`."""

    beta: np.ndarray = np.zeros(0)
    cov: np.ndarray = np.zeros((0, 0))
    a: float = 0.0
    scale: float = 0.0
    roughness: float = 0.0
    knots: np.ndarray = np.zeros(0)
    noise_var: float = float("nan")
    df: float = 0.0
    df_slice: float = 0.0
    p_loudest: float = 1.0
    n_seeds: int = 0
    pinned: tuple[float, float, float] | None = None
    variance: np.ndarray = np.zeros(0)


class CurveData(NamedTuple):
    """The values that a curve is fitted to, and what has been estimated so far.

    Attributes:
        u: (P,) octaves from the best value; empty where there are too few for a curve.
        m: (P,) mean losses.
        variance: (P,) variances of the means.
        solved: The noise, and the curve if there is one already.
    """

    u: np.ndarray
    m: np.ndarray
    variance: np.ndarray
    solved: Solved


def solve(windows: Sequence[Window]) -> list[Solved]:
    """Return the curve of each window; windows with equal numbers of values are solved together."""
    data = [_data_of(window) for window in windows]
    solved = [d.solved for d in data]
    for index, stacked in stacks(data):
        for i, *shape in zip(index, *estimate_shapes(stacked), strict=True):
            solved[i] = curve_of(data[i], windows[i].spacing_log2, *shape)
    return solved


def stacks(data: Sequence[CurveData]) -> list[tuple[list[int], Stack]]:
    """Return the data that carry a curve in stacks of equal numbers of values, with their index."""
    by_size = defaultdict(list)
    for i, d in enumerate(data):
        if d.u.size:
            by_size[d.u.size].append(i)
    return [
        (index, stack(*(np.stack(c) for c in zip(*(data[i][:3] for i in index), strict=True))))
        for index in by_size.values()
    ]


def without_values(solved: Solved) -> CurveData:
    """Return data to which no curve is fitted."""
    empty = np.zeros(0)
    return CurveData(empty, empty, empty, solved)


def curve_of(
    data: CurveData, spacing_log2: float, scale: float, rho: float, roughness: float
) -> Solved:
    """Return the coefficients of a curve of given shape, with knots one lattice step beyond."""
    knots = valley.knots_between(float(data.u[0]) - spacing_log2, float(data.u[-1]) + spacing_log2)
    sd = knot_sd(scale, roughness, knots.size)
    beta, cov = Linear(*data[:3], rho, scale, knots, sd).coefficients()
    return data.solved._replace(
        beta=beta,
        cov=cov,
        a=float(3 * rho),
        scale=float(scale),
        roughness=float(roughness),
        knots=knots,
    )


def _data_of(window: Window) -> CurveData:
    """The values of a window without the pinned one, with the noise of all of them."""
    inside = window.kept.copy()
    if window.pinned is not None:
        inside[window.pinned] = True
    at = np.flatnonzero(inside)
    losses = window.slice.loss[at]
    counts = np.isfinite(losses)
    seeds = counts.any(axis=0)
    u, m = window.slice.log2_x[at] - window.center, window.means[at]
    on_curve = np.ones(at.size, dtype=bool) if window.pinned is None else at != window.pinned
    n_seeds, n_values = int(seeds.sum()), int(on_curve.sum())
    if n_values < MIN_VALUES or (n_seeds == 1 and n_values < MIN_VALUES_ONE_SEED):
        return without_values(Solved(n_seeds=n_seeds))
    scatter = (
        noise.of_seeds(losses[:, seeds])
        if n_seeds > 1
        else _noise_of_residuals(u[on_curve], m[on_curve], at.size)
    )
    variance = scatter.each / counts.sum(axis=1)
    each = np.full(window.means.size, np.nan)
    each[at] = variance
    solved = Solved(
        noise_var=scatter.shared,
        df=scatter.df,
        df_slice=scatter.df,
        p_loudest=scatter.p_loudest,
        n_seeds=n_seeds,
        pinned=_pinned(window, each),
        variance=each,
    )
    return CurveData(u[on_curve], m[on_curve], variance[on_curve], solved)


def _pinned(window: Window, variance: np.ndarray) -> tuple[float, float, float] | None:
    """The log2, mean loss and variance of that mean of the pinned value."""
    i = window.pinned
    if i is None:
        return None
    return float(window.slice.log2_x[i]), float(window.means[i]), float(variance[i])


def _noise_of_residuals(u: np.ndarray, m: np.ndarray, n: int) -> noise.Noise:
    """Noise of one seed: the scatter about a quadratic, from 6 values on about a cubic.

    Misfit of the polynomial counts as noise; differences between seeds stay unseen.
    """
    degree = 3 if u.size >= 6 else 2
    residual = m - np.polynomial.Polynomial.fit(u, m, degree)(u)
    df = u.size - 1 - degree
    floor = (noise.ROUNDING * float(np.abs(m).max())) ** 2
    shared = float((residual**2).sum()) / df + floor if df else float("nan")
    return noise.Noise(shared=shared, each=np.full(n, shared), df=float(df), p_loudest=1.0)
