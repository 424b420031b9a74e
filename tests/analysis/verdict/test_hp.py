"""The verdict on one HP against planted truth: a wrong PASS is the worst error."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mutransfer.analysis.verdict.hp import judge_hp
from mutransfer.analysis.verdict.judge import judge
from mutransfer.words import round_hp
from tests.analysis import planted
from tests.analysis.planted import Law
from tests.analysis.verdict.tables import TOLERANCE, codes, lr_question

N_DRAWS = 120
N_PASS_LIMIT = int(stats.binom.ppf(0.99, N_DRAWS, 0.05))


def words(law: Law, n: int) -> list[str]:
    """Words of the verdicts on lr in ``n`` studies under a law."""
    return [judge_hp(planted.evidence(law, seed=s), lr_question()).word for s in range(n)]


@pytest.mark.slow
# 120 draws at a true rate of 5 % have more than N_PASS_LIMIT with a probability under 1 %.
@pytest.mark.parametrize("noise_sd", [0.0005, 0.004])
@pytest.mark.parametrize("curve", [planted.parabola, planted.mild_cubic])
def test_a_regret_at_the_tolerance_passes_in_at_most_five_percent(
    noise_sd: float, curve: object
) -> None:
    u = np.linspace(0, 3, 3001)
    shift = -float(u[np.searchsorted(0.01 * curve(u), TOLERANCE)])
    law = Law(curve=curve, target_shift=shift, noise_sd=noise_sd)
    assert words(law, N_DRAWS).count("PASS") <= N_PASS_LIMIT


def test_no_regret_and_little_noise_passes_mostly() -> None:
    assert words(Law(noise_sd=0.001), 10).count("PASS") >= 9


def test_a_large_regret_fails_and_never_passes() -> None:
    drawn = words(Law(target_shift=-1.5, noise_sd=0.001), 6)
    assert set(drawn) == {"FAIL"}


@pytest.mark.parametrize("noise_sd", [1e-5, 0.02])
def test_a_flat_curve_never_passes(noise_sd: float) -> None:
    drawn = words(Law(lr_curvature=0.0, noise_sd=noise_sd), 2)
    assert "PASS" not in drawn


def test_noise_above_the_tolerance_is_inconclusive() -> None:
    assert words(Law(noise_sd=0.1), 4).count("INCONCLUSIVE") >= 3


def test_a_value_that_has_no_logarithm_is_inconclusive(study: pd.DataFrame) -> None:
    carried = {"lr": round_hp(2.0**-8.3), "init_std": 0.0}
    judged = judge(study, planted.question(transferred=carried))
    assert judged.verdict == "INCONCLUSIVE"
    assert "not_on_log_scale" in codes(judged)
