"""A short version of `python -m benchmarks.calibration`; its numbers are in benchmarks/results."""

from collections import Counter

import numpy as np
import pytest

from benchmarks.calibration import score
from benchmarks.calibration.rivals import RIVALS
from benchmarks.calibration.settings import BRACKETED, CENSORED, FLAT, VERDICTS

BY_NAME = {s.name: s for s in BRACKETED}
# 30 draws of 4 widths: the standard error of a coverage of 0.95 is 0.02.
N_DRAWS = 30


@pytest.mark.parametrize("name", ["default design", "digits-dit-full, cliff"])
def test_intervals_hold_and_are_short(name: str) -> None:
    found = score.summary(score.intervals(BY_NAME[name], range(N_DRAWS)))
    assert found["coverage"] >= 0.9
    assert found["drift_coverage"] >= 0.85
    assert found["regret_zero"] >= 0.95
    assert found["length"] <= 1.5


@pytest.mark.parametrize("case", CENSORED, ids=lambda case: case.setting.name)
def test_optima_outside_are_flagged_and_inside_are_not(case) -> None:
    flagged = np.mean(score.flags(case.setting, range(N_DRAWS)))
    assert flagged >= 0.95 if case.flagged else flagged <= 0.05


@pytest.mark.parametrize("name", ["default design", "digits-dit-full, cliff"])
def test_wrong_passes_are_rare_and_right_ones_common(name: str) -> None:
    for trial in (t for t in VERDICTS if t.setting.name == name):
        words = Counter(score.words(trial, range(N_DRAWS)))
        # 6 or more of 30 at a true rate of 5 % have a probability under 1 %.
        assert words["PASS"] >= 0.8 * N_DRAWS if trial.passes else words["PASS"] <= 5


@pytest.mark.parametrize("setting", FLAT, ids=lambda s: s.name)
def test_nothing_to_find_never_passes(setting) -> None:
    assert "PASS" not in score.flat_words(setting, range(N_DRAWS))


def test_a_bootstrap_over_two_seeds_covers_half_the_time() -> None:
    setting = BY_NAME["2 seeds, 5 points, 3 widths"]
    found = score.rival_intervals(setting, range(2 * N_DRAWS))
    rate = {name: np.mean([f[name][0] for f in found]) for name in ("ours", *RIVALS)}
    assert rate["ours"] >= 0.9
    assert rate["bootstrap over seeds (control)"] <= 0.7
