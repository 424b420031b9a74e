"""The highest chance of a PASS that an honest test of the fit's library of shapes can have.

A test that passes a regret of one tolerance in at most 5 % on every shape of the library, whatever
the noise, does so on any mixture of wrong curves and noises. By Neyman and Pearson it then passes a
regret of 0 no more often than the likelihood ratio test against that mixture does (Lehmann & Romano
2005, Testing Statistical Hypotheses, section 3.8). Any mixture gives a bound; here it is one of the
nearest wrong curves with their minimum at each place, whose weights are sought. The level of a
curve is free, and the noise is the same at all widths.
"""

from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
from benchmarks.calibration.draw import DRIFT, WIDTHS, Design, draw
from benchmarks.calibration.shapes import Shape
from scipy import special
from scipy.stats import qmc

from mutransfer.analysis.fit.profile import BEYOND, TINY, Profile, Values, profile_of
from mutransfer.analysis.fit.shapes import library
from mutransfer.analysis.fit.window import REACH_TOLERANCES

N_PLACES, N_RATIOS = 10, 33
SIZE = 0.05
# Noise of wrong curves relative to the true noise; with less the bound is no lower.
NOISES = (1.0, 1.25, 1.6)
# Wrong curves so much further than the nearest, in standard deviations, do not matter.
FURTHER = 2.0
N_POINTS, N_ROUNDS = 2**12, 12


@cache
def ceiling(shape: Shape, level: float, design: Design) -> float:
    """Return the highest chance of a PASS for a transferred value at the optimum.

    The mean is over places of the lattice; ``level`` is the sd of one run in tolerances.
    """
    # One design for all numbers of seeds, which do not matter here.
    places = wrong_curves(shape, replace(design, name="", seeds=1))
    bounds = []
    for off in places:
        # What is left of all runs when the noise is estimated, and of the means at the target.
        of_seeds = (len(WIDTHS) + 1) * (design.values - 1) * (design.seeds - 1)
        bounds.append(power_bound(off * design.seeds**0.5 / level, of_seeds))
    return float(np.mean(bounds))


def power_bound(off: np.ndarray, df: int) -> float:
    """Return the highest power of a test of size 5 % against any of some curves, with any noise.

    Args:
        off: (K, P) the curves minus the true one at the values, in standard deviations of a mean,
            each of mean 0.
        df: Degrees of freedom of an estimate of the noise beside the means.
    """
    if not off.size:
        return 1.0
    distance = np.sqrt((off**2).sum(axis=1))
    near = off[distance <= distance.min() + FURTHER]
    # Coordinates of the curves in the space of means without their level.
    axes = np.linalg.qr(np.column_stack([np.ones(off.shape[1]), np.eye(off.shape[1])]))[0]
    at = near @ axes[:, 1 : off.shape[1]]
    uniform = _uniform(at.shape[1] + 1)
    z, chi2 = special.ndtri(uniform[:, 1:]), special.chdtri(df, uniform[:, 0])
    own = (z**2).sum(axis=1)
    squares = own[:, None] - 2 * z @ at.T + (at**2).sum(axis=1)
    ratios = np.hstack(
        [
            np.exp(
                ((own + chi2)[:, None] - (squares + chi2[:, None]) / noise**2) / 2
                - (df + at.shape[1]) * np.log(noise)
            )
            for noise in NOISES
        ]
    )
    weight, least = np.full(ratios.shape[1], 1 / ratios.shape[1]), 1.0
    for _ in range(N_ROUNDS):
        ratio = ratios @ weight
        order = np.argsort(ratio)
        n_passes = int(np.searchsorted(np.cumsum(ratio[order]) / ratio.size, SIZE))
        least = min(least, n_passes / ratio.size)
        # What passes more often than it may weighs more in the next round.
        sizes = ratios[order[:n_passes]].sum(axis=0) / ratio.size
        weight = weight * np.maximum(sizes / SIZE, 1e-3)
        weight /= weight.sum()
    return least


@cache
def _uniform(n: int) -> np.ndarray:
    return qmc.Sobol(n, seed=0).random(N_POINTS)


@cache
def wrong_curves(shape: Shape, design: Design) -> list[np.ndarray]:
    """Return `nearest_wrong` without noise at each of some places of the lattice."""
    rng, found = np.random.default_rng(0), []
    for place in product(np.linspace(-0.5, 0.5, N_PLACES), (-DRIFT, DRIFT)):
        study = draw(shape, "normal", 0.0, design, rng, place=place)
        u = study.targets[0].log2_x - study.optima[-1]
        found.append(nearest_wrong(u, shape(u)))
    return found


def nearest_wrong(u: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return curves of the library of a regret of 1 or more at u = 0, less y, (K, W).

    For each place of the minimum the nearest; their level makes the mean of a row 0.

    Args:
        u: Values, octaves, (P,) ascending.
        y: Losses in tolerances, (P,); those far above the least are a wall, as in a fit, so that
            W ≤ P values are left.
    """
    best, far = int(y.argmin()), np.flatnonzero(y > REACH_TOLERANCES)
    left, right = far[far < best], far[far > best]
    first, end = (left[-1] + 1 if left.size else 0), (right[0] if right.size else u.size)
    start = float(u[first - 1]) if first else float(u[0]) - BEYOND
    stop = float(u[end]) if end < u.size else float(u[-1]) + BEYOND
    u, y = u[first:end], y[first:end]
    profile = profile_of(Values(log2_x=u, mean=y, precision=np.eye(u.size), start=start, stop=stop))
    sizes, misfit = _least_misfit(profile)
    rows = []
    for location in np.unique(profile.location):
        there = np.flatnonzero(profile.location == location)
        node = there[[misfit[there].argmin()]]
        if np.isfinite(misfit[node[0]]):
            sides = np.stack([profile.at(node).sides_at(x)[:, 0] for x in u], axis=1)
            off = sizes[:, node[0]] @ sides - y
            rows.append(off - off.mean())
    return np.array(rows).reshape(len(rows), u.size)


def _least_misfit(profile: Profile) -> tuple[np.ndarray, np.ndarray]:
    """(2, N) sizes of the best curve of a regret ≥ 1 at 0 of each node, (N,) its misfit, or inf."""
    shapes = library()
    least, greatest = shapes.least[profile.pair], shapes.greatest[profile.pair]
    aa, ab, bb, a, b = profile.normal
    side = profile.sides_at(0.0)
    # Where the best curve of all has that regret, it is the one; else the ratio is on a grid.
    is_wrong = (side * profile.sizes).sum(axis=0) >= 1
    sizes = np.where(is_wrong, profile.sizes, 0.0)
    misfit = np.where(is_wrong, profile.misfit, np.inf)
    for share in np.linspace(0.0, 1.0, N_RATIOS):
        ratio = least * (greatest / least) ** share
        slope, precision = a + b * ratio, np.maximum(aa + 2 * ab * ratio + bb * ratio**2, TINY)
        with np.errstate(divide="ignore", invalid="ignore"):
            size = np.maximum(slope / precision, 1 / (side[0] + side[1] * ratio))
            of_size = profile.total - 2 * size * slope + size**2 * precision
        better = np.isfinite(size) & (of_size < misfit)
        misfit = np.where(better, of_size, misfit)
        sizes = np.where(better, np.stack([size, size * ratio]), sizes)
    return sizes, misfit
