"""The optimum of a slice: the value of lowest loss, with an interval that holds for few seeds."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from analysis.curve import Fit, fit
from analysis.slices import Bracket, Slice, bracket, mean_loss

__all__ = ["Fit", "Optimum", "fit", "optimum", "profile", "slice_optimum"]

LEVEL = 0.95
GRID_PER_STEP = 64
# A lattice cannot tell the shape of a curve finer: measured, a kink at the minimum moves the
# vertex of the cubic by up to 0.13 steps however small the noise.
MODEL_ERROR_STEPS = 0.125


@dataclass(frozen=True, kw_only=True)
class Optimum:
    """Where the loss of one HP is lowest at one width; plain numbers, ready for JSON.

    Attributes:
        hp: The varied HP.
        arm: ``mup`` or ``sp``.
        width: Model width.
        log2_opt: log2 of the optimum; None if nothing finished.
        log2_low, log2_high: Its 95 % interval; None where the data leave an end open.
        log2_best: log2 of the value of lowest mean loss.
        loss: Loss at the optimum, averaged over seeds.
        loss_low, loss_high: Its 95 % interval.
        curvature: c in loss ≈ loss_opt + c·(log2 x − log2_opt)², that is f''/2, loss/octave².
        basin_low, basin_high: log2 of the ends of the basin within the tolerance of the
            optimum; None where it leaves the window.
        log2_first_diverged: log2 of the nearest diverged value above the optimum;
            ``octaves_to_divergence`` is its distance.
        n_seeds, n_values, df: Seeds and values in the fit, residual degrees of freedom.
        noise_sd: Standard deviation of one loss about the curve.
        bracketed: A worse point (or a diverged one) stands on either side, and the interval
            is closed on both (design §7 b).
        flags: Codes: censored_left, censored_right, edge_of_stability, cliff, one_seed,
            too_few_values, no_minimum, flat, missing_cells, no_data.
    """

    hp: str
    arm: str
    width: int
    log2_opt: float | None
    log2_low: float | None
    log2_high: float | None
    log2_best: float | None
    loss: float | None
    loss_low: float | None
    loss_high: float | None
    curvature: float | None
    basin_low: float | None
    basin_high: float | None
    log2_first_diverged: float | None
    octaves_to_divergence: float | None
    n_seeds: int
    n_values: int
    df: int
    noise_sd: float | None
    bracketed: bool
    flags: tuple[str, ...]

    @property
    def opt(self) -> float | None:
        """The optimum in linear units."""
        return _exp2(self.log2_opt)

    @property
    def low(self) -> float | None:
        """Its lower end in linear units."""
        return _exp2(self.log2_low)

    @property
    def high(self) -> float | None:
        """Upper end of the interval in linear units."""
        return _exp2(self.log2_high)


def _exp2(log2_x: float | None) -> float | None:
    return None if log2_x is None else 2.0**log2_x


def profile(fitted: Fit, log2_x: np.ndarray) -> np.ndarray:
    """Return how much the data resist a minimum at each place, in units of noise variance.

    (RSS with f'(x) = 0 − RSS) / noise variance, (N,); infinite where the constrained curve
    has no minimum there. A linear constraint c'β = 0 costs (c'β̂)² / c'(X'X)⁻¹c.

    Source: for a quadratic the set below an F quantile is Fieller's (Fieller 1954).
    """
    forms = fitted.slope_rows(log2_x)
    slopes = forms @ fitted.beta
    spread = forms @ fitted.cov_unit
    unit_var = np.einsum("nk,nk->n", spread, forms)
    bent = fitted.beta - spread * (slopes / unit_var)[:, None]
    u = np.asarray(log2_x) - fitted.center
    bend = 2 * bent[:, 1] + (6 * bent[:, 2] * u if fitted.degree == 3 else 0.0)
    return np.where(bend > 0, slopes**2 / unit_var / fitted.noise_var, np.inf)


def optimum(fitted: Fit, tolerance_loss: float | None = None) -> Optimum:
    """Return the optimum of a fitted slice with its 95 % interval and flags.

    The interval is the set of places where a minimum is not refuted (`profile` below
    F(0.95; 1, df)) from one lattice step left of the window to one step right. A set that
    reaches an end of the window is open there, unless a diverged value or a cliff stands
    next: then the interval ends at that value at the latest. It is never narrower than a
    quarter of a step (MODEL_ERROR_STEPS). With one seed the noise is the scatter about the
    curve only (flag ``one_seed``).

    Args:
        fitted: A fit from `fit`, without own level.
        tolerance_loss: Regret, in loss, that bounds the basin; None: no basin.
    """
    marks = bracket(fitted.slice)
    if marks.best is None:
        return _nothing(fitted, marks)
    vertex = _vertex(fitted) if fitted.ok else None
    at_wall = marks.diverged_right is not None and marks.n_worse_right == 0
    ends = _interval(fitted) if fitted.ok else None
    if ends is None and fitted.ok and at_wall:
        ends = (_refuted_below(fitted), marks.diverged_right)
    low, high = ends or (None, None)
    center = fitted.center if vertex is None else vertex
    found = vertex is not None or (at_wall and ends is not None)
    first_diverged = marks.diverged_right
    loss, loss_low, loss_high = _loss_at(fitted, center)
    basin = (None, None) if vertex is None else _basin(fitted, vertex, tolerance_loss)
    return Optimum(
        hp=fitted.slice.hp,
        arm=fitted.slice.arm,
        width=fitted.slice.width,
        log2_opt=center,
        log2_low=low,
        log2_high=high,
        log2_best=fitted.center,
        loss=loss,
        loss_low=loss_low,
        loss_high=loss_high,
        curvature=None if vertex is None else fitted.bend(vertex) / 2,
        basin_low=basin[0],
        basin_high=basin[1],
        log2_first_diverged=first_diverged,
        octaves_to_divergence=None if first_diverged is None else first_diverged - center,
        n_seeds=fitted.n_seeds,
        n_values=int(fitted.window.sum()),
        df=fitted.df,
        noise_sd=math.sqrt(fitted.noise_var) if fitted.ok else None,
        bracketed=found and has_worse_sides(marks) and low is not None and high is not None,
        flags=_flags(fitted, marks, found=found, low=low, high=high),
    )


def has_worse_sides(marks: Bracket) -> bool:
    """Return whether a worse or a diverged value stands on either side of the best."""
    left = marks.n_worse_left > 0 or marks.diverged_left is not None
    return left and (marks.n_worse_right > 0 or marks.diverged_right is not None)


def _nothing(fitted: Fit, marks: Bracket) -> Optimum:
    return Optimum(
        hp=fitted.slice.hp,
        arm=fitted.slice.arm,
        width=fitted.slice.width,
        log2_opt=None,
        log2_low=None,
        log2_high=None,
        log2_best=None,
        loss=None,
        loss_low=None,
        loss_high=None,
        curvature=None,
        basin_low=None,
        basin_high=None,
        log2_first_diverged=marks.diverged_right,
        octaves_to_divergence=None,
        n_seeds=0,
        n_values=0,
        df=0,
        noise_sd=None,
        bracketed=False,
        flags=("no_data",),
    )


def _vertex(fitted: Fit) -> float | None:
    """Place of the curve's minimum if it lies inside the window and below its ends."""
    powers = np.arange(1, fitted.degree + 1)
    slope = (fitted.beta[: fitted.degree] * powers)[::-1]
    roots = np.roots(np.trim_zeros(slope, "f"))
    first, last = fitted.values[0], fitted.values[-1]
    for root in roots[np.isreal(roots)].real + fitted.center:
        inside = first <= root <= last and fitted.bend(float(root)) > 0
        if inside and fitted.value(root)[0] <= fitted.value(np.array([first, last])).min():
            return float(root)
    return None


def _interval(fitted: Fit) -> tuple[float | None, float | None] | None:
    """Ends of the profile F set; None if no place for a minimum is left."""
    step = fitted.spacing_log2
    first, last = fitted.values[0], fitted.values[-1]
    start, stop = first - step, last + step
    start = start if fitted.wall_left is None else fitted.wall_left
    stop = stop if fitted.wall_right is None else fitted.wall_right
    n = math.ceil((stop - start) / step * GRID_PER_STEP) + 1
    grid = np.linspace(start, stop, n)
    allowed = profile(fitted, grid) <= special.fdtri(1, fitted.df, LEVEL)
    inside = grid[allowed]
    vertex = _vertex(fitted)
    if vertex is not None:
        error = MODEL_ERROR_STEPS * step
        inside = np.append(inside, [vertex - error, vertex + error])
    if not inside.size:
        return None
    least, most = float(inside.min()), float(inside.max())
    low: float | None = max(least, start)
    high: float | None = min(most, stop)
    if least <= first and fitted.wall_left is None:
        low = None
    if most >= last and fitted.wall_right is None:
        high = None
    return low, high


def _refuted_below(fitted: Fit) -> float | None:
    """Nearest value below the best that is significantly worse: a lower end if f is unimodal."""
    quantile = special.stdtrit(fitted.df, 0.5 + LEVEL / 2)
    for x in fitted.values[fitted.values < fitted.center][::-1]:
        estimate, error = fitted.difference(float(x), fitted.center)
        if estimate > quantile * error:
            return float(x)
    return None


def _flags(
    fitted: Fit, marks: Bracket, *, found: bool, low: float | None, high: float | None
) -> tuple[str, ...]:
    at_wall = marks.diverged_right is not None and (
        marks.n_worse_right == 0 or (high is not None and high >= marks.diverged_right)
    )
    cut = [w for w in (fitted.wall_left, fitted.wall_right) if w is not None]
    walls = (marks.diverged_left, marks.diverged_right)
    flags = {
        "censored_left": low is None,
        "censored_right": high is None,
        "edge_of_stability": at_wall,
        "cliff": any(w not in walls for w in cut),
        "one_seed": fitted.n_seeds == 1,
        "too_few_values": not fitted.ok,
        "no_minimum": fitted.ok and not found,
        "flat": fitted.ok and _is_flat(fitted),
        "missing_cells": fitted.slice.n_missing > 0,
    }
    return tuple(name for name, raised in flags.items() if raised)


def _is_flat(fitted: Fit) -> bool:
    """Whether an F test does not tell the curve from a constant."""
    k = fitted.degree
    beta, cov = fitted.beta[:k], fitted.cov_unit[:k, :k]
    statistic = float(beta @ np.linalg.solve(cov, beta)) / k / fitted.noise_var
    return bool(statistic <= special.fdtri(k, fitted.df, LEVEL))


def _loss_at(fitted: Fit, log2_x: float) -> tuple[float, float | None, float | None]:
    if not fitted.ok:
        return float(np.nanmin(mean_loss(fitted.slice))), None, None
    form = fitted.rows(np.array([log2_x]))[0]
    loss = float(form @ fitted.beta)
    error = math.sqrt(float(form @ fitted.cov_unit @ form) * fitted.noise_var)
    half = float(special.stdtrit(fitted.df, 0.5 + LEVEL / 2)) * error
    return loss, loss - half, loss + half


def _basin(
    fitted: Fit, vertex: float, tolerance_loss: float | None
) -> tuple[float | None, float | None]:
    """Ends of the stretch around the vertex whose loss is within the tolerance of it."""
    if tolerance_loss is None:
        return None, None
    first, last = fitted.values[0], fitted.values[-1]
    limit = float(fitted.value(vertex)[0]) + tolerance_loss
    left, right = np.linspace(vertex, first, 257), np.linspace(vertex, last, 257)
    ends = []
    for side in (left, right):
        above = np.flatnonzero(fitted.value(side) > limit)
        ends.append(float(side[above[0]]) if above.size else None)
    return ends[0], ends[1]


def slice_optimum(slice_: Slice, *, spacing_log2: float = 1.0) -> Optimum:
    """Return the optimum of a slice: `optimum` of its `fit`."""
    return optimum(fit(slice_, spacing_log2=spacing_log2))
