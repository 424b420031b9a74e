"""The check of few runs: the transferred set at the target and a few neighbours of it, a *star*.

Three to five values of an HP show no curve of their own. Its shape is borrowed from the ladder's
slices (`fit.ladder_shape`), within a dilation; where its minimum lies is left open, and how steep
it is within a factor. All HPs are judged at once: they share the runs of the set and the noise,
and one bound holds for the sum of their regrets. The noise of a run is predicted from that of the
ladder's slices, so that one seed is enough at first; further looks at more runs share the error.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce

import numpy as np
from scipy import special

from mutransfer.analysis.fit import noise
from mutransfer.analysis.fit.curve import MISFIT_P, Fit
from mutransfer.analysis.fit.ladder_shape import ladder_shape
from mutransfer.analysis.table.slice import Slice, mean_loss
from mutransfer.analysis.transfer.regret import Regret
from mutransfer.analysis.transfer.star_nodes import (
    CENTRES,
    IMPOSSIBLE,
    MAX_EXCESS,
    REGRETS,
    Nodes,
    SetRuns,
    StarValues,
)

# Error of a bound at each look, by the most looks that may be taken; the next analysis has
# `ERROR_OF_MORE` and each further one half of the one before, so that all together err in at most
# 5 %. What shows itself early needs little error, so most is left to the last look: with (1.5, 1.5,
# 1 %) a V at noise 0.4 passed in 54 instead of 66 %, log-cosh at noise 1 in 20 instead of 54 %, and
# round curves with 0.1-0.6 runs less (24 draws each, the ladder of benchmarks/decisions).
ERRORS_OF_LOOKS: Mapping[int, tuple[float, ...]] = {
    1: (0.045,),
    2: (0.015, 0.03),
    3: (0.01, 0.01, 0.025),
}
ERROR_OF_MORE = 0.0025
# Curves that no bound after more looks reaches are left out.
MOST_LOOKS = 4
# Where a bound crosses its limit, misfits up to so many times as far are known too.
BEYOND_REACH = 1.5


@dataclass(frozen=True, kw_only=True)
class StarBound:
    """The regret of a set, or of one HP of it, by a star.

    Attributes:
        estimate: Of the curves that fit best, loss.
        lower, upper: Its bounds, loss; ``upper`` is infinite where there is none.
        fits: Whether a shape of the ladder fits, within the dilation.
    """

    estimate: float
    lower: float
    upper: float
    fits: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Star:
    """A star: the runs of the transferred set and those of its neighbours along each HP.

    Attributes:
        values: Those of each HP.
        runs: Runs of the set, noise and tolerance.
        df: Degrees of freedom of the noise.
    """

    values: Mapping[str, StarValues]
    runs: SetRuns
    df: float

    @cached_property
    def _all_nodes(self) -> dict[str, Nodes]:
        return {hp: Nodes.of(self.runs, values) for hp, values in self.values.items()}

    @cached_property
    def least_misfit(self) -> float:
        """The misfit of the best curves, that of the ladder with their shapes included."""
        by_centre = [nodes.least_by_centre for nodes in self._all_nodes.values()]
        return float((np.sum(by_centre, axis=0) + CENTRES**2).min())

    @cached_property
    def _nodes(self) -> dict[str, Nodes]:
        """Those that a bound may reach."""
        return {hp: nodes.within(self._reach) for hp, nodes in self._all_nodes.items()}

    @property
    def _reach(self) -> float:
        """The misfit beyond the least one up to which a bound may be asked for."""
        return min(self.room(error_of_look(MOST_LOOKS)), MAX_EXCESS)

    @cached_property
    def _at_least(self) -> dict[str, np.ndarray]:
        return self._least(at_most=False)

    @cached_property
    def _at_most(self) -> dict[str, np.ndarray]:
        return self._least(at_most=True)

    def _least(self, *, at_most: bool) -> dict[str, np.ndarray]:
        """By HP the least misfit by mean of the set's own runs and regret, (C, R)."""
        by_centre = {hp: nodes.least_by_centre for hp, nodes in self._nodes.items()}
        limit = self.least_misfit + BEYOND_REACH * self._reach - CENTRES**2
        every = np.sum(list(by_centre.values()), axis=0)
        return {
            hp: nodes.least(limit - every + by_centre[hp], at_most=at_most)
            for hp, nodes in self._nodes.items()
        }

    def _profile(self, of_hps: Mapping[str, np.ndarray], hp: str | None) -> np.ndarray:
        """The least misfit by the regret of the set or of one HP, (R,)."""
        if hp is not None:
            others = [misfit.min(axis=1) for name, misfit in of_hps.items() if name != hp]
            total = of_hps[hp] + np.sum(others, axis=0)[:, None] if others else of_hps[hp]
        else:
            total = reduce(_sum_of_regrets, of_hps.values())
        return (total + (CENTRES**2)[:, None]).min(axis=0)

    @cached_property
    def scale(self) -> float:
        """The factor of all variances, at least 1, by which the best curves misfit."""
        n_values = 1 + sum(values.log2_x.size for values in self.values.values())
        spare = max(n_values - 1 - 2 * len(self.values), 1)
        ratio = self.least_misfit / spare
        return max(ratio, 1.0) if special.fdtrc(spare, self.df, ratio) < MISFIT_P else 1.0

    def room(self, error: float) -> float:
        """Return how much the misfit may exceed the least one for a one-sided error."""
        return self.scale * float(special.stdtrit(self.df, 1 - error)) ** 2

    def bound(self, error: float, hp: str | None = None) -> StarBound:
        """Return the regret of the set, or of one HP.

        Args:
            error: Chance that a bound may be wrong, one-sided.
            hp: The HP; None: the sum of all.
        """
        limit = self.room(error) ** 0.5
        at_least = np.maximum.accumulate(self._profile(self._at_least, hp))
        at_most = np.minimum.accumulate(self._profile(self._at_most, hp))
        rising, falling = (
            np.sqrt(np.maximum(misfit - self.least_misfit, 0.0)) for misfit in (at_least, at_most)
        )
        tolerance = self.runs.tolerance_loss
        return StarBound(
            estimate=tolerance * _first_within(falling, 1e-3),
            lower=tolerance * _first_within(falling, limit),
            # A sum is at least each of its terms, which interpolation alone does not ensure.
            upper=max(
                tolerance * _first_beyond(rising, limit),
                *(self.bound(error, name).upper for name in (self.values if hp is None else ())),
                0.0,
            ),
            fits=self.scale == 1,
        )


def error_of_look(n_interim: int, max_looks: int = 3) -> float:
    """Return the one-sided error of a bound after so many looks, of at most ``max_looks``."""
    errors = ERRORS_OF_LOOKS[max_looks]
    if n_interim < len(errors):
        return errors[n_interim]
    return ERROR_OF_MORE / 2.0 ** (n_interim - len(errors))


def regret_of_star(bound: StarBound, log2_x: float, confidence: float) -> Regret:
    """Return the regret of a transferred value by a star, as that by a slice is given."""
    return Regret(
        log2_x=log2_x,
        estimate=bound.estimate,
        lower=bound.lower,
        upper=bound.upper,
        confidence=confidence,
        pinned=False,
    )


def _first_beyond(root: np.ndarray, limit: float) -> float:
    """The regret from which the root of the misfit, which rises, exceeds a limit."""
    beyond = np.flatnonzero(root > limit)
    if not beyond.size or limit**2 >= MAX_EXCESS:
        return float("inf")
    i = int(beyond[0])
    return _crossing(REGRETS[i - 1 : i + 2], root[i - 1 : i + 2], limit)


def _first_within(root: np.ndarray, limit: float) -> float:
    """The regret from which the root of the misfit, which falls, is within a limit."""
    within = np.flatnonzero(root <= limit)
    if not within.size or within[0] == 0 or limit**2 >= MAX_EXCESS:
        return 0.0
    i = int(within[0])
    first = max(i - 2, 0)
    return _crossing(REGRETS[first : i + 1][::-1], root[first : i + 1][::-1], limit)


def _crossing(regrets: np.ndarray, root: np.ndarray, limit: float) -> float:
    """Where a root of a misfit crosses a limit, between the first and the second regret.

    From its minimum on it is about linear: the line is that of the second and the third.
    """
    # The misfit of nodes that were left out is beyond the limit.
    is_known = root < IMPOSSIBLE**0.5 / 2
    root = np.where(is_known, root, 1.5 * limit + 1.0)
    first, second = regrets[0], regrets[1]
    slope = (root[1] - root[0]) / (second - first)
    if root.size > 2 and is_known[1:].all():
        steeper = (root[2] - root[1]) / (regrets[2] - second)
        slope = steeper if abs(steeper) > abs(slope) else slope
    at = second - (root[1] - limit) / slope
    return float(np.clip(at, min(first, second), max(first, second)))


def _sum_of_regrets(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Of two HPs, (C, R) each, the least misfit of regrets whose sum is at least (at most) r."""
    out = np.full(first.shape, np.inf)
    for i, total in enumerate(REGRETS):
        for j in range(i + 1):
            rest = np.array([np.interp(total - REGRETS[j], REGRETS, row) for row in second])
            out[:, i] = np.minimum(out[:, i], first[:, j] + rest)
    return out


def star_of(
    targets: Mapping[str, Fit], ladders: Mapping[str, Sequence[Fit]], log2_x: Mapping[str, float]
) -> Star | None:
    """Return the star of a set; None where it lacks runs or a curve of the ladder.

    Args:
        targets: Fit of each HP at the target, through the transferred value; only its slice and
            tolerance are used.
        ladders: μP fits of each HP along the ladder.
        log2_x: log2 of the transferred values.
    """
    values, noises, n_runs = {}, [], []
    for hp, target in targets.items():
        ladder = [fit for fit in ladders[hp] if fit.ok and not fit.from_residuals]
        index = target.slice.index(log2_x[hp])
        if not ladder or index is None or not target.slice.usable[index]:
            return None
        of_hp = _values_of(target, ladder, index)
        if of_hp is None:
            return None
        values[hp] = of_hp
        noises.append(_noise(target, ladder))
        n_runs.append(int(np.isfinite(target.slice.loss[index]).sum()))
    tolerance = min(target.tolerance_loss for target in targets.values())
    df = np.array([of[1] for of in noises])
    noise_var = float(df @ np.array([of[0] for of in noises]) / df.sum()) * tolerance**2
    return Star(values=values, runs=SetRuns(min(n_runs), noise_var, tolerance), df=float(df.sum()))


def _values_of(target: Fit, ladder: Sequence[Fit], index: int) -> StarValues | None:
    slice_ = target.slice
    at = slice_.log2_x - slice_.log2_x[index]
    used = slice_.usable & (np.arange(at.size) != index)
    below, above = slice_.walls & (at < 0), slice_.walls & (at > 0)
    low, high = at[below].max(initial=-np.inf), at[above].min(initial=np.inf)
    used &= (at > low) & (at < high)
    sides = (
        (used & (at < 0)).any() or np.isfinite(low),
        (used & (at > 0)).any() or np.isfinite(high),
    )
    if not all(sides) or not used.any():
        return None
    means = mean_loss(slice_)
    return StarValues(
        log2_x=at[used],
        excess=means[used] - means[index],
        n_runs=np.isfinite(slice_.loss[used]).sum(axis=1),
        low=float(low),
        high=float(high),
        shape=ladder_shape(tuple(ladder)),
        slope_variance=_slope_variance(ladder) * target.tolerance_loss**2,
    )


def _slope_variance(ladder: Sequence[Fit]) -> float:
    """Variance of a seed's own slope, tolerances² per octave²."""
    return float(
        np.median(
            [
                (fit.tilt - 1.0)
                * fit.noise_var
                / fit.tolerance_loss**2
                / max(float(((fit.values - fit.values.mean()) ** 2).sum()), 1e-12)
                for fit in ladder
            ]
        )
    )


def _noise(target: Fit, ladder: Sequence[Fit]) -> tuple[float, float]:
    """The variance of one run at the target, tolerances², and its degrees of freedom."""
    curves = [
        (fit.tolerance_loss, fit.slice, fit.slice.loss[fit.window], fit.values) for fit in ladder
    ]
    measured = [
        (of.shared / tolerance**2, of.df, np.log2(slice_.axis_value))
        for tolerance, slice_, loss, x in curves
        if (of := noise.of_seeds(x, loss, paired=slice_.paired)).df > 0
    ]
    own = _own_noise(target.slice)
    at = np.log2(target.slice.axis_value)
    measured.append((own[0] / target.tolerance_loss**2, own[1], at))
    variance, df, doublings = (np.array(column) for column in zip(*measured, strict=True))
    return noise.predicted(variance, df, doublings, -1)


def _own_noise(slice_: Slice) -> tuple[float, float]:
    loss = slice_.loss[slice_.usable]
    if len(loss) < 2 or not (np.isfinite(loss).sum(axis=1) > 1).any():
        return 1.0, 0.0
    of_seeds = noise.of_seeds(slice_.log2_x[slice_.usable], loss, paired=slice_.paired)
    return (of_seeds.shared, of_seeds.df) if of_seeds.df > 0 else (1.0, 0.0)
