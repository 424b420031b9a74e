"""The shapes a slice may have: a valley, slow on one side and steep on the other, and deviations.

valley(u; a) = 2 (exp(au) − 1 − au)/a² = u² + a u³/3 + a² u⁴/12 + …

is a parabola for a = 0, linear on its slow side and exponential on its steep one, and stays a
valley however far one looks (a cubic turns over). Moved sideways it remains in the span of 1, u and
itself. It is the LINEX loss (Varian 1975). What a curve does besides is told by its bend:
f'' = valley'' + a random walk, in steps at fixed knots (a smoothing spline, Wahba 1978).
"""

import numpy as np

N_FIXED = 4
KNOT_OCTAVES = 0.5
# exp(sau) is smooth on [0, 1]: 12 nodes are exact to rounding for |au| < 10.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
_S, _W = (_NODES + 1) / 2, _WEIGHTS / 2
# Weights of the integrals in `fixed` and `slopes`: of the valley, and of 3·its derivative in a.
_VALUES = np.stack([2 * (1 - _S) * _W, 6 * (1 - _S) * _S * _W], axis=1)
_SLOPES = np.stack([2 * _W, 6 * _S * _W], axis=1)


def knots(low: float, high: float) -> np.ndarray:
    """Return the places of the steps from ``low`` < 0 to ``high`` > 0, octaves, (K,)."""
    first, last = np.floor(low / KNOT_OCTAVES), np.ceil(high / KNOT_OCTAVES)
    half = np.arange(first, last) + 0.5
    return half * KNOT_OCTAVES


def values(u: np.ndarray, a: float, steps: np.ndarray) -> np.ndarray:
    """Return the basis at u octaves, (N, 4 + K): 1, u, the valley, 3·its derivative in a, steps.

    valley = 2u² ∫(1 − s) exp(sau) ds over [0, 1]. A step at s > 0 is (u − s)²/2 to the right of it,
    one at s < 0 to the left of it: it changes f'' by 1 from there outwards.
    """
    rows = np.empty((u.size, N_FIXED + steps.size))
    rows[:, :N_FIXED] = fixed(u, np.asarray(a))
    rows[:, N_FIXED:] = beyond(u, steps) ** 2 / 2
    return rows


def fixed(u: np.ndarray, a: np.ndarray) -> np.ndarray:
    """Return the basis without steps, (…, N, 4): places u (…, N), an asymmetry a (…) a row."""
    both = np.exp((a[..., None] * u)[..., None] * _S) @ _VALUES
    rows = np.empty((*u.shape, N_FIXED))
    rows[..., 0], rows[..., 1] = 1.0, u
    rows[..., 2] = u**2 * both[..., 0]
    rows[..., 3] = u**3 * both[..., 1]
    return rows


def slopes(u: np.ndarray, a: float, steps: np.ndarray) -> np.ndarray:
    """Return the derivatives of `values` in u, (N, 4 + K)."""
    both = np.exp((a * u)[:, None] * _S) @ _SLOPES
    rows = np.empty((u.size, N_FIXED + steps.size))
    rows[:, 0], rows[:, 1] = 0.0, 1.0
    rows[:, 2] = u * both[:, 0]
    rows[:, 3] = u**2 * both[:, 1]
    rows[:, N_FIXED:] = beyond(u, steps) * _outwards(steps)
    return rows


def bends(u: np.ndarray, a: float, steps: np.ndarray) -> np.ndarray:
    """Return the second derivatives of `values` in u, (N, 4 + K)."""
    rows = np.empty((u.size, N_FIXED + steps.size))
    rows[:, :2] = 0.0
    rows[:, 2] = 2 * np.exp(a * u)
    rows[:, 3] = 3 * u * rows[:, 2]
    rows[:, N_FIXED:] = beyond(u, steps) > 0
    return rows


def beyond(u: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return how far each place lies outwards of each step, octaves, (…, N, K); 0 inwards."""
    return beyond_own(u[..., None], steps)


def beyond_own(u: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Return how far each place lies outwards of its own step, octaves; they broadcast."""
    return np.maximum((u - steps) * _outwards(steps), 0.0)


def _outwards(steps: np.ndarray) -> np.ndarray:
    return np.where(steps < 0, -1.0, 1.0)
