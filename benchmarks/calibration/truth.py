"""Planted slices: curves with a known optimum, noise, cliffs, divergence and seed effects."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from mutransfer.analysis.table.slice import Slice

LOSS = 0.42
# Curvature and noise as measured on digits-dit-full (README): loss/octave², share of the loss.
CURVATURE = 0.008
MEASURED_NOISE = 0.005
HALF_STEP = 0.5

Shape = Callable[[np.ndarray, float], np.ndarray]


def valley(u: np.ndarray, rho: float) -> np.ndarray:
    """u² + rho·u³ + …, convex: linear on the slow side, exponential on the steep one."""
    a = 3 * rho
    return u**2 if abs(a) < 1e-9 else 2 / a**2 * (np.exp(a * u) - 1 - a * u)


def cubic(u: np.ndarray, rho: float) -> np.ndarray:
    """u² + rho·u³ exactly: a valley only within 2/(3 rho) octaves on the slow side."""
    return u**2 + rho * u**3


def saturating(u: np.ndarray, rho: float) -> np.ndarray:
    """A parabola on the right, a plateau 6 above the minimum on the left."""
    return np.where(u < 0, 6 * (1 - np.exp(-(u**2) / 6)), u**2 + rho * u**3)


def kinked(u: np.ndarray, rho: float) -> np.ndarray:
    """2.7 times as steep on the right from the minimum on: no smooth curve."""
    return np.where(u < 0, 0.6, 1.6) * u**2


SHAPES: Mapping[str, Shape] = {
    "valley": valley,
    "cubic": cubic,
    "saturating": saturating,
    "kinked": kinked,
}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One planted situation.

    Attributes:
        name: Name in the table.
        seeds, points, widths: Numbers of each; the points lie on a lattice of ``spacing`` octaves.
        noise: Standard deviation of a loss, as a share of the loss.
        rho: Cubic term in units of the quadratic one at one octave.
        shape: A key of `SHAPES`.
        inside: Lattice steps from the optimum to the last value; below 0 it lies outside.
        refined: Half steps on both sides of the best value are added (the default design).
        diverges_from: Values at least this many octaves above the optimum diverge.
        cliff: From this many octaves above the optimum the loss is higher by 12 curvatures, and
            seeds scatter ten times as much.
        seed_effects: Standard deviation of the seed effects, in units of the noise (of the first
            width where widths differ); widths share the effects.
        drift: Drift of the optimum, octaves per doubling.
        noise_grows: Factor of the noise from each width to the next.
        loud: Index of a width with four times the noise.
        in_class: The assumptions hold: bounds on coverage and length apply.
    """

    name: str
    seeds: int = 3
    points: int = 7
    widths: int = 4
    spacing: float = 1.0
    noise: float = MEASURED_NOISE
    rho: float = 0.2
    shape: str = "valley"
    inside: float | None = None
    refined: bool = False
    diverges_from: float = np.inf
    cliff: float = np.inf
    seed_effects: float = 3.0
    drift: float = 0.0
    noise_grows: float = 1.0
    loud: int | None = None
    in_class: bool = True

    def at(self, i: int) -> "Setting":
        """The setting of the ``i``-th width."""
        factor = self.noise_grows**i * (4 if i == self.loud else 1)
        return replace(self, noise=self.noise * factor)

    @property
    def sd(self) -> float:
        """Standard deviation of a loss away from a cliff."""
        return self.noise * LOSS

    def loss(self, u: np.ndarray) -> np.ndarray:
        """The planted loss u octaves from the optimum."""
        smooth = LOSS + CURVATURE * SHAPES[self.shape](u, self.rho)
        return smooth + 12 * CURVATURE * (u >= self.cliff)

    def regret(self, u: float) -> float:
        """The planted regret of a value u octaves from the optimum."""
        return float(self.loss(np.array([u]))[0] - LOSS)

    def each_sd(self, u: np.ndarray) -> np.ndarray:
        """Standard deviation of one loss at each u."""
        return np.where(u >= self.cliff, 10 * self.sd, self.sd)


def optima(setting: Setting, rng: np.random.Generator) -> np.ndarray:
    """Planted optima of the widths, smallest first, at a random offset from the lattice."""
    start = -7.0 + setting.spacing * rng.uniform(-0.5, 0.5)
    return start + setting.drift * np.arange(setting.widths)


def lattice(setting: Setting, log2_opt: float) -> np.ndarray:
    """The values of a slice: centred on the optimum, or ending ``inside`` steps above it."""
    step = setting.spacing
    nearest = round(log2_opt / step)
    last = nearest + setting.points // 2
    if setting.inside is not None:
        last = int(np.floor(log2_opt / step + setting.inside + 1e-9))
    return step * np.arange(last - setting.points + 1, last + 1, dtype=float)


def draw(
    setting: Setting,
    log2_opt: float,
    effects: np.ndarray,
    rng: np.random.Generator,
    *,
    width: int = 64,
    extra: float | None = None,
) -> Slice:
    """Return a slice with a planted optimum.

    Args:
        setting: The planted situation.
        log2_opt: The optimum.
        effects: Seed effects, (S,).
        rng: Source of noise.
        width: Model width.
        extra: log2 of one more value that was run (the transferred one).
    """
    x = lattice(setting, log2_opt)
    if extra is not None:
        x = np.union1d(np.round(x, 5), np.round(extra, 5))
    lattice_slice = _slice(setting, x, log2_opt, effects, rng, width)
    if not setting.refined:
        return lattice_slice
    means = np.where(lattice_slice.diverged, np.inf, lattice_slice.loss.mean(axis=1))
    best = x[int(means.argmin())]
    more = np.array([best - HALF_STEP, best + HALF_STEP])
    more = more[(more > x[0]) & (more < x[-1]) & ~np.isin(more, x)]
    return joined(lattice_slice, _slice(setting, more, log2_opt, effects, rng, width))


def _slice(
    setting: Setting,
    x: np.ndarray,
    log2_opt: float,
    effects: np.ndarray,
    rng: np.random.Generator,
    width: int,
) -> Slice:
    u = x - log2_opt
    noise = rng.normal(0, 1, (x.size, effects.size)) * setting.each_sd(u)[:, None]
    loss = setting.loss(u)[:, None] + effects + noise
    diverged = u >= setting.diverges_from
    loss[diverged] = np.nan
    return Slice(
        hp="lr",
        arm="mup",
        axis_value=width,
        log2_x=x,
        loss=loss,
        seeds=tuple(range(1, effects.size + 1)),
        diverged=diverged,
        fixed={},
    )


def joined(a: Slice, b: Slice) -> Slice:
    """The values of both slices."""
    x = np.concatenate([a.log2_x, b.log2_x])
    order = np.argsort(x)
    return Slice(
        hp=a.hp,
        arm=a.arm,
        axis_value=a.axis_value,
        log2_x=x[order],
        loss=np.concatenate([a.loss, b.loss])[order],
        seeds=a.seeds,
        diverged=np.concatenate([a.diverged, b.diverged])[order],
        fixed={},
    )


def seed_effects(setting: Setting, rng: np.random.Generator) -> np.ndarray:
    """Effects of the seeds, shared by all widths."""
    return rng.normal(0, setting.seed_effects * setting.sd, setting.seeds)
