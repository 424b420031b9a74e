"""The figures of one HP on which the conditions of a PASS are evaluated."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from mutransfer.analysis.fit.curve import Fit
from mutransfer.analysis.fit.optimum import Optimum, optimum
from mutransfer.analysis.table.axis import AXIS_LABELS, axis_value_text
from mutransfer.analysis.table.slice import log2_of
from mutransfer.analysis.transfer.regret import Regret, Sensitivity, regret, sensitivity
from mutransfer.analysis.transfer.star import regret_of_star
from mutransfer.analysis.verdict.evidence import Fits
from mutransfer.analysis.verdict.question import TransferQuestion
from mutransfer.words import Axis

# Distance to the nearest diverged value that a transferred value needs, octaves.
OCTAVES_TO_DIVERGENCE = 0.5
# A parabola passes through any three values: with three, no residual is left to check it by.
MIN_TARGET_VALUES = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class HPFigures:
    """The figures on which the conditions of one HP are evaluated.

    Attributes:
        hp: The HP.
        axis: Axis along which transfer is judged.
        search: Fit at the search, and ``search_opt``, its optimum.
        target: Fit at the target, and ``target_opt``, its optimum.
        log2_x: log2 of the transferred value.
        tolerance_loss: The tolerance as a loss; None if it cannot be computed.
        regret: Regret of the transferred value at the target; None off the curve.
        sensitivity: Whether some value is shown to be worse by more than the tolerance; None
            without a tolerance.
        n_missing: Requested runs near the optima of search and target without a result; 0 for a
            table from elsewhere, which holds what was run.
        target_index: Index of the transferred value in the target slice; None if it was not run.
        star: The target was checked by a star: it has no optimum of its own, the shape of its
            curve is that of the ladder.
        misfits: No shape fits the target well: a large regret is no FAIL.
    """

    hp: str
    axis: Axis
    search: Fit
    search_opt: Optimum
    target: Fit
    target_opt: Optimum
    log2_x: float
    tolerance_loss: float | None
    regret: Regret | None
    sensitivity: Sensitivity | None
    n_missing: int
    target_index: int | None
    star: bool
    misfits: bool

    @property
    def curves(self) -> tuple[tuple[Fit, Optimum], ...]:
        """The fits that must have a curve of their own, with their optima."""
        search, target = (self.search, self.search_opt), (self.target, self.target_opt)
        return (search,) if self.star else (search, target)

    @property
    def axis_name(self) -> str:
        """The axis in words: width, batch size, number of steps, depth."""
        return AXIS_LABELS[self.axis].singular

    def at(self, axis_value: int) -> str:
        """Return an axis value in words: width 128, 300 steps."""
        return axis_value_text(self.axis, axis_value)

    @property
    def failed_at_target(self) -> Literal["diverged", "collapsed"] | None:
        """How a run of the transferred value failed at the target, if one did."""
        slice_, index = self.target.slice, self.target_index
        if index is None or not slice_.walls[index]:
            return None
        return "diverged" if slice_.diverged[index] else "collapsed"

    @property
    def octaves_to_divergence(self) -> float | None:
        """Distance from the transferred value to the nearest diverged one on either side."""
        gaps = abs(self.target.slice.log2_x[self.target.slice.diverged] - self.log2_x)
        return float(gaps.min()) if gaps.size else None

    @property
    def is_near_divergence(self) -> bool:
        """Whether a value diverged within `OCTAVES_TO_DIVERGENCE` of the transferred one."""
        gap = self.octaves_to_divergence
        return gap is not None and gap < OCTAVES_TO_DIVERGENCE - 1e-4


def hp_figures(fits: Fits, question: TransferQuestion) -> HPFigures | None:
    """Return the figures of one HP; None without a transferred value on the log scale."""
    value = question.transferred_value(fits.hp)
    if fits.target is None or value is None:
        return None
    search = fits.ladder[question.arm, question.search_at]
    tolerance = question.tolerance.in_loss(
        target_best=optimum(fits.target).loss, search_best=optimum(search).loss
    )
    log2_x = log2_of(value)
    star = question.check == "star"
    if star:
        of_star = None if fits.star is None else fits.star.bound(1 - question.confidence, fits.hp)
        excess = None if of_star is None else regret_of_star(of_star, log2_x, question.confidence)
        misfits = of_star is not None and not of_star.fits
    else:
        excess = regret(fits.target, log2_x, confidence=question.confidence)
        misfits = fits.target.ok and fits.target.scale > 1
    return HPFigures(
        hp=fits.hp,
        axis=question.axis,
        search=search,
        search_opt=optimum(search, tolerance),
        target=fits.target,
        target_opt=optimum(fits.target, tolerance),
        log2_x=log2_x,
        tolerance_loss=tolerance,
        regret=excess,
        sensitivity=None
        if tolerance is None
        else sensitivity(search if star else fits.target, tolerance),
        n_missing=0 if question.external else search.n_missing + _n_missing(fits.target, star),
        target_index=fits.target.slice.index(log2_x),
        star=star,
        misfits=misfits,
    )


def _n_missing(target: Fit, star: bool) -> int:
    """Runs at the target without a result; not all values of a star have all seeds."""
    slice_ = target.slice
    if not star:
        return target.n_missing
    return int((~np.isfinite(slice_.loss).any(axis=1) & ~slice_.diverged).sum())
