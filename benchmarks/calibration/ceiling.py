"""The highest chance of a PASS that an honest test of the fit's library of shapes can have.

By Neyman and Pearson: where the noise is known, no test that passes a regret of one tolerance in at
most 5 % on every shape of the library passes a regret of 0 in more than Φ(√(S·R1)/σ − 1.645), with
R1 the squared distance from the noise-free curve to the nearest shape of a regret ≥ 1, S seeds
and σ the standard deviation of one run. The level of a curve is free.
"""

from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
from benchmarks.calibration.draw import DRIFT, Design, draw
from benchmarks.calibration.shapes import Shape
from scipy import special
from scipy.optimize import brentq

from mutransfer.analysis.fit.profile import BEYOND, MAX_EXCESS, Values, profile_of
from mutransfer.analysis.fit.window import REACH_TOLERANCES

N_PLACES = 10
Z = float(special.ndtri(0.95))


def ceiling(shape: Shape, level: float, design: Design) -> float:
    """Return the highest chance of a PASS for a transferred value at the optimum.

    The mean is over places of the lattice; ``level`` is the sd of one run in tolerances.
    """
    # One design for all numbers of seeds, which do not matter here.
    found = distances(shape, replace(design, name="", seeds=1))
    return float(special.ndtr(design.seeds**0.5 * found / level - Z).mean())


@cache
def distances(shape: Shape, design: Design) -> np.ndarray:
    """Return the distance to the nearest wrong shape, √R1, at each of some places, (N,)."""
    rng, found = np.random.default_rng(0), []
    for place in product(np.linspace(-0.5, 0.5, N_PLACES), (-DRIFT, DRIFT)):
        study = draw(shape, "normal", 0.0, design, rng, place=place)
        u = study.targets[0].log2_x - study.optima[-1]
        found.append(squared_distance(u, shape(u)) ** 0.5)
    return np.array(found)


def squared_distance(u: np.ndarray, y: np.ndarray) -> float:
    """Return the least Σ (y − f(u))² of curves of the library with a regret ≥ 1 at u = 0.

    Args:
        u: Values, octaves, (P,) ascending.
        y: Losses in tolerances, (P,); those far above the least are a wall, as in a fit.
    """
    best, far = int(y.argmin()), np.flatnonzero(y > REACH_TOLERANCES)
    left, right = far[far < best], far[far > best]
    first, end = (left[-1] + 1 if left.size else 0), (right[0] if right.size else u.size)
    start = float(u[first - 1]) if first else float(u[0]) - BEYOND
    stop = float(u[end]) if end < u.size else float(u[-1]) + BEYOND
    u, y = u[first:end], y[first:end]
    profile = profile_of(Values(log2_x=u, mean=y, precision=np.eye(u.size), start=start, stop=stop))

    def missing(room: float) -> float:
        """How far the largest regret of curves that so much more misfit allows is from 1."""
        return profile.excess_bounds(0.0, room)[1] - 1

    room = 0.0 if missing(0.0) >= 0 else float(brentq(missing, 0.0, MAX_EXCESS, xtol=1e-3))
    return max(profile.least_misfit, 0.0) + room
