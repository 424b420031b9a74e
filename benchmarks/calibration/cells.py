"""The cells of the calibration: a shape, a noise and a design."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from benchmarks.calibration.ceiling import ceiling
from benchmarks.calibration.draw import DESIGNS, Design, draw
from benchmarks.calibration.noise import KINDS, Kind
from benchmarks.calibration.score import Score, scored
from benchmarks.calibration.shapes import Shape

LEVELS = (0.1, 0.2, 0.4, 1.0)


@dataclass(frozen=True)
class Cell:
    """One planted situation; ``level`` is the standard deviation of one run in tolerances."""

    group: str
    shape: Shape
    kind: Kind
    level: float
    design: Design

    @property
    def name(self) -> str:
        """Its name, which `--cells` matches."""
        return f"{self.shape.name}/{self.kind}/{self.level:g}/{self.design.name}"

    @property
    def is_exempt(self) -> bool:
        """Whether no bound applies."""
        return self.shape.narrow

    def score(self, draws: Sequence[int]) -> Score:
        """Return the counts of some draws, which are the same whatever else is drawn."""
        key = zlib.crc32(self.name.encode())
        rngs = [np.random.default_rng((key, i)) for i in draws]
        studies = [draw(self.shape, self.kind, self.level, self.design, rng) for rng in rngs]
        score = scored(studies)
        if self.kind == "normal":
            score.ceiling = ceiling(self.shape, self.level, self.design)
        return score


def cells_of(group: str, shapes: Sequence[Shape], *, full: bool = False) -> list[Cell]:
    """Return the cells of some shapes.

    Normal noise at every level and design. Each other kind of noise at one level and one design
    for each shape, which go round so that every level and every design meets every kind; with
    ``full`` at every level and design too.
    """
    grid = list(product(LEVELS, DESIGNS))
    cells = [Cell(group, shape, "normal", *place) for shape in shapes for place in grid]
    # 5 and 16 have no common divisor: the places of a kind go through the whole grid.
    for (i, shape), (k, kind) in product(enumerate(shapes), enumerate(KINDS[1:])):
        places = grid if full else [grid[(5 * i + 3 * k) % len(grid)]]
        cells += [Cell(group, shape, kind, *place) for place in places]
    return cells
