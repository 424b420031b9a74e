"""Stars about a transferred value, with a ladder of the same curve, whose truth is known."""

from collections.abc import Callable, Sequence

import numpy as np

from mutransfer.analysis.fit.curve import Fit, fit_slices
from mutransfer.analysis.table.slice import Slice
from mutransfer.analysis.transfer.star import Star, star_of
from mutransfer.analysis.transfer.star_design import FIVE_FIRST, star_offsets

Curve = Callable[[np.ndarray], np.ndarray]
# Losses in tolerances: a tolerance of 0.5 %.
BEST = 200.0
LADDER = ((32, 9, 0.5, 4), (64, 5, 1.0, 3), (128, 5, 1.0, 3))


def valley(u: np.ndarray) -> np.ndarray:
    """Return a parabola that gains 4 tolerances at one octave."""
    return 4 * u**2


def skewed(u: np.ndarray) -> np.ndarray:
    """Return a curve three times as steep on the right."""
    return np.where(u < 0, 2.0, 6.0) * u**2


def vee(u: np.ndarray) -> np.ndarray:
    """Return a V of unequal sides."""
    return np.where(u < 0, 3.0, 6.0) * np.abs(u)


def leaning(u: np.ndarray) -> np.ndarray:
    """Return a valley whose right side is 1.5 times as high as its left one at one octave."""
    return 8 / 0.6**2 * (np.exp(0.6 * u) - 1 - 0.6 * u)


def slice_of_values(
    at: int, log2_x: np.ndarray, loss: np.ndarray, diverged: np.ndarray | None = None
) -> Slice:
    """Return a slice of values in any order, loss (P, S)."""
    order = np.argsort(log2_x)
    walls = np.zeros(log2_x.size, dtype=bool) if diverged is None else diverged
    return Slice(
        hp="lr",
        arm="mup",
        axis_value=at,
        log2_x=np.round(log2_x[order], 5),
        loss=loss[order],
        seeds=tuple(range(1, loss.shape[1] + 1)),
        diverged=walls[order],
        fixed={},
    )


def ladder(curve: Curve, noise: float, rng: np.random.Generator) -> list[Fit]:
    """Return the fits of three widths of one curve, the optimum at another place in each."""
    slices = []
    for width, n, step, seeds in LADDER:
        x = (np.arange(n) - n // 2) * step
        means = BEST + curve(x - rng.uniform(-0.5, 0.5) * step)[:, None]
        slices.append(slice_of_values(width, x, means + noise * rng.normal(size=(n, seeds))))
    return fit_slices(slices, tolerance_loss=1.0, families=[0] * len(slices))


def target(
    curve: Curve,
    noise: float,
    rng: np.random.Generator,
    *,
    offset: float,
    offsets: tuple[float, float],
    seeds: int = 1,
    shares: Sequence[float] = FIVE_FIRST[0].shares,
    others: float = 0.0,
) -> Fit:
    """Return the values of a star at width 256, ``offset`` octaves above the optimum."""
    x = np.array([share * (offsets[0] if share < 0 else offsets[1]) for share in shares])
    means = BEST + others + curve(x + offset)[:, None]
    loss = means + noise * rng.normal(size=(x.size, seeds))
    return fit_slices([slice_of_values(256, x, loss)], tolerance_loss=1.0)[0]


def star(
    curve: Curve,
    noise: float,
    *,
    offset: float = 0.0,
    seed: int = 0,
    of_target: Curve | None = None,
    seeds: int = 1,
    shares: Sequence[float] = FIVE_FIRST[0].shares,
) -> Star:
    """Return a star of one HP."""
    rng = np.random.default_rng(seed)
    fits = ladder(curve, noise, rng)
    offsets = star_offsets(fits)
    assert offsets is not None
    at_target = target(of_target or curve, noise, rng, offset=offset, offsets=offsets, seeds=seeds)
    found = star_of({"lr": at_target}, {"lr": fits}, {"lr": 0.0})
    assert found is not None
    return found
