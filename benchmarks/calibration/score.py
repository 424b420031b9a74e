"""What the analysis that ships says of drawn studies, counted against the truth."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from benchmarks.calibration.draw import Case, Study
from benchmarks.calibration.shapes import Shape

from mutransfer.analysis.fit.curve import Fit, fit_slices
from mutransfer.analysis.fit.optimum import optimum
from mutransfer.analysis.transfer.drift import drift
from mutransfer.analysis.verdict.evidence import Fits
from mutransfer.analysis.verdict.hp import Word, hp_word
from mutransfer.analysis.verdict.question import Tolerance, TransferQuestion
from mutransfer.words import round_hp

# The interval of an optimum must hold a value whose true loss is so near to the least, tolerances.
NEAR = 0.1
# Excess under which no run may be called collapsed, tolerances.
FAR = 25.0
# The largest regret at which a FAIL is wrong beyond doubt, tolerances.
REGRET_OF_FAIL = 0.5


@dataclass
class Score:
    """Counts over draws: of ``tried`` cases of a name, ``hits`` were so.

    Attributes:
        hits, tried: By name: ``PASS 1 +``, ``optimum held`` and so on.
        lengths: Of the closed intervals of the optimum, octaves.
        ceiling: The highest chance of a PASS at regret 0 (`ceiling.ceiling`); None: unknown.
    """

    hits: Counter[str] = field(default_factory=Counter)
    tried: Counter[str] = field(default_factory=Counter)
    lengths: list[float] = field(default_factory=list)
    ceiling: float | None = None

    def count(self, name: str, hit: bool) -> None:
        """Count one case."""
        self.tried[name] += 1
        self.hits[name] += bool(hit)

    def add(self, other: "Score") -> None:
        """Add the counts of other draws."""
        self.hits.update(other.hits)
        self.tried.update(other.tried)
        self.lengths += other.lengths
        self.ceiling = other.ceiling


def name_of(word: Word, case: Case) -> str:
    """Return the name under which a verdict is counted."""
    return f"{word} {case[0]:g} {'+' if case[1] > 0 else '-'}"


def scored(studies: Sequence[Study]) -> Score:
    """Return what the analysis says of optima, drift and transferred values of some studies."""
    score = Score()
    for study in studies:
        fits = fits_of(study, 0)
        for fit, log2_opt, shape in zip(fits, study.optima, study.shapes, strict=True):
            _count_optimum(score, fit, log2_opt, shape, study.tolerances[0])
        if study.drift is not None:
            line = drift(fits[:-1])
            score.count("drift held", is_held(line.low, line.high, study.drift))
        _count_words(score, study, fits)
    return score


def fits_of(study: Study, i: int) -> list[Fit]:
    """Return the fits of the ladder and the target of a case, as `verdict.evidence.gather` does."""
    slices = [*study.ladder, study.targets[i]]
    tolerance = study.tolerances[i]
    return fit_slices(slices, tolerance_loss=tolerance, families=[0] * len(slices))


def _count_words(score: Score, study: Study, first: Sequence[Fit]) -> None:
    """Count the verdicts that have a bound; ``first`` are the fits of the first case."""

    @cache
    def word(case: Case) -> Word:
        i = study.cases.index(case)
        target = fits_of(study, i)[-1] if i else first[-1]
        return judged([*first[:-1], target], study.transferred[i], study.tolerances[i])

    for case in study.cases:
        regret, side = case
        at_one = (1.0, side)
        # Where a verdict at 1 says what another one cannot be, that is not asked for.
        asked = [at_one, case] if regret and study.has_common_noise else [case]
        asked = [c for c in asked if c in study.cases]
        if regret <= REGRET_OF_FAIL:
            score.count(name_of("FAIL", case), all(word(c) == "FAIL" for c in asked))
        if regret != REGRET_OF_FAIL:
            score.count(name_of("PASS", case), all(word(c) == "PASS" for c in asked))


def judged(fits: Sequence[Fit], log2_x: float, tolerance: float) -> Word:
    """Return the verdict on a transferred value; the last fit is the target's."""
    *ladder, target = fits
    widths = tuple(fit.slice.axis_value for fit in ladder)
    question = TransferQuestion(
        parameters=("lr",),
        search_at=widths[-1],
        axis_values=widths,
        target_at=target.slice.axis_value,
        base_width=widths[0],
        seeds=ladder[-1].slice.seeds,
        target_seeds=target.slice.seeds,
        spacing_log2=1.0,
        tolerance=Tolerance(kind="abs_loss", value=tolerance),
        center={"lr": 2.0**-7},
        transferred={"lr": round_hp(2.0**log2_x)},
    )
    by_width = {("mup", fit.slice.axis_value): fit for fit in ladder}
    return hp_word(Fits(hp="lr", ladder=by_width, target=target), question).word


def is_held(low: float | None, high: float | None, truth: float) -> bool:
    """Whether an interval, open where None, holds the truth."""
    return (low is None or low <= truth) and (high is None or truth <= high)


def _count_optimum(score: Score, fit: Fit, log2_opt: float, shape: Shape, tolerance: float) -> None:
    found = optimum(fit, tolerance)
    low, high = found.log2_low, found.log2_high
    score.count("optimum held", holds_optimum(low, high, log2_opt, shape))
    score.count("closed", low is not None and high is not None)
    if low is not None and high is not None:
        score.lengths.append(high - low)
    u = fit.slice.log2_x - log2_opt
    # What lies beyond a divergence is not looked at.
    first_diverged = min(u[fit.slice.diverged & (u > 0)], default=np.inf)
    if ((u >= shape.collapses_from) & (u < first_diverged)).any():
        score.count("collapsed seen", "collapsed" in found.flags)
    elif (shape(u) < FAR).all():
        score.count("collapsed wrongly", "collapsed" in found.flags)


def holds_optimum(low: float | None, high: float | None, log2_opt: float, shape: Shape) -> bool:
    """Whether an interval, open where None, holds a value within `NEAR` of the least true loss."""
    if is_held(low, high, log2_opt):
        return True
    ends = log2_opt - 8.0 if low is None else low, log2_opt + 8.0 if high is None else high
    return bool(shape(np.linspace(*ends, 65) - log2_opt).min() <= NEAR)
