"""The chance of PASS and FAIL of a design: simulated studies, judged by the verdict that ships."""

from dataclasses import dataclass

import numpy as np

from mutransfer.analysis.power.assumption import CURVES, Assumption
from mutransfer.analysis.power.design import Check, Design
from mutransfer.analysis.power.simulated import outcome
from mutransfer.analysis.verdict.hp import Word

# True regrets of the set, tolerances, and the word that is counted at each.
REGRETS: tuple[tuple[float, Word], ...] = ((0.0, "PASS"), (0.5, "PASS"), (2.0, "FAIL"))
# Each of `assumption.CURVES` is drawn as often; the standard error of a share is at most 9 %, of a
# star's, whose verdict takes ten times as long, 14 %.
N_DRAWS: dict[Check, int] = {"slices": 30, "star": 12}
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
        target_runs: Mean number of runs at the target of the studies that PASS at a regret of 0;
            None where none does.
    """

    pass_at_0: float
    pass_at_half: float
    fail_at_2: float
    noise_rel: float
    gain_rel: float
    source: str
    n_draws: int
    target_runs: float | None = None


def power(
    design: Design, assumption: Assumption, *, n_draws: int | None = None, seed: int = 0
) -> Power:
    """Return the chances of the verdict of a design.

    The optima lie at the same place at all axis values, at random between the lattice's values;
    the transferred set is off the optimum of each HP by an equal share of the regret. HPs add up.
    Noise is normal and the same at all axis values.

    Args:
        design: What is run.
        assumption: Noise and gain.
        n_draws: Number of studies at each regret; None: `N_DRAWS`.
        seed: Of all that is random.
    """
    n_draws = N_DRAWS[design.check] if n_draws is None else n_draws
    counts = np.zeros(len(REGRETS))
    runs_of_pass = []
    n = 0
    while n < n_draws and (n < FEW_DRAWS or counts.any()):
        for i, (regret, word) in enumerate(REGRETS):
            rng = np.random.default_rng((seed, n))
            curve = CURVES[n % len(CURVES)]
            found = outcome(design, assumption, curve, rng, regret)
            counts[i] += found.word == word
            if regret == 0 and found.word == "PASS":
                runs_of_pass.append(found.target_runs)
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
        target_runs=float(np.mean(runs_of_pass)) if runs_of_pass else None,
    )
