"""Curves on which no rule was chosen. Do not read, nor plot, what they are while working on a fit.

They have numbers for names, so that a table of results says nothing about their form.
"""

from functools import partial

import numpy as np
from benchmarks.calibration.shapes import CLIFF, GAIN, Curve, Shape, centred
from scipy.interpolate import PchipInterpolator


def _scaled(curve: Curve) -> Curve:
    """The curve with its minimum at (0, 0) and a mean gain of `GAIN` at one octave."""
    curve = centred(curve)
    return partial(_times, GAIN / float(curve(np.array([-1.0, 1.0])).mean()), curve)


def _times(factor: float, curve: Curve, u: np.ndarray) -> np.ndarray:
    return factor * curve(u)


def _spline(u: np.ndarray) -> np.ndarray:
    """Slow decay, a broad basin and a steep edge, as LR sweeps of Transformers look."""
    x = np.array([-7, -4, -3, -2, -1, -0.4, 0.1, 0.6, 1.1, 1.6, 2.2, 4.0, 7.0])
    y = np.array([9.5, 6.6, 4.9, 2.9, 1.15, 0.45, 0.2, 0.55, 1.9, 5.2, 15, 40, 60])
    return PchipInterpolator(x, y)(np.clip(u, x[0], x[-1]))


def _noisy_quadratic(u: np.ndarray) -> np.ndarray:
    """SGD on a quadratic with a spectrum 1/k: bias that decays, variance that grows with the LR."""
    lam = 1 / np.arange(1, 61)
    rate = np.minimum(0.35 * 2.0 ** np.asarray(u)[..., None], 1.9)
    shrink = (1 - rate * lam) ** 2
    bias = lam * shrink**40
    variance = 0.02 * lam * (rate * lam) ** 2 * (1 - shrink**40) / np.maximum(1 - shrink, 1e-12)
    edge = 0.35 * np.logaddexp(0, 4 * (u - 1.2))
    return (bias + variance).sum(axis=-1) + edge


def _hinges(u: np.ndarray) -> np.ndarray:
    """Two softened hinges, one five times sharper than the other."""
    return np.logaddexp(0, -1.2 * u - 1) / 1.2 + 2.0 * np.logaddexp(0, 6 * u - 1) / 6


def _two_powers(u: np.ndarray) -> np.ndarray:
    """A small cusp within a broad bowl."""
    v = np.abs(u)
    return np.where(u < 0, 0.5 * v**1.3 + 0.3 * v**2, 0.3 * v**1.3 + 0.9 * v**3)


def _huber(u: np.ndarray) -> np.ndarray:
    """Quadratic near the minimum, straight beyond, on either side at another place."""
    v = np.abs(u)
    edge = np.where(u < 0, 0.25, 0.8)
    return np.where(v < edge, v**2, 2 * edge * v - edge**2)


def _tanh_wall(u: np.ndarray) -> np.ndarray:
    """A left branch that saturates, a right one that is shallow and then a smooth wall."""
    left = 1.4 * np.tanh(0.9 * u) ** 2
    right = 0.5 * u**2 + 1.2 * np.logaddexp(0, 9 * (u - 0.9))
    return np.where(u < 0, left, right - 1.2 * np.logaddexp(0, -8.1))


def _flat(u: np.ndarray) -> np.ndarray:
    """Flat over 0.7 octaves."""
    v = np.maximum(np.abs(u - 0.05) - 0.35, 0)
    return np.where(u < 0, 1.6, 2.6) * v**1.5


def _polygon(u: np.ndarray) -> np.ndarray:
    """Convex, of four straight pieces."""
    return np.max([-1.8 * u - 0.8, -0.7 * u, 0.9 * u, 2.6 * u - 0.7], axis=0)


def _cosh(u: np.ndarray) -> np.ndarray:
    """Two exponentials with rates 1 : 3.2."""
    return np.exp(-0.55 * u) / 0.55 + np.exp(1.76 * u) / 1.76


def _mixture(u: np.ndarray) -> np.ndarray:
    """− log of two Gaussians: a shoulder on the left."""
    return -np.log(np.exp(-(u**2) / 0.7) + 0.25 * np.exp(-((u + 1.7) ** 2) / 2.5))


def _two_basins(u: np.ndarray) -> np.ndarray:
    """Two basins two octaves apart, each an octave wide, one a tolerance and a half deeper."""
    both = np.stack([(u - 0.0) ** 2 * 0.9, (u + 2.2) ** 2 * 0.6 + 0.5])
    return -0.25 * np.logaddexp(*(-both / 0.25))


def _cliff_by_degrees(u: np.ndarray) -> np.ndarray:
    """A parabola with an edge of stability half an octave above its minimum."""
    return GAIN * u**2 + CLIFF * np.clip((u - 0.5) / 0.3, 0, 1)


def _lorentz(u: np.ndarray) -> np.ndarray:
    """Heavy tails: steep near the minimum, ever flatter away from it; steeper on the right."""
    return np.log1p((1.3 * u) ** 2) * np.where(u < 0, 0.8, 1.3) + 0.1 * np.maximum(u, 0) ** 3


def _mixed_kink(u: np.ndarray) -> np.ndarray:
    """Straight on the left, a power of 1.8 on the right: no symmetry at the kink."""
    return np.where(u < 0, 0.75 * np.abs(u), 1.4 * np.abs(u) ** 1.8)


HELD_OUT = tuple(
    Shape(f"held out {i}", curve)
    for i, curve in enumerate(
        (
            _scaled(_spline),
            _scaled(_noisy_quadratic),
            _scaled(_hinges),
            _scaled(_two_powers),
            _scaled(_huber),
            _scaled(_tanh_wall),
            _scaled(_flat),
            _scaled(_polygon),
            _scaled(_cosh),
            _scaled(_mixture),
            _scaled(_two_basins),
            _cliff_by_degrees,
            _scaled(_lorentz),
            _scaled(_mixed_kink),
        ),
        start=1,
    )
)
