"""What is assumed of the losses of runs that have not been made."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

Curve = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Assumption:
    """Noise and curve of a study, as shares of its best loss.

    Attributes:
        noise_rel: Standard deviation of the loss of one run beyond its seed's shift of all losses.
        gain_rel: What one octave from the optimum costs, the mean of both sides.
        source: Where these come from, in words.
    """

    noise_rel: float
    gain_rel: float
    source: str


def _parabola(u: np.ndarray) -> np.ndarray:
    return u**2


def _wall(u: np.ndarray) -> np.ndarray:
    """Straight on the left, e² times as steep with each octave on the right."""
    return (np.exp(np.minimum(2 * u, 50.0)) - 1 - 2 * u) / (np.cosh(2.0) - 1)


def _kink(u: np.ndarray) -> np.ndarray:
    """A V, twice as steep on the right."""
    return np.where(u < 0, 2 / 3, 4 / 3) * np.abs(u)


# Losses in units of the gain, u in octaves from the optimum. In public sweeps of the LR and in
# those of benchmarks/dense curves are round, straight with a steep right side, and kinked.
CURVES: tuple[Curve, ...] = (_parabola, _wall, _kink)


def place(curve: Curve, regret: float) -> float:
    """Return the octaves above the optimum at which a curve has a regret, in units of the gain."""
    u = np.linspace(0.0, 8.0, 8001)
    return float(np.interp(regret, curve(u), u))
