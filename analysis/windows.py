"""The curve of the values in a window, and which values a window holds."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from analysis import basis, noise
from analysis.posterior import (
    Linear,
    Shapes,
    Stack,
    log_evidence,
    roughness,
    shapes,
    stack,
    with_roughness,
)
from analysis.slices import Slice, bracket, mean_loss

REACH_STEPS = 2.0
REACH_OCTAVES = 4.0
MIN_VALUES = 3
MIN_VALUES_ONE_SEED = 4


class Window(NamedTuple):
    """What to fit.

    Attributes:
        slice: Whose values.
        means: (P,) mean losses, NaN where not usable.
        near: (P,) True for the values near the best one.
        kept: (P,) True for those that no cliff has cut off.
        center: log2 of the best value; NaN if there is none.
        level: Index of a value that is compared by its own losses, or None.
        spacing_log2: Lattice step, octaves.
    """

    slice: Slice
    means: np.ndarray
    near: np.ndarray
    kept: np.ndarray
    center: float
    level: int | None
    spacing_log2: float


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


def window_of(slice_: Slice, spacing_log2: float, own_level: float | None) -> Window:
    """Return the values near the best one, up to the nearest diverged on either side."""
    marks, x, means = bracket(slice_), slice_.log2_x, mean_loss(slice_)
    center = float("nan") if marks.best is None else float(x[marks.best])
    reach = max(REACH_STEPS * spacing_log2, REACH_OCTAVES) * (1 + 1e-6)
    near = slice_.usable & (np.abs(x - center) <= reach)
    near &= x > (-np.inf if marks.diverged_left is None else marks.diverged_left)
    near &= x < (np.inf if marks.diverged_right is None else marks.diverged_right)
    level = None if own_level is None else slice_.index(own_level)
    return Window(slice_, means, near, near, center, level, spacing_log2)


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


def share(
    windows: Sequence[Window], solved: Sequence[Solved], families: Sequence[int]
) -> list[Solved]:
    """Return the curves again, with moderated noise and one roughness for each family.

    How far a curve is from a valley is asked of all curves of a family together: their log
    marginal likelihoods add up. A single rough one makes all rough. A family of one stays as it is.

    Args:
        windows: What was fitted.
        solved: Their curves, each as if it were alone.
        families: A number for each; curves of the same number are one family.
    """
    solved = _one_noise(windows, solved, families)
    size = Counter(f for f, s in zip(families, solved, strict=True) if s.beta.size)
    known = [
        _again(w, s) if s.beta.size and size[f] > 1 else _no_values(s)
        for w, s, f in zip(windows, solved, families, strict=True)
    ]
    stacks = [(which, data, _told(solved, which)) for which, data in _stacks(known)]
    total: dict[int, np.ndarray] = defaultdict(lambda: np.zeros(()))
    for which, data, told in stacks:
        for i, log_p in zip(which, log_evidence(data, told), strict=True):
            total[families[i]] = total[families[i]] + log_p
    found = list(solved)
    for which, data, told in stacks:
        rough = roughness(np.stack([total[families[i]] for i in which]), 1)
        for i, *shape in zip(which, *with_roughness(data, told, rough), strict=True):
            found[i] = _curve(known[i], windows[i].spacing_log2, *shape)
    return found


def _one_noise(
    windows: Sequence[Window], solved: Sequence[Solved], families: Sequence[int]
) -> list[Solved]:
    """The curves with their noise moderated by that of their family (`noise.moderated`).

    Curves of one seed, whose noise is a residual, keep theirs.
    """
    found, members = list(solved), defaultdict(list)
    for i, s in enumerate(solved):
        if s.beta.size and s.n_seeds > 1 and s.df >= 1:
            members[families[i]].append(i)
    for which in members.values():
        told = np.array([(solved[i].noise_var, solved[i].df) for i in which]).T
        doublings = np.log2([windows[i].slice.width for i in which])
        found_noise = zip(*noise.moderated(told[0], told[1], doublings), strict=True)
        for i, (variance, df) in zip(which, found_noise, strict=True):
            found[i] = _with_noise(windows[i], solved[i], float(variance), float(df))
    return found


def _with_noise(window: Window, solved: Solved, variance: float, df: float) -> Solved:
    """The curve with another shared variance; values with a larger one of their own keep it."""
    counts = np.isfinite(window.slice.loss).sum(axis=1)
    shared = solved.variance * counts < solved.noise_var * (1 + 1e-6)
    least = variance / np.maximum(counts, 1)
    each = np.where(shared, least, np.maximum(solved.variance, least))
    return solved._replace(noise_var=variance, df=df, variance=each)


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


def _again(window: Window, solved: Solved) -> _Known:
    """The values of a curve that is known already."""
    on_curve = window.kept.copy()
    if window.level is not None:
        on_curve[window.level] = False
    u = window.slice.log2_x[on_curve] - window.center
    return _Known(u, window.means[on_curve], solved.variance[on_curve], solved)


def _no_values(solved: Solved) -> _Known:
    none = np.zeros(0)
    return _Known(none, none, none, solved)


def _told(solved: Sequence[Solved], which: Sequence[int]) -> Shapes:
    cells = np.array([(solved[i].scale, solved[i].a / 3, solved[i].roughness) for i in which])
    return Shapes(*cells.T)


def _curve(known: _Known, step: float, scale: float, rho: float, roughness: float) -> Solved:
    steps = basis.knots(float(known.u[0]) - step, float(known.u[-1]) + step)
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
    return np.full(n, roughness * scale * basis.KNOT_OCTAVES**0.5)
