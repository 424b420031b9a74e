"""The figures of one HP that the conditions of a PASS are read from."""

from dataclasses import dataclass

from mutransfer.analysis.fit.curve import Fit
from mutransfer.analysis.fit.optimum import Optimum, optimum
from mutransfer.analysis.table.axis import WORDS, at
from mutransfer.analysis.table.slice import log2_of
from mutransfer.analysis.transfer.regret import Regret, Sensitivity, regret, sensitivity
from mutransfer.analysis.verdict.evidence import Fits
from mutransfer.analysis.verdict.question import TransferQuestion
from mutransfer.words import Axis


@dataclass(frozen=True, kw_only=True, eq=False)
class HPFigures:
    """The figures from which the conditions of one HP are read."""

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
    at_target: int | None

    @property
    def one(self) -> str:
        """What the axis is called."""
        return WORDS[self.axis].one

    def at(self, place: int) -> str:
        """Return a place in words."""
        return at(self.axis, place)

    @property
    def diverged_there(self) -> bool:
        """Whether a seed of the transferred value diverged at the target."""
        return self.at_target is not None and bool(self.target.slice.diverged[self.at_target])

    @property
    def octaves_to_divergence(self) -> float | None:
        """Distance from the transferred value to the nearest diverged one, either side."""
        gaps = abs(self.target.slice.log2_x[self.target.slice.diverged] - self.log2_x)
        return float(gaps.min()) if gaps.size else None


def findings(evidence: Fits, question: TransferQuestion) -> HPFigures | None:
    """Return the figures of one HP; None without a transferred value on the log scale."""
    value = (question.transferred or {}).get(evidence.hp)
    if evidence.target is None or value is None or value <= 0:
        return None
    search = evidence.ladder["mup", question.search_at]
    search_opt, target_opt = optimum(search), optimum(evidence.target)
    tolerance = question.tolerance.in_loss(target_best=target_opt.loss, search_best=search_opt.loss)
    log2_x = log2_of(value)
    return HPFigures(
        hp=evidence.hp,
        axis=question.axis,
        search=search,
        search_opt=optimum(search, tolerance),
        target=evidence.target,
        target_opt=optimum(evidence.target, tolerance),
        log2_x=log2_x,
        tolerance_loss=tolerance,
        regret=regret(evidence.target, log2_x, level=question.level),
        sensitivity=None if tolerance is None else sensitivity(evidence.target, tolerance),
        at_target=evidence.target.slice.index(log2_x),
    )
