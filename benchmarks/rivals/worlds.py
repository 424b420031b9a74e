"""Where a learning rate is sought: planted curves, and the kept real sweeps."""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

import numpy as np
import pandas as pd
from benchmarks.calibration.shapes import PLANTED, Shape
from benchmarks.dense import tables
from benchmarks.dense.designs import DESIGNS
from benchmarks.rivals import curves

from mutransfer.proxies.training.flops import training_flops
from mutransfer.sweep.plan.request import trial

# What is known before: log2 of the LR lies between these.
LOW, HIGH = -12.0, -3.0
# The accepted regret, a share of the best loss; planted losses are in tolerances.
REL_TOLERANCE, BEST = 0.005, 200.0
# Regret of a value that diverges, %.
DIVERGED = 100.0


class Case(Protocol):
    """One problem: a proxy, a ladder of widths and a target.

    Attributes:
        widths: From the proxy to the target.
        shares: FLOPs of a run at each width over those of one at the target.
    """

    widths: tuple[int, ...]
    shares: dict[int, float]

    def run(self, width: int, log2_lr: float, seed: int) -> float:
        """Return the loss of a run; NaN where it diverged."""

    def regret(self, log2_lr: float) -> float:
        """Return the true regret at the target, % of the best loss."""

    def curve(self, log2_lr: float, seed: int) -> np.ndarray | None:
        """Return the losses on the way of a run at the target, evenly spaced; None: unknown."""


@lru_cache
def shares(family: str, widths: tuple[int, ...]) -> dict[int, float]:
    """Return FLOPs of a training by width, over those at the last one."""
    study = DESIGNS[family].read_study()
    flops = [
        training_flops(trial(study, axis_value=w, arm="mup", hps={"lr": 1e-3}, seed=1))
        for w in widths
    ]
    return {w: of / flops[-1] for w, of in zip(widths, flops, strict=True)}


@dataclass
class Planted:
    """A curve of the calibration whose place moves by ``drift`` octaves per doubling of width."""

    shape: Shape
    noise: float
    drift: float
    rng: np.random.Generator
    widths: tuple[int, ...] = (32, 64, 128, 256)
    effects: dict[tuple[int, int], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shares = shares("dit", self.widths)
        self.optimum = float(self.rng.uniform(LOW + 3, HIGH - 3))

    def _above(self, width: int, log2_lr: float) -> float:
        at = self.optimum + self.drift * self.widths.index(width)
        return float(self.shape(np.array([log2_lr - at]))[0])

    def run(self, width: int, log2_lr: float, seed: int) -> float:
        """Return the loss of a run, tolerances."""
        effect = self.effects.setdefault((width, seed), float(self.rng.normal()))
        own = float(self.rng.normal())
        return BEST + self._above(width, log2_lr) + self.noise * (effect + own)

    def regret(self, log2_lr: float) -> float:
        """Return the true regret at the target, %."""
        return min(100 * self._above(self.widths[-1], log2_lr) / BEST, DIVERGED)

    def curve(self, log2_lr: float, seed: int) -> None:
        """Return None: no curve is planted."""


class Real:
    """A dense sweep: a run is one of its runs at the nearest value, truth its mean."""

    def __init__(self, family: str, rng: np.random.Generator) -> None:
        self.widths = DESIGNS[family].widths
        self.shares = shares(family, self.widths)
        df = _table(family)
        self._losses = {width: tables.losses(df, width) for width in self.widths}
        self._mean = tables.dense_mean(df, self.widths[-1])
        self._order = {
            width: rng.permutation(of.columns.to_numpy()) for width, of in self._losses.items()
        }

    def run(self, width: int, log2_lr: float, seed: int) -> float:
        """Return the loss of one of its runs; seeds beyond those that are kept begin anew."""
        losses, order = self._losses[width], self._order[width]
        nearest = losses.index[np.abs(losses.index - log2_lr).argmin()]
        return float(losses.loc[nearest, order[(seed - 1) % order.size]])

    def regret(self, log2_lr: float) -> float:
        """Return the regret of the nearest value, %."""
        loss = self._mean.iloc[np.abs(self._mean.index - log2_lr).argmin()]
        best = float(self._mean.min())
        return DIVERGED if np.isnan(loss) else min(100 * (float(loss) - best) / best, DIVERGED)

    def curve(self, log2_lr: float, seed: int) -> np.ndarray | None:
        """Return the losses of a run of `benchmarks.rivals.curves`; None for other sweeps."""
        if self.widths[-1] != curves.WIDTH:
            return None
        of_values = _curves()
        values = of_values.index.get_level_values("log2_lr").unique().to_numpy()
        nearest = values[np.abs(values - log2_lr).argmin()]
        return of_values.loc[(nearest, (seed - 1) % curves.SEEDS + 1)].to_numpy()


@lru_cache
def _table(family: str) -> pd.DataFrame:
    return tables.load(family)


@lru_cache
def _curves() -> pd.DataFrame:
    return curves.load().pivot(index=["log2_lr", "seed"], columns="step", values="val_loss")


def shape_named(name: str) -> Shape:
    """Return a planted shape."""
    return next(shape for shape in PLANTED if shape.name == name)
