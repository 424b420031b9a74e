"""A short version of `python -m benchmarks.calibration`; benchmarks/results has its numbers."""

from collections import Counter

import numpy as np
import pytest
from benchmarks.calibration import score, settling
from benchmarks.calibration.rivals import RIVALS
from benchmarks.calibration.settings import BRACKETED, CENSORED, FLAT, SETTLED, VERDICTS

BY_NAME = {s.name: s for s in BRACKETED}
# 30 draws of 4 widths: the standard error of a coverage of 0.95 is 0.02.
N_DRAWS = 30


@pytest.mark.parametrize(
    "name", ["default design", "digits-dit-full, cliff", "noise halves, 2 seeds"]
)
def test_intervals_cover_and_are_short(name: str) -> None:
    summary = score.summary(score.intervals(BY_NAME[name], range(N_DRAWS)))
    assert summary["coverage"] >= 0.9
    assert summary["drift_coverage"] >= 0.85
    assert summary["regret_zero"] >= 0.95
    assert summary["length"] <= 1.5


@pytest.mark.parametrize("case", CENSORED, ids=lambda case: case.setting.name)
def test_optima_outside_are_flagged_and_inside_are_not(case) -> None:
    flagged = np.mean(score.flags(case.setting, range(N_DRAWS)))
    assert flagged >= 0.95 if case.flagged else flagged <= 0.05


@pytest.mark.parametrize("name", ["default design", "digits-dit-full, cliff"])
def test_wrong_passes_are_rare_and_correct_ones_common(name: str) -> None:
    for case in (t for t in VERDICTS if t.setting.name == name):
        words = Counter(score.verdict_words(case, range(N_DRAWS)))
        # 6 or more of 30 at a true rate of 5 % have a probability under 1 %.
        assert words["PASS"] >= 0.8 * N_DRAWS if case.passes else words["PASS"] <= 5


def test_a_kink_at_the_optimum_passes_wrongly_only_if_the_bound_allows_no_kink(monkeypatch) -> None:
    case = next(t for t in VERDICTS if t.setting.name.startswith("kink at") and t.side < 0)
    words = Counter(score.verdict_words(case, range(N_DRAWS)))
    assert words["PASS"] <= 5
    monkeypatch.setattr("mutransfer.analysis.fit.curve.JUMP_SD", 1e-3)
    assert Counter(score.verdict_words(case, range(N_DRAWS)))["PASS"] >= 7


def test_interim_analyses_bring_correct_passes_and_few_wrong_ones() -> None:
    wrong, right = SETTLED[0], SETTLED[-1]
    verdicts = settling.verdict_words(wrong, True, range(N_DRAWS // 2))
    assert sum(w[-1] == "PASS" for w in verdicts) <= 3
    verdicts = settling.verdict_words(right, True, range(N_DRAWS // 2))
    first, last = (sum(w[k] == "PASS" for w in verdicts) for k in (0, -1))
    assert last > first


@pytest.mark.parametrize("setting", FLAT, ids=lambda s: s.name)
def test_without_an_optimum_nothing_passes(setting) -> None:
    assert "PASS" not in score.flat_words(setting, range(N_DRAWS))


def test_a_bootstrap_over_two_seeds_covers_half_the_time() -> None:
    setting = BY_NAME["2 seeds, 5 points, 3 widths"]
    draws = score.rival_intervals(setting, range(2 * N_DRAWS))
    rate = {name: np.mean([f[name][0] for f in draws]) for name in ("ours", *RIVALS)}
    assert rate["ours"] >= 0.9
    assert rate["bootstrap over seeds (control)"] <= 0.7
