"""Noise-free curves f(u), in tolerances: u in octaves from the minimum, f(0) = 0.

Sizes are those of the measured curves of digits-dit-full (README): its parabola gains 3.81
tolerances at one octave (0.008 of a loss of 0.42, at a tolerance of 0.5 %).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from scipy.optimize import brentq, minimize_scalar

GAIN = 3.81
# A network that predicts nothing: no finite loss is further above the best one.
CEILING = 400.0
CLIFF = 12 * GAIN
# Between the places where regrets are searched and on which minima are: fine against any dip here.
_FINE = np.linspace(-6.0, 6.0, 12_001)

Curve = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Shape:
    """A planted curve.

    Attributes:
        name: Its name in the tables.
        curve: f(u), tolerances.
        collapses_from: From this many octaves on runs end at a loss that does not depend on u.
        narrow: Its minimum is a dip narrower than a lattice step, which no test can see: exempt
            from the bounds.
    """

    name: str
    curve: Curve = field(compare=False)
    collapses_from: float = np.inf
    narrow: bool = False

    def __call__(self, u: np.ndarray) -> np.ndarray:
        """Return f(u), tolerances, of the shape of ``u``."""
        return np.minimum(self.curve(u), CEILING)

    def place(self, regret: float, side: int) -> float | None:
        """Return the place nearest to the minimum with a regret; None where f jumps over it.

        Args:
            regret: In tolerances; with 0 the minimum itself.
            side: +1 or −1: above or below the minimum.
        """
        if regret == 0:
            return 0.0
        u = side * np.abs(_FINE[_FINE >= 0])
        above = np.flatnonzero(self(u) >= regret)
        if not above.size:
            return None
        inside, outside = float(u[above[0] - 1]), float(u[above[0]])
        found = float(brentq(lambda v: self(np.array([v]))[0] - regret, inside, outside))
        return found if abs(self(np.array([found]))[0] - regret) < 0.01 else None


def centred(curve: Curve) -> Curve:
    """Return a curve moved so that its minimum is at (0, 0)."""
    start = float(_FINE[curve(_FINE).argmin()])
    found = minimize_scalar(
        lambda u: float(curve(np.array([u]))[0]), bounds=(start - 2e-3, start + 2e-3)
    )
    return partial(moved, curve, float(found.x), float(found.fun))


def moved(curve: Curve, x: float, low: float, u: np.ndarray) -> np.ndarray:
    """A curve whose point (x, low) is moved to (0, 0)."""
    return curve(u + x) - low


def wall(k: float, u: np.ndarray) -> np.ndarray:
    """An exponential wall: curvature 2 at 0, straight on one side; the steeper the larger |k|."""
    return GAIN * 2 / k**2 * (np.exp(np.minimum(k * u, 50.0)) - 1 - k * u)


def morse(a: float, u: np.ndarray) -> np.ndarray:
    """A plateau on one side, exponential on the other."""
    return GAIN * (1 - np.exp(np.minimum(a * u, 25.0))) ** 2 / a**2


def power(p: float, left: float, right: float, u: np.ndarray) -> np.ndarray:
    """|u|^p with a factor for each side: a V, a quartic, a parabola with a kink."""
    return GAIN * np.where(u < 0, left, right) * np.abs(u) ** p


def log_cosh(u: np.ndarray) -> np.ndarray:
    """Round at the minimum and straight beyond."""
    return GAIN * np.log(np.cosh(1.5 * u)) / np.log(np.cosh(1.5))


def _double_well(u: np.ndarray) -> np.ndarray:
    """A parabola with its minimum at 0.8, and a dip 0.3 octaves wide that is 1.5 deeper."""
    return GAIN * (u - 0.8) ** 2 - (0.64 * GAIN + 1.5) * np.exp(-(u**2) / (2 * 0.15**2))


def _plateau_cliff(u: np.ndarray) -> np.ndarray:
    """A plateau of 2 gains on the left, a parabola and then a cliff on the right."""
    left = GAIN * 2 * (1 - np.exp(-(u**2) / 2))
    return np.where(u < 0, left, GAIN * u**2 + CLIFF * (u >= 0.8))


def _straight_cliff(u: np.ndarray) -> np.ndarray:
    """A straight branch that ends in a cliff: the best value is the last one before it."""
    # Values are known to 5 digits: the best one, rounded, must not be beyond the cliff.
    return np.where(u < 1e-4, GAIN * np.maximum(-u, 0), CLIFF + GAIN * u)


def _collapsed(u: np.ndarray) -> np.ndarray:
    """A parabola whose runs are stuck from 1.2 octaves above the minimum on."""
    return np.where(u < 1.2, GAIN * u**2, 110.0)


PLANTED = (
    Shape("valley", partial(wall, 0.6)),
    Shape("Morse", partial(morse, 0.7)),
    *(Shape(f"wall k={k}", partial(wall, k)) for k in (1, 2, 3, 4, -1, -2, -3, -4)),
    *(
        Shape(f"V {left} : {right}", partial(power, 1.0, left, right))
        for left, right in ((0.8, 1.6), (0.6, 2.4), (0.6, 1.8))
    ),
    Shape("kinked parabola", partial(power, 2.0, 0.6, 1.6)),
    Shape("narrow double well", centred(_double_well), narrow=True),
    Shape("quartic", partial(power, 4.0, 1.0, 1.0)),
    Shape("log-cosh", log_cosh),
    Shape("plateau, cliff", _plateau_cliff),
    Shape("straight, cliff", _straight_cliff),
    Shape("collapsed end", _collapsed, collapses_from=1.2),
)
