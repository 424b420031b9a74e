"""The chance of PASS and FAIL of a design: simulated studies, judged by the verdict that ships."""

import dataclasses
from dataclasses import dataclass

import numpy as np

from mutransfer.analysis.fit.curve import fit_slices
from mutransfer.analysis.power.assumption import CURVES, Assumption, Curve, place
from mutransfer.analysis.power.design import Design
from mutransfer.analysis.table.slice import LOG2_DECIMALS, Slice, bracket
from mutransfer.analysis.verdict.evidence import Fits
from mutransfer.analysis.verdict.hp import Word, hp_word
from mutransfer.analysis.verdict.question import Tolerance, TransferQuestion
from mutransfer.analysis.verdict.set_verdict import judge_set

# True regrets of the set, tolerances, and the word that is counted at each.
REGRETS: tuple[tuple[float, Word], ...] = ((0.0, "PASS"), (0.5, "PASS"), (2.0, "FAIL"))
# Each of `assumption.CURVES` is drawn as often; the standard error of a share is at most 9 %.
N_DRAWS = 30
# After so many studies without one of these words a design is hopeless, which is all one needs.
FEW_DRAWS = 9


@dataclass(frozen=True, kw_only=True)
class Power:
    """Chances of the verdict of a design.

    Attributes:
        pass_at_0, pass_at_half: Chance of a PASS where the true regret of the transferred set is
            0, and half the tolerance.
        fail_at_2: Chance of a FAIL where it is twice the tolerance.
        noise_rel, gain_rel, source: The `Assumption`.
        n_draws: Number of simulated studies: fewer than asked where none gave these words.
    """

    pass_at_0: float
    pass_at_half: float
    fail_at_2: float
    noise_rel: float
    gain_rel: float
    source: str
    n_draws: int


def power(
    design: Design, assumption: Assumption, *, n_draws: int = N_DRAWS, seed: int = 0
) -> Power:
    """Return the chances of the verdict of a design.

    The optima lie at the same place at all axis values, at random between the lattice's values;
    the transferred set is off the optimum of each HP by an equal share of the regret. HPs add up.
    Noise is normal and the same at all axis values.
    """
    counts = np.zeros(len(REGRETS))
    n = 0
    while n < n_draws and (n < FEW_DRAWS or counts.any()):
        for i, (regret, word) in enumerate(REGRETS):
            rng = np.random.default_rng((seed, n))
            curve = CURVES[n % len(CURVES)]
            fits, question = simulated(design, assumption, curve, rng, regret)
            entries = [hp_word(of_hp, question) for of_hp in fits.values()]
            counts[i] += judge_set(entries, fits, question).word == word
        n += 1
    shares = counts / n
    return Power(
        pass_at_0=float(shares[0]),
        pass_at_half=float(shares[1]),
        fail_at_2=float(shares[2]),
        noise_rel=assumption.noise_rel,
        gain_rel=assumption.gain_rel,
        source=assumption.source,
        n_draws=n,
    )


class _Study:
    """The slices of one simulated study; its best loss is 1."""

    def __init__(
        self, design: Design, assumption: Assumption, curve: Curve, rng: np.random.Generator
    ) -> None:
        self.design, self.assumption, self.curve, self.rng = design, assumption, curve, rng
        offset = rng.uniform(-0.5, 0.5, design.n_hps) * design.spacing_log2
        self.optima = np.round(offset, LOG2_DECIMALS)

    def slice(self, k: int, at: int, points: int, seeds: int, others: float) -> Slice:
        """Return a slice of HP ``k``, extended and refined as `sweep.plan.slices` does.

        Args:
            k: Number of the HP.
            at: Axis value.
            points: Values before it is extended.
            seeds: Seeds of each.
            others: What the other HPs cost.
        """
        design, step = self.design, self.design.spacing_log2
        first, last = -((points - 1) // 2), points // 2
        least, most = first - design.max_extend, last + design.max_extend
        slice_ = Slice(
            hp=hp_name(k),
            arm="mup",
            axis_value=at,
            log2_x=np.zeros(0),
            loss=np.zeros((0, seeds)),
            seeds=tuple(range(1, seeds + 1)),
            diverged=np.zeros(0, dtype=bool),
            fixed={},
        )
        slice_ = self._with_values(slice_, k, np.arange(first, last + 1) * step, others)
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


def simulated(
    design: Design,
    assumption: Assumption,
    curve: Curve,
    rng: np.random.Generator,
    regret: float,
) -> tuple[dict[str, Fits], TransferQuestion]:
    """Return the fits of a simulated study and its question.

    Args:
        design: What is run.
        assumption: Noise and gain.
        curve: The curve of every HP.
        rng: Source of all that is random.
        regret: True regret of the transferred set, tolerances, shared equally by the HPs.
    """
    study = _Study(design, assumption, curve, rng)
    each = regret * design.tolerance_rel / design.n_hps
    off = place(curve, each / assumption.gain_rel)
    values = np.round(study.optima + off, LOG2_DECIMALS)
    others = (design.n_hps - 1) * each
    own = study.noise(design.target_seeds)  # the set's runs belong to the slices of all HPs
    fits = {}
    for k, value in enumerate(values):
        ladder = [study.slice(k, at, design.points, design.seeds, 0.0) for at in design.axis_values]
        target = study.slice(k, design.target_at, design.target_points, design.target_seeds, others)
        target = joined(target, float(value), study.means(k, value, others) + own)
        *on_ladder, at_target = fit_slices(
            [*ladder, target],
            tolerance_loss=design.tolerance_rel,
            families=[0] * (len(ladder) + 1),
        )
        by_axis = {("mup", f.slice.axis_value): f for f in on_ladder}
        fits[hp_name(k)] = Fits(hp=hp_name(k), ladder=by_axis, target=at_target)
    return fits, _question(design, dict(zip(fits, 2.0**values, strict=True)))


def _question(design: Design, transferred: dict[str, float]) -> TransferQuestion:
    return TransferQuestion(
        parameters=tuple(transferred),
        search_at=design.search_at,
        axis_values=design.axis_values,
        target_at=design.target_at,
        base_width=design.search_at,
        seeds=tuple(range(1, design.seeds + 1)),
        target_seeds=tuple(range(1, design.target_seeds + 1)),
        spacing_log2=design.spacing_log2,
        tolerance=Tolerance(kind="abs_loss", value=design.tolerance_rel),
        center=dict.fromkeys(transferred, 1.0),
        transferred={hp: float(value) for hp, value in transferred.items()},
    )
