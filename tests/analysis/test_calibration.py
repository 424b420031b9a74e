"""A short version of `python -m benchmarks.calibration`; its numbers are in benchmarks/results."""

from collections import Counter

import numpy as np
import pytest
from benchmarks.calibration import score, settling
from benchmarks.calibration.rivals import RIVALS
from benchmarks.calibration.settings import BRACKETED, CENSORED, FLAT, SETTLED, VERDICTS

from mutransfer.analysis.fit.curve import fits

BY_NAME = {s.name: s for s in BRACKETED}
# 30 draws of 4 widths: the standard error of a coverage of 0.95 is 0.02.
N_DRAWS = 30


@pytest.mark.parametrize(
    "name", ["default design", "digits-dit-full, cliff", "noise halves, 2 seeds"]
)
def test_intervals_hold_and_are_short(name: str) -> None:
    found = score.summary(score.intervals(BY_NAME[name], range(N_DRAWS)))
    assert found["coverage"] >= 0.9
    assert found["drift_coverage"] >= 0.85
    assert found["regret_zero"] >= 0.95
    assert found["length"] <= 1.5


def share_cut(name: str, *, together: bool) -> float:
    """Share of the curves of ladders that have a cliff on the right, fitted together or alone."""
    setting = BY_NAME[name]
    ladders = [score.ladder(setting, np.random.default_rng(k))[1] for k in range(N_DRAWS)]
    families = [k for k, ladder in enumerate(ladders) for _ in ladder]
    slices = [s for ladder in ladders for s in ladder]
    found = fits(slices, families=families if together else None)
    return float(np.mean([f.barrier_right is not None for f in found]))


def test_cliffs_of_half_a_family_make_those_of_the_others_likely() -> None:
    name = "noisy cliff, 2 seeds"
    assert share_cut(name, together=False) < 0.9
    assert share_cut(name, together=True) > 0.93
    assert share_cut("2 seeds, asymmetry 0.5", together=True) < 0.1


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


def test_a_kink_at_the_optimum_passes_wrongly_only_where_nobody_doubts(monkeypatch) -> None:
    trial = next(t for t in VERDICTS if t.setting.name.startswith("kink at") and t.side < 0)
    words = Counter(score.words(trial, range(N_DRAWS)))
    assert words["PASS"] <= 5
    monkeypatch.setattr("mutransfer.analysis.fit.curve.JUMP_SD", 1e-3)
    assert Counter(score.words(trial, range(N_DRAWS)))["PASS"] >= 7


def test_settling_brings_right_passes_and_few_wrong_ones() -> None:
    wrong, right = SETTLED[0], SETTLED[-1]
    told = settling.words(wrong, True, range(N_DRAWS // 2))
    assert sum(w[-1] == "PASS" for w in told) <= 3
    told = settling.words(right, True, range(N_DRAWS // 2))
    first, last = (sum(w[k] == "PASS" for w in told) for k in (0, -1))
    assert last > first


@pytest.mark.parametrize("setting", FLAT, ids=lambda s: s.name)
def test_nothing_to_find_never_passes(setting) -> None:
    assert "PASS" not in score.flat_words(setting, range(N_DRAWS))


def test_a_bootstrap_over_two_seeds_covers_half_the_time() -> None:
    setting = BY_NAME["2 seeds, 5 points, 3 widths"]
    found = score.rival_intervals(setting, range(2 * N_DRAWS))
    rate = {name: np.mean([f[name][0] for f in found]) for name in ("ours", *RIVALS)}
    assert rate["ours"] >= 0.9
    assert rate["bootstrap over seeds (control)"] <= 0.7
