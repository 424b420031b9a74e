"""One simulated study: a ladder and a star about a transferred set, judged look by look."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from benchmarks.calibration.shapes import Shape

from mutransfer.analysis.fit.curve import Fit, fit_slices
from mutransfer.analysis.table.slice import Slice, bracket
from mutransfer.analysis.transfer.star import ERRORS_OF_LOOKS, star_of
from mutransfer.analysis.transfer.star_design import star_looks, star_offsets

Curve = Callable[[np.ndarray], np.ndarray]
# Best loss in tolerances: a tolerance of 0.5 %.
BEST = 200.0
TARGET = 256
# Width, values, octaves between them, seeds: most runs where they cost least.
LADDER = ((32, 9, 0.5, 4), (64, 5, 1.0, 3), (128, 5, 1.0, 3))
MAX_EXTEND = 4


@dataclass(frozen=True)
class Outcome:
    """The word of a study and the runs at the target."""

    word: str
    n_runs: int


def ladder(
    curve: Curve,
    noise: float,
    rng: np.random.Generator,
    rungs: Sequence[tuple[int, int, float, int]] = LADDER,
) -> list[Fit]:
    """Return the fits of a ladder of one HP, its optimum at random between the values."""
    slices = []
    for width, n, step, seeds in rungs:
        optimum, effects = rng.uniform(-0.5, 0.5) * step, noise * rng.normal(size=seeds)

        def losses(x: np.ndarray, at: float = optimum, e: np.ndarray = effects) -> np.ndarray:
            own = noise * rng.normal(size=(x.size, e.size))
            return BEST + curve(x - at)[:, None] + e + own

        x = (np.arange(n) - n // 2) * step
        slice_ = slice_of_values("0", width, x, losses(x))
        for _ in range(MAX_EXTEND):
            sides = bracket(slice_)
            ends = [slice_.log2_x[0] - step] * sides.wants_left
            ends += [slice_.log2_x[-1] + step] * sides.wants_right
            if not ends:
                break
            more = np.array(ends)
            slice_ = slice_of_values(
                "0",
                width,
                np.append(slice_.log2_x, more),
                np.vstack([slice_.loss, losses(more)]),
            )
        slices.append(slice_)
    return fit_slices(slices, tolerance_loss=1.0, families=[0] * len(slices))


def slice_of_values(hp: str, at: int, log2_x: np.ndarray, loss: np.ndarray) -> Slice:
    """Return a slice of values in any order, loss (P, S)."""
    order = np.argsort(log2_x)
    return Slice(
        hp=hp,
        arm="mup",
        axis_value=at,
        log2_x=np.round(log2_x[order], 5),
        loss=loss[order],
        seeds=tuple(range(1, loss.shape[1] + 1)),
        diverged=np.zeros(log2_x.size, dtype=bool),
        fixed={},
    )


class Target:
    """The runs at the target: HPs add up, and the set is off each optimum by some octaves."""

    def __init__(
        self,
        curves: Sequence[Curve],
        places: Sequence[float],
        noise: float,
        rng: np.random.Generator,
    ) -> None:
        self.curves, self.places, self.noise, self.rng = curves, places, noise, rng
        self.runs: dict[tuple[int, float, int], float] = {}
        self.effects: dict[int, float] = {}

    def run(self, hp: int, offset: float, seed: int) -> None:
        """Run a value, that of the set where ``offset`` is 0, unless it has run."""
        key = (hp if offset else -1, offset, seed)
        if key in self.runs:
            return
        effect = self.effects.setdefault(seed, self.noise * float(self.rng.normal()))
        at = [place + offset * (k == hp) for k, place in enumerate(self.places)]
        mean = sum(float(c(np.array([u]))[0]) for c, u in zip(self.curves, at, strict=True))
        self.runs[key] = BEST + mean + effect + self.noise * float(self.rng.normal())

    def fit(self, hp: int) -> Fit:
        """Return the values of one HP; only its slice is used."""
        offsets = sorted({key[1] for key in self.runs if key[0] in (hp, -1)})
        seeds = sorted(self.effects)
        loss = [
            [self.runs.get((hp if offset else -1, offset, seed), np.nan) for seed in seeds]
            for offset in offsets
        ]
        slice_ = slice_of_values(str(hp), TARGET, np.array(offsets), np.array(loss))
        return fit_slices([slice_], tolerance_loss=1.0)[0]


def outcome(
    shapes: Sequence[Shape],
    noise: float,
    regret: float,
    rng: np.random.Generator,
    *,
    steepness: float = 1.0,
    of_target: Sequence[Shape] | None = None,
    noise_at_target: float = 1.0,
) -> Outcome | None:
    """Return what becomes of one study; None where a shape has no place of that regret.

    Args:
        shapes: The curve of each HP, tolerances.
        noise: Standard deviation of one run, tolerances.
        regret: True regret of the set, tolerances, shared equally by the HPs.
        rng: Source of all that is random.
        steepness: Factor of the target's curves.
        of_target: Shapes at the target; None: those of the ladder.
        noise_at_target: Factor of the noise there.
    """
    side = 1 if rng.random() < 0.5 else -1
    at_target = of_target or shapes
    places = [shape.place(regret / len(shapes) / steepness, side) for shape in at_target]
    if any(place is None for place in places):
        return None
    fits = [ladder(shape, noise, rng) for shape in shapes]
    curves = [lambda u, of=shape: steepness * of(u) for shape in at_target]
    target = Target(
        curves, [float(p) for p in places if p is not None], noise_at_target * noise, rng
    )
    offsets = [star_offsets(fit) or (1.0, 1.0) for fit in fits]
    looks = star_looks([fit for of_hp in fits for fit in of_hp])
    for look, error in zip(looks, ERRORS_OF_LOOKS[len(looks)], strict=True):
        for hp, (below, above) in enumerate(offsets):
            for share in look.shares:
                target.run(hp, share * (below if share < 0 else above), look.seed)
        word = _word(target, fits, error)
        if word != "INCONCLUSIVE":
            break
    return Outcome(word, len(target.runs))


def _word(target: Target, fits: Sequence[Sequence[Fit]], error: float) -> str:
    hps = [str(hp) for hp in range(len(fits))]
    star = star_of(
        {hp: target.fit(int(hp)) for hp in hps},
        dict(zip(hps, fits, strict=True)),
        dict.fromkeys(hps, 0.0),
    )
    if star is None:
        return "INCONCLUSIVE"
    bound = star.bound(error)
    if bound.upper < 1:
        return "PASS"
    return "FAIL" if bound.lower > 1 and bound.fits else "INCONCLUSIVE"
