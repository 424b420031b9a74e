"""Ladders with planted laws of the optimum, on planted curves or on those of the dense sweeps."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from benchmarks.calibration.draw import LOSS, TOLERANCE, slice_of
from benchmarks.calibration.real import Sweep, shape_of
from benchmarks.calibration.shapes import Shape
from benchmarks.dense import tables

from mutransfer.analysis.table.slice import LOG2_DECIMALS, Slice

# Doublings beyond the ladder at which is predicted.
BEYOND = (1, 2, 4)
# Values of the dense sweeps are ¼ (digits) or ½ octave (emoji) apart; optima move by whole steps.
REAL_STEP = 0.5
REAL_REL_LOSS = 0.02


@dataclass(frozen=True)
class Law:
    """Where the optimum is, octaves, k doublings from the narrowest width.

    Attributes:
        name: Its name in the tables.
        place: The optimum by doublings.
        scatter: Standard deviation of each width's own optimum about it, octaves.
        growth: Factor of the curve, in tolerances, with each doubling.
        is_library: The law is one of those that are fitted, without scatter.
    """

    name: str
    place: Callable[[float], float]
    scatter: float = 0.0
    growth: float = 1.0


LAWS = (
    Law("no drift", lambda k: 0.0),
    Law("drift 0.1", lambda k: 0.1 * k),
    Law("drift −0.3", lambda k: -0.3 * k),
    Law("a + b/n", lambda k: 2.0**-k),
    Law("a + b/√n", lambda k: 2.0 ** (-k / 2)),
    Law("no drift, scatter 0.1", lambda k: 0.0, scatter=0.1),
    Law("no drift, steeper by 20 %", lambda k: 0.0, growth=1.2),
    Law("drift 0.3 that stops", lambda k: 0.3 * min(k, 2.0)),
)


@dataclass(frozen=True)
class Design:
    """Seeds × values at each width, an octave or less apart, about the width's own optimum."""

    seeds: int
    values: int
    spacing: float

    @property
    def name(self) -> str:
        """Its name."""
        return f"{self.seeds}x{self.values}, {self.spacing:g} octaves apart"


@dataclass(frozen=True, eq=False, kw_only=True)
class Ladder:
    """A drawn ladder and the truth beyond it.

    Attributes:
        slices: A slice for each width, 1, 2, 4, …
        tolerances: The accepted regret at each, loss.
        optima: log2 of the true optima at the doublings `BEYOND`.
        curves: The true curves about these, in tolerances.
    """

    slices: list[Slice]
    tolerances: list[float]
    optima: list[float]
    curves: list[Callable[[np.ndarray], np.ndarray]]


def planted(
    shape: Shape, law: Law, noise: float, n_widths: int, design: Design, rng: np.random.Generator
) -> Ladder:
    """Return a ladder on a planted curve; noise is the standard deviation of a run, tolerances."""
    base = -7.0 + rng.uniform(-0.5, 0.5)
    sign = rng.choice([-1.0, 1.0])
    slices = []
    for k in range(n_widths):
        optimum = base + sign * law.place(k) + law.scatter * rng.normal()
        x = _lattice(optimum, design)
        f = law.growth**k * shape(x - optimum)
        noises = noise * rng.normal(size=(x.size, design.seeds))
        slices.append(slice_of(x, LOSS + TOLERANCE * (f[:, None] + noises), 2**k))
    ends = [n_widths - 1 + d for d in BEYOND]
    return Ladder(
        slices=slices,
        tolerances=[TOLERANCE] * n_widths,
        optima=[base + sign * law.place(k) + law.scatter * rng.normal() for k in ends],
        curves=[_grown(shape, law.growth**k) for k in ends],
    )


def _grown(shape: Shape, factor: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda u: factor * shape(u)


def _lattice(optimum: float, design: Design) -> np.ndarray:
    middle = np.round(optimum / design.spacing)
    steps = np.arange(design.values) - design.values // 2
    return np.round((middle + steps) * design.spacing, LOG2_DECIMALS)


@cache
def sweep(family: str) -> Sweep:
    """Return a dense sweep."""
    return Sweep.of(tables.load(family))


def real(family: str, law: Law, n_widths: int, design: Design, rng: np.random.Generator) -> Ladder:
    """Return a ladder of real slices: the narrow model below, the wide one above, moved by a law.

    Each slice has seeds of its own, drawn without replacement, and all values of a lattice of
    random offset between an outermost pair that the sweep has; a law moves it by whole steps.
    """
    dense = sweep(family)
    narrow, wide = sorted(dense.losses)
    tolerance = [REAL_REL_LOSS * abs(float(mean.min())) for mean in dense.means]
    sign = rng.choice([-1.0, 1.0])
    slices, tolerances = [], []
    for k in range(n_widths):
        i = int(k >= n_widths / 2)
        losses, best = dense.losses[(narrow, wide)[i]], float(dense.means[i].idxmin())
        x = tables.lattice(dense.df, design.spacing, design.values, best, rng)
        seeds = rng.choice(losses.columns, design.seeds, replace=False)
        slices.append(
            slice_of(x + _moved(sign * law.place(k)), losses.loc[x, seeds].to_numpy(), 2**k)
        )
        tolerances.append(tolerance[i])
    ends = [n_widths - 1 + d for d in BEYOND]
    # Relative to the narrow model's optimum, as the law has it, the wide one's differs as it does.
    best = float(dense.means[1].idxmin())
    return Ladder(
        slices=slices,
        tolerances=tolerances,
        optima=[best + _moved(sign * law.place(k)) for k in ends],
        curves=[shape_of(dense.means[1], tolerance[1])] * len(ends),
    )


def _moved(octaves: float) -> float:
    return float(np.round(octaves / REAL_STEP) * REAL_STEP)


def families() -> Sequence[str]:
    """Return the families whose dense sweeps are kept."""
    return sorted(path.stem for path in tables.RESULTS.glob("*.parquet"))
