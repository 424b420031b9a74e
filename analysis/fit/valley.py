"""The basis of the curve: a valley, slow on one side and steep on the other, and a spline.

valley(u; a) = 2 (exp(au) − 1 − au)/a² = u² + a u³/3 + a² u⁴/12 + …

is a parabola for a = 0, linear on its slow side and exponential on its steep one, and has one
minimum for every a (a cubic turns over). Shifted sideways it stays in the span of 1, u and itself.
It is the LINEX loss (Varian 1975). Deviations from it are a random walk in the second derivative,
f'' = valley'' + walk, which changes at fixed knots (a smoothing spline, Wahba 1978).
"""

import numpy as np

N_FIXED = 4
KNOT_OCTAVES = 0.5
# exp(sau) is smooth on [0, 1]: 12 nodes are exact to rounding for |au| < 10.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_S, _W = (_NODES + 1) / 2, _WEIGHTS / 2
# Weights of the integrals in `fixed_values` and `slopes`: of the valley, and of 3·its derivative
# in a.
_VALUES = np.stack([2 * (1 - _S) * _W, 6 * (1 - _S) * _S * _W], axis=1)
_SLOPES = np.stack([2 * _W, 6 * _S * _W], axis=1)


def knots_between(low: float, high: float) -> np.ndarray:
    """Return the knots from ``low`` < 0 to ``high`` > 0, octaves, (K,), KNOT_OCTAVES apart."""
    first, last = np.floor(low / KNOT_OCTAVES), np.ceil(high / KNOT_OCTAVES)
    half = np.arange(first, last) + 0.5
    return half * KNOT_OCTAVES


def values(u: np.ndarray, a: float, knots: np.ndarray) -> np.ndarray:
    """Return the basis at u octaves, (N, 4 + K): 1, u, the valley, 3·its derivative in a, knots.

    valley = 2u² ∫(1 − s) exp(sau) ds over [0, 1]. The function of a knot s > 0 is (u − s)²/2 to the
    right of it and 0 to the left, that of a knot s < 0 is its mirror image: its coefficient is the
    change of f'' at the knot, outwards.
    """
    rows = np.empty((u.size, N_FIXED + knots.size))
    rows[:, :N_FIXED] = fixed_values(u, np.asarray(a))
    rows[:, N_FIXED:] = outward_distances(u, knots) ** 2 / 2
    return rows


def fixed_values(u: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Return the basis without knots, (…, N, 4), at u (…, N), with one asymmetry a (…) a row."""
    both = np.exp((a[..., None] * u)[..., None] * _S) @ _VALUES
    rows = np.empty((*u.shape, N_FIXED))
    rows[..., 0], rows[..., 1] = 1.0, u
    rows[..., 2] = u**2 * both[..., 0]
    rows[..., 3] = u**3 * both[..., 1]
    return rows


def slopes(u: np.ndarray, a: float, knots: np.ndarray) -> np.ndarray:
    """Return the first derivatives of `values` in u, (N, 4 + K)."""
    both = np.exp((a * u)[:, None] * _S) @ _SLOPES
    rows = np.empty((u.size, N_FIXED + knots.size))
    rows[:, 0], rows[:, 1] = 0.0, 1.0
    rows[:, 2] = u * both[:, 0]
    rows[:, 3] = u**2 * both[:, 1]
    rows[:, N_FIXED:] = outward_distances(u, knots) * _outward_sign(knots)
    return rows


def second_derivatives(u: np.ndarray, a: float, knots: np.ndarray) -> np.ndarray:
    """Return the second derivatives of `values` in u, (N, 4 + K)."""
    rows = np.empty((u.size, N_FIXED + knots.size))
    rows[:, :2] = 0.0
    rows[:, 2] = 2 * np.exp(a * u)
    rows[:, 3] = 3 * u * rows[:, 2]
    rows[:, N_FIXED:] = outward_distances(u, knots) > 0
    return rows


def outward_distances(u: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """Return how far each u lies outwards of each knot, octaves, (…, N, K); 0 inwards of it."""
    return outward_distance(u[..., None], knots)


def outward_distance(u: np.ndarray, knot: np.ndarray) -> np.ndarray:
    """Return how far u lies outwards of a knot, octaves, elementwise with broadcasting."""
    return np.maximum((u - knot) * _outward_sign(knot), 0.0)


def _outward_sign(knots: np.ndarray) -> np.ndarray:
    return np.where(knots < 0, -1.0, 1.0)
