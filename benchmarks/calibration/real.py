"""Studies resampled from the dense sweeps: real curves, real noise; the truth is the dense mean."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np
import pandas as pd
from benchmarks.calibration.draw import CASES, DESIGNS, Case, Design, Study, slice_of
from benchmarks.calibration.score import Score, scored
from benchmarks.calibration.shapes import CEILING, Shape
from benchmarks.dense import tables

from mutransfer.analysis.table.slice import Slice

# Tolerances as shares of the best loss: of the shipped studies, and with less noise against it.
REL_LOSSES = (0.005, 0.02)
# A case takes the value whose regret is nearest to the wanted one, and a tolerance that makes it
# exactly that one, at most so far from the nominal tolerance.
FURTHEST = 2.0


@dataclass(frozen=True)
class RealCell:
    """A design drawn from a family's sweep; its target is the widest model of it."""

    family: str
    rel_loss: float
    design: Design
    group: str = "Dense real sweeps"
    is_exempt: bool = False

    @property
    def name(self) -> str:
        """Its name, which `--cells` matches."""
        return f"{self.family}/real/{self.rel_loss:g}/{self.design.name}"

    def score(self, draws: Sequence[int]) -> Score:
        """Return the counts of some draws, which are the same whatever else is drawn."""
        key = zlib.crc32(self.name.encode())
        rngs = [np.random.default_rng((key, i)) for i in draws]
        sweep = _sweep(self.family)
        return scored([resampled(sweep, self.rel_loss, self.design, rng) for rng in rngs])


def cells_of_sweeps() -> list[RealCell]:
    """Return the cells of all sweeps that are kept."""
    families = sorted(path.stem for path in tables.RESULTS.glob("*.parquet"))
    designs = [design for design in DESIGNS if not design.refined]
    return [RealCell(f, rel, d) for f in families for rel in REL_LOSSES for d in designs]


@cache
def _sweep(family: str) -> "Sweep":
    return Sweep.of(tables.load(family))


@dataclass(frozen=True, eq=False)
class Sweep:
    """A dense sweep: its table, and for each width the losses by value and seed and their means."""

    df: pd.DataFrame
    losses: dict[int, pd.DataFrame]
    means: list[pd.Series]

    @classmethod
    def of(cls, df: pd.DataFrame) -> "Sweep":
        """Return the sweep of a table of `benchmarks.dense`."""
        widths = sorted(int(width) for width in df["width"].unique())
        means = [tables.dense_mean(df, width) for width in widths]
        return cls(df, {width: tables.losses(df, width) for width in widths}, means)


def resampled(sweep: Sweep, rel_loss: float, design: Design, rng: np.random.Generator) -> Study:
    """Return a study whose runs are drawn from a dense sweep.

    Seeds are drawn without replacement, the same at all widths, so that the dense mean is what a
    design with all of them finds. The lattice has a random offset.

    Args:
        sweep: The sweep.
        rel_loss: The nominal tolerance.
        design: Seeds and values.
        rng: Source of all that is random.
    """
    optima = [float(mean.idxmin()) for mean in sweep.means]
    tolerance = rel_loss * abs(float(sweep.means[-1].min()))
    x = tables.lattice(sweep.df, 1.0, design.values, optima[-2], rng)
    seeds = rng.choice(sweep.losses[min(sweep.losses)].columns, design.seeds, replace=False)
    cases = cases_of(sweep.means[-1], tolerance)

    def runs(values: np.ndarray, width: int) -> Slice:
        return slice_of(values, sweep.losses[width].loc[values, seeds].to_numpy(), width)

    *ladder, target = sweep.losses
    return Study(
        ladder=[runs(x, width) for width in ladder],
        targets=[runs(np.union1d(x, [value]), target) for value, _ in cases.values()],
        transferred=[value for value, _ in cases.values()],
        cases=list(cases),
        tolerances=[loss for _, loss in cases.values()],
        optima=optima,
        shapes=[shape_of(mean, tolerance) for mean in sweep.means],
        drift=None,
        has_common_noise=False,
    )


def cases_of(mean: pd.Series, tolerance: float) -> dict[Case, tuple[float, float]]:
    """Return a value and a tolerance, a loss, for each case that the sweep has."""
    best = float(mean.idxmin())
    regrets = (mean - mean.min())[mean > mean.min()]
    cases = {CASES[0]: (best, tolerance)}
    for regret, side in CASES[1:]:
        off = np.log2(regrets[np.sign(regrets.index - best) == side] / (regret * tolerance)).abs()
        if off.size and off.min() <= np.log2(FURTHEST):
            value = float(off.idxmin())
            cases[regret, side] = value, float(regrets[value]) / regret
    return cases


def shape_of(mean: pd.Series, tolerance: float) -> Shape:
    """Return the dense mean as a curve, straight between the values."""
    u = mean.index.to_numpy() - float(mean.idxmin())
    excess = ((mean - mean.min()) / tolerance).fillna(CEILING).to_numpy()
    return Shape("dense mean", partial(_interpolated, u, excess))


def _interpolated(x: np.ndarray, y: np.ndarray, u: np.ndarray) -> np.ndarray:
    return np.interp(u, x, y)
