"""The optimum and the regret at an axis value that was not run, predicted from a ladder.

The curve there is taken to be that of the largest axis value of the ladder, the *anchor*, moved by
what the laws of the optimum (`transfer.laws`) give for the way between. What the shape leaves open
of the place of a minimum is the same at all axis values: it cancels in the move, and stays with the
curves that fit at the anchor. The regret of a value is that of each of these curves with each
move, weighted by both likelihoods; its bound is a quantile, times the factor by which the steepness
of the ladder's curves differs: so much may it change beyond.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mutransfer.analysis.fit.curve import MAX_WEIGHTED_EXCESS, Fit
from mutransfer.analysis.fit.optimum import CONFIDENCE, optimum
from mutransfer.analysis.table.axis import AXIS_LABELS
from mutransfer.analysis.transfer.laws import (
    AveragedLaw,
    FittedLaw,
    Mixture,
    Point,
    averaged_law,
    laws_of,
)
from mutransfer.analysis.transfer.profiled import ProfiledOptimum, profiled_optimum
from mutransfer.words import Axis

# Three promise nothing: a constant, a drift and a limit fit them alike.
MIN_AXIS_VALUES = 4
# Quantiles by which the distribution of the move is represented.
MOVES = (np.arange(25) + 0.5) / 25
# Distance to the nearest diverged value that a value needs, octaves, as in a check.
OCTAVES_TO_DIVERGENCE = 0.5
# Share of a normal below one standard deviation under its mean.
ONE_SD = 0.158655


def location_error(fitted: Fit) -> float:
    """Return the standard error of the optimum of a fit as seen from others of its shape, octaves.

    The mean over shapes of the variance of the location of the minimum given the shape. What
    shapes differ in is left out: that moves the estimates of all axis values alike.
    """
    profile = fitted.profile
    weight = np.exp(-(profile.misfit - profile.least_misfit) / fitted.scale / 2)
    total = np.bincount(profile.pair, weight)
    kept = total > 0
    mean, square = (
        np.bincount(profile.pair, weight * moment)[kept] / total[kept]
        for moment in (profile.location, profile.location**2)
    )
    variance = total[kept] @ np.maximum(square - mean**2, 0.0) / total.sum()
    widened = fitted.df / (fitted.df - 2) if fitted.df > 2.5 else 5.0
    return float(np.sqrt(max(variance * widened, 1e-6)))


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """What a ladder says of one HP at an axis value that was not run; plain numbers, for JSON.

    Attributes:
        hp: The HP.
        arm: Arm of the ladder.
        axis_value: Where is predicted, and ``doublings``, log2 of it over ``anchor``.
        anchor: Largest axis value with an optimum, whose curve is moved.
        axis_values: The axis values whose optima count.
        laws: The laws fitted to these optima, with their weights.
        log2_opt: log2 of the predicted optimum; ``log2_low`` and ``log2_high`` are the ends of its
            interval.
        confidence: Confidence level of interval and bounds.
        left_out_error: Octaves by which the laws of the other optima miss that of the anchor, and
            ``left_out_z``, the same over its standard error.
        steepness: Largest over smallest curvature of the curves of the ladder, in tolerances.
        log2_x: log2 of the transferred value; None: there is none, and the predicted optimum
            is to be run.
        regret: Of that value at the predicted place, f(x) − min f, loss: the median; and
            ``regret_upper``, its bound. None where that leaves the values that were run.
        tolerance_loss: The accepted regret at the anchor, loss.
        reasons: Why nothing is promised, in sentences.
    """

    hp: str
    arm: str
    axis_value: int
    doublings: float
    anchor: int
    axis_values: tuple[int, ...]
    laws: tuple[FittedLaw, ...]
    log2_opt: float
    log2_low: float
    log2_high: float
    confidence: float
    left_out_error: float
    left_out_z: float
    steepness: float
    log2_x: float | None
    regret: float | None
    regret_upper: float | None
    tolerance_loss: float | None
    reasons: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether the bound is under the tolerance and nothing speaks against it."""
        bound, accepted = self.regret_upper, self.tolerance_loss
        return not self.reasons and bound is not None and accepted is not None and bound < accepted


def predict(
    fits: Sequence[Fit],
    axis_value: int,
    log2_x: float | None,
    *,
    tolerance_loss: float | None,
    axis: Axis = "width",
    scaled: bool = True,
    confidence: float = CONFIDENCE,
) -> Prediction | None:
    """Return what the fits of a ladder predict at an axis value; None with fewer than 3 optima.

    Only bracketed optima count (`transfer.profiled`). The law's own error is checked on the ladder:
    the laws of the smaller axis values predict the optimum of the largest. Where they miss it by
    more than a standard error, the move is made wider in proportion; where it lies outside
    their interval, nothing is promised. Nor is it with fewer than 4 optima, with one seed, or
    where a value of the interval diverged or was not run.

    Args:
        fits: Fits of one HP and arm, at different axis values.
        axis_value: Where to predict.
        log2_x: log2 of the transferred value; None: judge the predicted optimum.
        tolerance_loss: The accepted regret at the largest axis value, loss.
        axis: The axis.
        scaled: As `transfer.laws.laws_of`.
        confidence: Confidence level of the interval and of the bound.
    """
    optima = [o for fitted in fits if (o := profiled_optimum(fitted)) is not None]
    optima.sort(key=lambda o: o.axis_value)
    if len(optima) < 3:
        return None
    laws = laws_of(axis, scaled=scaled)
    points = [Point(o.axis_value, o.log2_opt, location_error(o.fitted)) for o in optima]
    averaged = averaged_law(points, laws)
    left_out = _LeftOut.of(points, averaged_law(points[:-1], laws))
    moved = _Moved.of(optima[-1], averaged.at(axis_value), max(1.0, abs(left_out.z)))
    low, middle, high = moved.location(0.5 - confidence / 2, 0.5, 0.5 + confidence / 2)
    value = middle if log2_x is None else log2_x
    regret, upper = moved.regret(value, 0.5, confidence)
    reasons = _reasons(optima, left_out, moved, value, axis)
    is_known, steepness = moved.is_on_curve(value), _steepness(optima)
    return Prediction(
        hp=moved.fitted.slice.hp,
        arm=moved.fitted.slice.arm,
        axis_value=axis_value,
        doublings=float(np.log2(axis_value / optima[-1].axis_value)),
        anchor=optima[-1].axis_value,
        axis_values=tuple(o.axis_value for o in optima),
        laws=averaged.laws(),
        log2_opt=middle,
        log2_low=low,
        log2_high=high,
        confidence=confidence,
        left_out_error=left_out.error,
        left_out_z=left_out.z,
        steepness=steepness,
        log2_x=log2_x,
        regret=regret if is_known else None,
        regret_upper=steepness * upper if is_known else None,
        tolerance_loss=tolerance_loss,
        reasons=reasons,
    )


def _steepness(optima: Sequence[ProfiledOptimum]) -> float:
    """The largest over the smallest curvature of the curves, each in tolerances."""
    curvatures = [(optimum(o.fitted).curvature or 0.0) / o.fitted.tolerance_loss for o in optima]
    return max(curvatures) / max(min(curvatures), 1e-9 * max(curvatures))


@dataclass(frozen=True)
class _LeftOut:
    """How far the laws of the other optima miss that of the largest axis value."""

    error: float
    z: float
    is_outside: bool

    @classmethod
    def of(cls, points: Sequence[Point], others: AveragedLaw) -> "_LeftOut":
        last = points[-1]
        seen = others.at(last.axis_value).with_error(last.error)
        shares = ((1 - CONFIDENCE) / 2, ONE_SD, 0.5, 1 - ONE_SD, (1 + CONFIDENCE) / 2)
        least, low, middle, high, most = (seen.quantile(share) for share in shares)
        error = last.log2_opt - middle
        z = error / (high - middle if error > 0 else middle - low)
        return cls(error, z, not least <= last.log2_opt <= most)


@dataclass(frozen=True, eq=False)
class _Moved:
    """The curves that fit at the anchor, each with each move; all moves weigh the same.

    Attributes:
        fitted: The fit of the anchor.
        moves: (M,) octaves.
    """

    fitted: Fit
    moves: np.ndarray

    @classmethod
    def of(cls, anchor: ProfiledOptimum, law: Mixture, stretch: float) -> "_Moved":
        at = np.array([law.quantile(share) for share in MOVES])
        middle = law.quantile(0.5)
        return cls(anchor.fitted, middle + stretch * (at - middle) - anchor.log2_opt)

    @cached_property
    def _nodes(self) -> np.ndarray:
        profile = self.fitted.profile
        return np.flatnonzero(
            profile.misfit - profile.least_misfit < MAX_WEIGHTED_EXCESS * self.fitted.scale
        )

    @cached_property
    def _weight(self) -> np.ndarray:
        """(N,) weights of the curves: Student's t in place of the normal."""
        profile, df = self.fitted.profile, self.fitted.df
        excess = (profile.misfit[self._nodes] - profile.least_misfit) / self.fitted.scale
        weight = (1 + excess / df) ** (-(df + 1) / 2)
        return weight / weight.sum()

    def location(self, *shares: float) -> list[float]:
        """Return quantiles of log2 of the minimum."""
        at = self.fitted.profile.location[self._nodes] + self.moves[:, None]
        return self._quantiles(at, *shares)

    def regret(self, log2_x: float, *shares: float) -> list[float]:
        """Return quantiles of the regret of a value, loss."""
        curves = self.fitted.profile.at(self._nodes)
        excess = [(curves.sides_at(log2_x - m) * curves.sizes).sum(axis=0) for m in self.moves]
        return self._quantiles(np.array(excess), *shares)

    def is_on_curve(self, log2_x: float) -> bool:
        """Whether a value lies between those of the anchor's curve, wherever that moves."""
        first, last = self.fitted.values[[0, -1]]
        at = log2_x - self.moves
        return bool(first - 1e-9 <= at.min() and at.max() <= last + 1e-9)

    def is_near_divergence(self, log2_x: float) -> bool:
        """Whether a value at the anchor diverged within half an octave of it, or beyond it."""
        diverged = self.fitted.slice.log2_x[self.fitted.slice.diverged]
        at = log2_x - self.moves
        near = diverged > at.min() - OCTAVES_TO_DIVERGENCE + 1e-4
        return bool((near & (diverged < at.max() + OCTAVES_TO_DIVERGENCE - 1e-4)).any())

    def _quantiles(self, values: np.ndarray, *shares: float) -> list[float]:
        """Quantiles of values (M, N), a row a move."""
        weight = np.tile(self._weight / len(self.moves), len(self.moves))
        order = np.argsort(values, axis=None)
        at = np.searchsorted(np.cumsum(weight[order]), shares)
        return [float(x) for x in values.ravel()[order][np.minimum(at, order.size - 1)]]


def _reasons(
    optima: Sequence[ProfiledOptimum], left_out: _LeftOut, moved: _Moved, value: float, axis: Axis
) -> tuple[str, ...]:
    """Why nothing is promised, in sentences."""
    plural, anchor = AXIS_LABELS[axis].plural, optima[-1]
    checks = (
        (
            len(optima) < MIN_AXIS_VALUES,
            f"{len(optima)} {plural} with a bracketed optimum: three promise nothing, since a "
            f"constant, a drift and a limit fit them alike; {MIN_AXIS_VALUES} are needed.",
        ),
        (
            left_out.is_outside,
            f"The law of the other {plural} misses the optimum at {anchor.axis_value} by "
            f"{left_out.error:+.2f} octaves, more than its interval allows.",
        ),
        (
            moved.fitted.is_one_seed,
            f"One seed at {anchor.axis_value}: the variance between seeds is unknown.",
        ),
        (
            "flat" in optimum(moved.fitted).flags,
            f"No difference between values is shown at {anchor.axis_value}.",
        ),
        (
            not moved.is_on_curve(value),
            f"The interval of the predicted optimum leaves the values that were run at "
            f"{anchor.axis_value}.",
        ),
        (
            moved.is_near_divergence(value),
            f"A value diverged at {anchor.axis_value} within half an octave of the interval.",
        ),
    )
    return tuple(text for is_so, text in checks if is_so)
