"""Simulated studies: their slices, and their words with the runs at the target that these took."""

import dataclasses
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mutransfer.analysis.fit.curve import Fit, fit_slices
from mutransfer.analysis.power.assumption import Assumption, Curve, place
from mutransfer.analysis.power.design import Design, SliceDesign
from mutransfer.analysis.table.slice import LOG2_DECIMALS, Slice, bracket
from mutransfer.analysis.transfer.star_design import star_looks, star_offsets
from mutransfer.analysis.verdict.evidence import Fits, with_star
from mutransfer.analysis.verdict.hp import Word, hp_word
from mutransfer.analysis.verdict.question import Tolerance, TransferQuestion
from mutransfer.analysis.verdict.set_verdict import judge_set

# Where the neighbours stand if the ladder shows no minimum, octaves, as in `sweep.plan.star`.
UNKNOWN_OFFSETS = (1.0, 1.0)
# Of the offset of a neighbour, at the values of a star, and its seeds.
SHARES = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
STAR_SEEDS = 2


class Outcome(NamedTuple):
    """The word on a simulated study, and the runs at the target that it took."""

    word: Word
    target_runs: int


class _Study:
    """One simulated study; its best loss is 1.

    Attributes:
        optima: (H,) log2 of the optimum of each HP, at all axis values.
        values: (H,) log2 of the transferred value.
        others: What the other HPs cost at the transferred set.
    """

    def __init__(
        self,
        design: Design,
        assumption: Assumption,
        curve: Curve,
        rng: np.random.Generator,
        regret: float,
    ) -> None:
        self.design, self.assumption, self.curve, self.rng = design, assumption, curve, rng
        offset = rng.uniform(-0.5, 0.5, design.n_hps) * design.spacing_log2
        self.optima = np.round(offset, LOG2_DECIMALS)
        each = regret * design.tolerance_rel / design.n_hps
        off = place(curve, each / assumption.gain_rel)
        self.values = np.round(self.optima + off, LOG2_DECIMALS)
        self.others = (design.n_hps - 1) * each

    def ladder(self, k: int) -> list[Slice]:
        """Return the slices of HP ``k`` along the ladder."""
        return [self.slice(k, at, self.design.slice_at(at), 0.0) for at in self.design.axis_values]

    def slice(self, k: int, at: int, size: SliceDesign, others: float) -> Slice:
        """Return a slice of HP ``k``, extended and refined as `sweep.plan.slices` does.

        Args:
            k: Number of the HP.
            at: Axis value.
            size: Its values before it is extended.
            others: What the other HPs cost.
        """
        design, (points, step, seeds) = self.design, size
        first, last = -((points - 1) // 2), points // 2
        least, most = first - design.max_extend, last + design.max_extend
        slice_ = self._with_values(
            _empty(k, at, seeds), k, np.arange(first, last + 1) * step, others
        )
        while True:
            sides = bracket(slice_)
            left, right = sides.wants_left and first > least, sides.wants_right and last < most
            if not (left or right):
                break
            first, last = first - left, last + right
            slice_ = self._with_values(slice_, k, np.array([first, last]) * step, others)
        if design.refine and sides.best is not None:
            near = slice_.log2_x[sides.best] + step / 2 * np.array([-1.0, 1.0])
            inside = (near > slice_.log2_x[0]) & (near < slice_.log2_x[-1])
            slice_ = self._with_values(slice_, k, near[inside], others)
        return slice_

    def _with_values(self, slice_: Slice, k: int, x: np.ndarray, others: float) -> Slice:
        for value in x:
            means = self.means(k, value, others)
            slice_ = joined(slice_, float(value), means + self.noise(len(slice_.seeds)))
        return slice_

    def means(self, k: int, log2_x: float, others: float) -> float:
        """Return the mean loss of a value of HP ``k``."""
        off = np.array([log2_x - self.optima[k]])
        return float(1 + others + self.assumption.gain_rel * self.curve(off)[0])

    def noise(self, seeds: int) -> np.ndarray:
        """Return the noise of the runs of one value, (1, S)."""
        return self.assumption.noise_rel * self.rng.normal(size=(1, seeds))


def hp_name(k: int) -> str:
    """Return the name of a simulated HP."""
    return f"hp {k + 1}"


def joined(slice_: Slice, log2_x: float, loss: np.ndarray) -> Slice:
    """Return the slice with one more value, loss (1, S); of one that it has the runs stay."""
    if slice_.index(log2_x) is not None:
        return slice_
    x = np.append(slice_.log2_x, log2_x)
    order = np.argsort(x)
    return dataclasses.replace(
        slice_,
        log2_x=x[order],
        loss=np.vstack([slice_.loss, loss])[order],
        diverged=np.zeros(x.size, dtype=bool),
    )


def _empty(k: int, at: int, seeds: int) -> Slice:
    """A slice of HP ``k`` without values."""
    return Slice(
        hp=hp_name(k),
        arm="mup",
        axis_value=at,
        log2_x=np.zeros(0),
        loss=np.zeros((0, seeds)),
        seeds=tuple(range(1, seeds + 1)),
        diverged=np.zeros(0, dtype=bool),
        fixed={},
    )


def simulated(
    design: Design,
    assumption: Assumption,
    curve: Curve,
    rng: np.random.Generator,
    regret: float,
) -> tuple[dict[str, Fits], TransferQuestion]:
    """Return the fits of a simulated study with slices at the target, and its question.

    Args:
        design: What is run.
        assumption: Noise and gain.
        curve: The curve of every HP.
        rng: Source of all that is random.
        regret: True regret of the transferred set, tolerances, shared equally by the HPs.
    """
    study = _Study(design, assumption, curve, rng, regret)
    own = study.noise(design.target_seeds)  # the set's runs belong to the slices of all HPs
    fits = {}
    for k, value in enumerate(study.values):
        ladder = study.ladder(k)
        size = SliceDesign(design.target_points, design.spacing_log2, design.target_seeds)
        target = study.slice(k, design.target_at, size, study.others)
        target = joined(target, float(value), study.means(k, value, study.others) + own)
        fits[hp_name(k)] = _fits(k, _fitted(design, [*ladder, target]))
    return fits, _question(design, study.values, design.target_seeds)


def _fitted(design: Design, slices: list[Slice]) -> list[Fit]:
    return fit_slices(slices, tolerance_loss=design.tolerance_rel, families=[0] * len(slices))


def _fits(k: int, fitted: Sequence[Fit]) -> Fits:
    """The fits of an HP, the last of them at the target."""
    *on_ladder, at_target = fitted
    by_axis = {("mup", f.slice.axis_value): f for f in on_ladder}
    return Fits(hp=hp_name(k), ladder=by_axis, target=at_target)


def outcome(
    design: Design, assumption: Assumption, curve: Curve, rng: np.random.Generator, regret: float
) -> Outcome:
    """Return the word on a simulated study, judged as it ships; see `simulated`."""
    if design.check == "star":
        return _outcome_of_star(design, _Study(design, assumption, curve, rng, regret))
    fits, question = simulated(design, assumption, curve, rng, regret)
    n_values = sum(f.target.slice.log2_x.size - 1 for f in fits.values() if f.target)
    return Outcome(_word(fits, question), (1 + n_values) * design.target_seeds)


def _word(fits: dict[str, Fits], question: TransferQuestion) -> Word:
    return judge_set([hp_word(of_hp, question) for of_hp in fits.values()], fits, question).word


def _outcome_of_star(design: Design, study: _Study) -> Outcome:
    """The word at the last look of a star, whose batches are those of `sweep.plan.star`."""
    ladder_fits = [_fitted(design, study.ladder(k)) for k in range(design.n_hps)]
    own = study.noise(STAR_SEEDS)
    stars = [_star(study, k, of_hp, own) for k, of_hp in enumerate(ladder_fits)]
    has_run = np.zeros((SHARES.size, STAR_SEEDS), dtype=bool)
    word: Word = "INCONCLUSIVE"
    for n_interim, look in enumerate(star_looks(itertools.chain(*ladder_fits))[: design.max_looks]):
        has_run[np.isin(SHARES, look.shares), look.seed - 1] = True
        fits = {}
        for k, ladder in enumerate(ladder_fits):  # which say all of the noise that a star needs
            (target,) = _fitted(design, [_part(stars[k], has_run)])
            fits[hp_name(k)] = _fits(k, [*ladder, target])
        n_seeds = int(has_run.any(axis=0).sum())
        question = _question(design, study.values, n_seeds, n_interim)
        word = _word(with_star(fits, question), question)
        if word != "INCONCLUSIVE":
            break
    n_runs = has_run.sum(axis=1)
    others = int(n_runs[SHARES != 0].sum())
    return Outcome(word, int(n_runs[SHARES == 0].sum()) + design.n_hps * others)


def _star(study: _Study, k: int, ladder: Sequence[Fit], own: np.ndarray) -> Slice:
    """All values of HP ``k`` about the transferred one, with all seeds."""
    below, above = star_offsets(ladder) or UNKNOWN_OFFSETS
    offsets = np.where(SHARES < 0, below, above) * SHARES
    x = np.round(study.values[k] + offsets, LOG2_DECIMALS)
    noise = [own if share == 0 else study.noise(STAR_SEEDS) for share in SHARES]
    means = np.array([[study.means(k, at, study.others)] for at in x])
    return dataclasses.replace(
        _empty(k, study.design.target_at, STAR_SEEDS),
        log2_x=x,
        loss=means + np.vstack(noise),
        diverged=np.zeros(x.size, dtype=bool),
    )


def _part(slice_: Slice, has_run: np.ndarray) -> Slice:
    """The runs of a slice that have been made, (P, S)."""
    values, seeds = has_run.any(axis=1), has_run.any(axis=0)
    loss = np.where(has_run, slice_.loss, np.nan)
    return dataclasses.replace(
        slice_,
        log2_x=slice_.log2_x[values],
        loss=loss[values][:, seeds],
        seeds=tuple(np.array(slice_.seeds)[seeds].tolist()),
        diverged=slice_.diverged[values],
    )


def _question(
    design: Design, log2_values: np.ndarray, seeds: int, n_interim: int = 0
) -> TransferQuestion:
    transferred = {hp_name(k): float(2.0**value) for k, value in enumerate(log2_values)}
    return TransferQuestion(
        parameters=tuple(transferred),
        search_at=design.search_at,
        axis_values=design.axis_values,
        target_at=design.target_at,
        base_width=design.search_at,
        seeds=tuple(range(1, design.seeds + 1)),
        target_seeds=tuple(range(1, seeds + 1)),
        spacing_log2=design.spacing_log2,
        tolerance=Tolerance(kind="abs_loss", value=design.tolerance_rel),
        center=dict.fromkeys(transferred, 1.0),
        transferred=transferred,
        n_interim=n_interim,
        check=design.check,
        max_looks=design.max_looks or 3,
    )
