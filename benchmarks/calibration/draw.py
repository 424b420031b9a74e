"""Studies drawn at random: slices of a ladder of widths and of a target, with planted optima."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from benchmarks.calibration.noise import Kind, Noise
from benchmarks.calibration.shapes import Shape

from mutransfer.analysis.table.slice import LOG2_DECIMALS, Slice

# The best loss, and the accepted regret: 0.5 % of it.
LOSS, TOLERANCE = 2.5, 0.0125
WIDTHS, TARGET = (32, 64, 128), 256
# Octaves per doubling, up or down.
DRIFT = 0.25
REFINEMENTS = (0.5, 0.25)

# True regret of a transferred value in tolerances, and the side of the minimum: +1 above, −1 below.
Case = tuple[float, int]
CASES: tuple[Case, ...] = ((0.0, 1), *((r, side) for r in (0.5, 1.0, 1.5) for side in (1, -1)))
Runs = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Design:
    """Seeds × values at each width, on a lattice of one octave about the search optimum.

    Attributes:
        name: Its name in the tables.
        seeds, values: Numbers of each, without the transferred value at the target.
        refined: Four of the values stand beside the best of the others: half an octave to either
            side, then a quarter of an octave to either side of the best so far.
    """

    name: str
    seeds: int
    values: int
    refined: bool = False


DESIGNS = (
    Design("2x5", 2, 5),
    Design("3x5", 3, 5),
    Design("3x7", 3, 7),
    Design("3x7 refined", 3, 7, refined=True),
)


@dataclass(frozen=True, eq=False, kw_only=True)
class Study:
    """One drawn study, and the truth about it.

    Attributes:
        ladder: Slices of the ladder, the search last.
        targets: A slice at the target for each case: the same runs, and those of its value.
        transferred: log2 of these values.
        cases: What is true of them.
        tolerances: The accepted regret in each case, loss.
        optima: log2 of the true optima of ladder and target.
        shapes: The curves about them, in units of the first tolerance.
        drift: True drift, octaves per doubling; None: unknown.
        has_common_noise: The runs of all transferred values have the same noise, so that a larger
            regret passes only where a smaller one does.
    """

    ladder: list[Slice]
    targets: list[Slice]
    transferred: list[float]
    cases: list[Case]
    tolerances: list[float]
    optima: list[float]
    shapes: list[Shape]
    drift: float | None
    has_common_noise: bool


def draw(
    shape: Shape,
    kind: Kind,
    level: float,
    design: Design,
    rng: np.random.Generator,
    *,
    place: tuple[float, float] | None = None,
) -> Study:
    """Return a study whose runs are drawn from a planted curve, with a target for each case.

    Args:
        shape: The curve of every width; cases whose regret it jumps over are left out.
        kind: Kind of the noise.
        level: Standard deviation of one run, tolerances.
        design: Seeds and values.
        rng: Source of all that is random.
        place: Octaves from the lattice to the target's optimum, and the drift; None: at random.
    """
    noise = Noise(kind, design.seeds, rng)
    offset, drift = place or (rng.uniform(-0.5, 0.5), DRIFT * rng.choice([-1.0, 1.0]))
    target_optimum = -7.0 + offset
    optima = [target_optimum - drift * doublings for doublings in (3, 2, 1, 0)]
    center = float(np.round(optima[-2]))
    *ladder, at_target = [_runs(shape, noise, level, x) for x in optima]
    grids = [grid(design, center, runs) for runs in ladder]
    x, loss = grid(design, center, at_target)
    found = {case: shape.place(*case) for case in CASES}
    places = {case: u for case, u in found.items() if u is not None}
    transferred = [round(target_optimum + place, LOG2_DECIMALS) for place in places.values()]
    targets, state = [], rng.bit_generator.state
    for value in transferred:
        rng.bit_generator.state = state
        own = _finite(at_target, value)
        targets.append(slice_of(np.append(x, value), np.vstack([loss, own]), TARGET))
    return Study(
        ladder=[slice_of(*each, width) for each, width in zip(grids, WIDTHS, strict=True)],
        targets=targets,
        transferred=transferred,
        cases=list(places),
        tolerances=[TOLERANCE] * len(places),
        optima=optima,
        shapes=[shape] * len(optima),
        drift=drift,
        has_common_noise=True,
    )


def _runs(shape: Shape, noise: Noise, level: float, log2_opt: float) -> Runs:
    """The losses of runs at one width, (P, S), from log2 of their values, (P,)."""
    slopes = noise.width_slopes()

    def runs(x: np.ndarray) -> np.ndarray:
        u = x - log2_opt
        return LOSS + TOLERANCE * (shape(u)[:, None] + level * noise.draw(u, slopes))

    return runs


def grid(design: Design, center: float, runs: Runs) -> tuple[np.ndarray, np.ndarray]:
    """Return the values of a slice and their losses, (P,) and (P, S)."""
    n = design.values - 4 if design.refined else design.values
    x = center + np.arange(n) - n // 2
    loss = runs(x)
    for step in REFINEMENTS if design.refined else ():
        best = x[np.nan_to_num(loss.mean(axis=1), nan=np.inf).argmin()]
        more = np.array([best - step, best + step])
        x, loss = np.append(x, more), np.vstack([loss, runs(more)])
    return x, loss


def _finite(runs: Runs, value: float) -> np.ndarray:
    """Runs at one value, (1, S), none of which diverged: a set that diverges rightly fails."""
    while True:
        loss = runs(np.array([value]))
        if np.isfinite(loss).all():
            return loss


def slice_of(x: np.ndarray, loss: np.ndarray, width: int) -> Slice:
    """Return the slice of these values and losses, (P,) and (P, S); NaN: the run diverged."""
    order = np.argsort(x)
    return Slice(
        hp="lr",
        arm="mup",
        axis_value=width,
        log2_x=x[order],
        loss=loss[order],
        seeds=tuple(range(1, loss.shape[1] + 1)),
        diverged=np.isnan(loss[order]).any(axis=1),
        fixed={},
    )
