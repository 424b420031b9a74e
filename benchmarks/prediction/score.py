"""Ladders judged by the code that ships, counted."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from benchmarks.prediction.ladders import BEYOND, Ladder

from mutransfer.analysis.fit.curve import fit_slices
from mutransfer.analysis.transfer.prediction import predict
from mutransfer.analysis.transfer.profiled import profiled_optimum

# True regrets, in tolerances, from which a PREDICTED is wrong.
WRONG_FROM = 1.0


@dataclass
class Score:
    """Counts of ladders, for one number of doublings beyond them.

    Attributes:
        ladders: All that were drawn.
        with_bound: Those with a bound, PREDICTED or not; ``held``: whose bound holds.
        optimum: Those with an interval of the optimum; ``optimum_held``: that holds.
        predicted: PREDICTED; ``wrong``: of these with a larger regret than the tolerance.
        good: Those whose true regret is under the tolerance.
        refused: Refused since the ladder does not predict its own largest width.
        lengths: Lengths of the intervals, octaves.
    """

    ladders: int = 0
    with_bound: int = 0
    held: int = 0
    optimum: int = 0
    optimum_held: int = 0
    predicted: int = 0
    wrong: int = 0
    good: int = 0
    refused: int = 0
    lengths: list[float] = field(default_factory=list)

    def add(self, other: "Score") -> None:
        """Add the counts of another."""
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)


def scored(ladders: Iterable[Ladder]) -> dict[int, Score]:
    """Return the counts by doublings; the set is tuned at the narrowest width with an optimum."""
    scores = {d: Score() for d in BEYOND}
    for ladder in ladders:
        fits = fit_slices(
            ladder.slices, tolerance_loss=ladder.tolerances, families=[0] * len(ladder.slices)
        )
        found = [o for fit in fits if (o := profiled_optimum(fit)) is not None]
        for i, doublings in enumerate(BEYOND):
            score = scores[doublings]
            score.ladders += 1
            if not found:
                continue
            log2_x = found[0].log2_opt
            regret = float(ladder.curves[i](np.array([log2_x - ladder.optima[i]]))[0])
            score.good += regret < WRONG_FROM
            at = ladder.slices[-1].axis_value * 2**doublings
            said = predict(fits, at, log2_x, tolerance_loss=ladder.tolerances[-1])
            if said is None:
                continue
            score.optimum += 1
            score.optimum_held += said.log2_low <= ladder.optima[i] <= said.log2_high
            score.lengths.append(said.log2_high - said.log2_low)
            score.refused += any("misses" in reason for reason in said.reasons)
            score.predicted += said.holds
            score.wrong += said.holds and regret > WRONG_FROM
            if said.regret_upper is not None:
                score.with_bound += 1
                score.held += said.regret_upper >= regret * ladder.tolerances[-1]
    return scores
