"""The verdict against planted truth: a wrong PASS is the worst there is."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mutransfer.analysis.verdict.hp import judge_hp
from mutransfer.analysis.verdict.judge import Verdict, judge
from mutransfer.analysis.verdict.question import Tolerance, TransferQuestion
from mutransfer.words import round_hp
from tests.analysis import planted
from tests.analysis.planted import Law

TOLERANCE = 0.004
N_DRAWS = 120
N_PASS_LIMIT = int(stats.binom.ppf(0.99, N_DRAWS, 0.05))


def lr_question(**changes: object) -> TransferQuestion:
    """Only lr, one ladder width, so that many draws are cheap."""
    asked = {
        "parameters": ("lr",),
        "axis_values": (64,),
        "control": None,
        "tolerance": Tolerance(kind="abs_loss", value=TOLERANCE),
    }
    return planted.question(**(asked | changes))


def words(law: Law, n: int) -> list[str]:
    """Verdicts on lr in ``n`` studies under a law."""
    return [judge_hp(planted.evidence(law, seed=s), lr_question()).word for s in range(n)]


def edited(df: pd.DataFrame, rows: pd.Series, status: str) -> pd.DataFrame:
    out = df.copy()
    out.loc[rows, "status"] = status
    out.loc[rows, "val_loss"] = None
    return out


def is_set_at_target(df: pd.DataFrame) -> pd.Series:
    found = df["width"] == planted.TARGET
    for hp, value in planted.TRANSFERRED.items():
        found &= df[f"hp.{hp}"] == value
    return found


def codes(verdict: Verdict) -> set[str]:
    return {c.code for c in verdict.set.causes}


def test_transfer_is_passed_with_all_its_figures(verdict: Verdict) -> None:
    assert verdict.verdict == "PASS"
    assert verdict.sentence.startswith("PASS: at width 512")
    assert [e.word for e in verdict.hps] == ["PASS", "PASS"]
    assert all(c.holds for e in verdict.hps for c in e.conditions)
    lr = verdict.of_hp("lr")
    assert lr.contrast.differs is True
    assert lr.drift_sp.estimate == pytest.approx(-1.0, abs=0.1)
    assert verdict.of_hp("init_std").drift_sp is None
    plain = json.loads(json.dumps(verdict.to_dict(), allow_nan=False))
    assert plain["schema"] == 1
    assert plain["counts"] == {"done": 222}


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


def test_the_set_of_one_hp_agrees_with_its_hp() -> None:
    for shift in (0.0, -0.6, -1.5):
        law = Law(target_shift=shift, noise_sd=0.001)
        found = judge(planted.table(law, lr_question(), n_search=0), lr_question())
        assert found.verdict == found.of_hp("lr").word


def test_no_regret_and_little_noise_passes_mostly() -> None:
    assert np.mean(np.array(words(Law(noise_sd=0.001), 60)) == "PASS") >= 0.9


def test_a_large_regret_fails_and_never_passes() -> None:
    found = words(Law(target_shift=-1.5, noise_sd=0.001), 40)
    assert set(found) == {"FAIL"}


@pytest.mark.parametrize("noise_sd", [1e-5, 0.001, 0.02])
def test_a_flat_curve_never_passes(noise_sd: float) -> None:
    found = words(Law(lr_curvature=0.0, noise_sd=noise_sd), 60)
    assert "PASS" not in found


def test_noise_above_the_tolerance_is_inconclusive() -> None:
    found = words(Law(noise_sd=0.1), 60)
    assert found.count("PASS") <= 5
    assert "INCONCLUSIVE" in found


def test_a_width_dependent_wall_is_kept_at_a_distance() -> None:
    near = judge(planted.table(Law(diverged_from={512: -8.0})), planted.question())
    assert near.verdict == "INCONCLUSIVE"
    assert "near_divergence" in codes(near)
    far = judge(planted.table(Law(diverged_from={512: -7.0})), planted.question())
    assert far.verdict == "PASS"


def test_a_set_that_diverged_at_the_target_fails(study: pd.DataFrame) -> None:
    rows = is_set_at_target(study) & (study["seed"] == 1)
    found = judge(edited(study, rows, "diverged"), planted.question())
    assert found.verdict == "FAIL"
    assert "diverged_at_target" in codes(found)


@pytest.mark.parametrize("status", ["failed", "pruned"])
def test_a_set_without_a_result_never_passes(study: pd.DataFrame, status: str) -> None:
    rows = is_set_at_target(study)
    found = judge(edited(study, rows, status), planted.question())
    assert found.verdict == "INCONCLUSIVE"
    assert "transferred_not_run" in codes(found)
    gone = judge(study[~rows], planted.question())
    assert gone.verdict == "INCONCLUSIVE"


def test_one_failed_run_in_a_slice_never_passes(study: pd.DataFrame) -> None:
    for width in (64, planted.TARGET):
        there = (study["width"] == width) & (study["arm"] == "mup") & (study["seed"] == 2)
        rows = study.index == study[there].index[0]
        found = judge(edited(study, rows, "failed"), planted.question())
        assert found.verdict == "INCONCLUSIVE"
        assert "missing_runs" in codes(found)


@pytest.mark.parametrize("keep", [0, 1, 2, 3])
def test_too_few_values_never_pass(study: pd.DataFrame, keep: int) -> None:
    there = study["width"] == planted.TARGET
    values = sorted(study[there]["hp.lr"].unique(), key=lambda v: abs(np.log2(v) + 8.3))
    cut = study[~there | study["hp.lr"].isin(values[:keep])]
    assert judge(cut, planted.question()).verdict == "INCONCLUSIVE"


def test_one_seed_never_passes() -> None:
    asked = planted.question(seeds=(1,), target_seeds=(1,))
    found = judge(planted.table(Law(noise_sd=1e-5), asked), asked)
    assert found.verdict == "INCONCLUSIVE"
    assert "one_seed" in codes(found)


def test_an_empty_table_or_no_set_is_inconclusive(study: pd.DataFrame) -> None:
    assert judge(study[:0], planted.question()).verdict == "INCONCLUSIVE"
    unset = judge(study, planted.question(transferred=None))
    assert unset.verdict == "INCONCLUSIVE"
    assert codes(unset) == {"no_transferred_set"}
    json.dumps(unset.to_dict(), allow_nan=False)


def test_no_hp_at_all_is_inconclusive(study: pd.DataFrame) -> None:
    found = judge(study, planted.question(parameters=(), control_parameters=()))
    assert found.verdict == "INCONCLUSIVE"


def test_an_hp_that_does_not_matter_does_not_keep_the_set_from_passing() -> None:
    law = Law(std_curvature=0.0002, noise_sd=0.0002)
    found = judge(planted.table(law), planted.question())
    assert found.of_hp("init_std").word == "INCONCLUSIVE"
    assert found.of_hp("init_std").harmless
    assert found.verdict == "PASS"
    assert "init_std does not matter" in found.set.notes[0]


def test_hps_that_all_do_not_matter_never_pass() -> None:
    law = Law(std_curvature=0.0002, lr_curvature=0.0002, noise_sd=0.0002)
    asked = planted.question(tolerance=Tolerance(kind="abs_loss", value=0.02))
    found = judge(planted.table(law), asked)
    assert [e.harmless for e in found.hps] == [True, True]
    assert found.verdict == "INCONCLUSIVE"


def test_bounds_add_up_over_the_set() -> None:
    law = Law(noise_sd=0.0008)
    df = planted.table(law)
    wide = judge(df, planted.question())
    assert wide.set.regret_upper > max(e.regret.upper for e in wide.hps)
    limit = 1.02 * max(e.regret.upper for e in wide.hps)
    tight = judge(df, planted.question(tolerance=Tolerance(kind="abs_loss", value=limit)))
    assert [e.word for e in tight.hps] == ["PASS", "PASS"]
    assert tight.verdict == "INCONCLUSIVE"
    assert codes(tight) == {"sum_uncertain"}


def test_a_set_worse_than_its_slices_fails(study: pd.DataFrame) -> None:
    """The set's own runs are bad although the curves look well: the HPs interact."""
    spoiled = study.copy()
    spoiled.loc[is_set_at_target(study), "val_loss"] += 0.05
    found = judge(spoiled, planted.question())
    assert found.verdict == "FAIL"
    assert found.set.excess_lower > found.set.tolerance_loss


def test_tolerances_in_loss() -> None:
    best = {"target_best": 0.5, "search_best": 0.7}
    assert Tolerance(kind="abs_loss", value=0.1).in_loss(**best) == 0.1
    assert Tolerance(kind="rel_loss", value=0.1).in_loss(**best) == pytest.approx(0.05)
    share = Tolerance(kind="share_of_width_gain", value=0.1)
    assert share.in_loss(**best) == pytest.approx(0.02)
    assert share.in_loss(target_best=0.7, search_best=0.5) == 0.0
    assert share.in_loss(target_best=None, search_best=0.5) is None


def test_without_a_gain_from_width_no_share_of_it_is_ever_passed(study: pd.DataFrame) -> None:
    share = Tolerance(kind="share_of_width_gain", value=0.05)
    assert judge(study, planted.question(tolerance=share)).verdict == "PASS"
    worse = study.copy()
    worse.loc[worse["width"] == planted.TARGET, "val_loss"] += 0.3
    assert judge(worse, planted.question(tolerance=share)).verdict == "INCONCLUSIVE"


@pytest.mark.parametrize(("kind", "value"), [("rel", 0.1), ("rel_loss", 0.0), ("abs_loss", -1)])
def test_a_senseless_tolerance_is_refused(kind: str, value: float) -> None:
    with pytest.raises(ValueError, match="tolerance"):
        Tolerance(kind=kind, value=value)


def test_the_verdict_does_not_depend_on_who_asked_or_the_order(study: pd.DataFrame) -> None:
    shuffled = study.sample(frac=1.0, random_state=0).assign(asked_by="search")
    first, second = judge(study, planted.question()), judge(shuffled, planted.question())
    assert first.sentence == second.sentence


def test_the_control_does_not_enter(study: pd.DataFrame) -> None:
    kept = study[(study["arm"] == "mup")]
    found = judge(kept, planted.question(control=None))
    assert found.sentence == judge(study, planted.question()).sentence


def test_a_value_that_has_no_logarithm_is_inconclusive(study: pd.DataFrame) -> None:
    carried = {"lr": round_hp(2.0**-8.3), "init_std": 0.0}
    found = judge(study, planted.question(transferred=carried))
    assert found.verdict == "INCONCLUSIVE"
    assert "not_on_log_scale" in codes(found)


def test_costs_count_all_trials_of_all_statuses(study: pd.DataFrame, verdict: Verdict) -> None:
    assert verdict.cost.total_flops == pytest.approx(study["flops"].sum())
    assert sum(verdict.cost.trials_by_stage.values()) == len(study)
    assert verdict.cost.target_flops == 1e6 * planted.TARGET**2
    assert verdict.cost.search_share < verdict.cost.share
    cheap = judge(study, planted.question(), target_flops=1e20)
    assert cheap.cost.share == pytest.approx(study["flops"].sum() / 1e20)
    with pytest.raises(ValueError, match="target_flops"):
        judge(study, planted.question(), target_flops=0.0)


def test_looks_spend_one_error_between_them() -> None:
    asked = [planted.question(n_interim=k) for k in range(6)]
    assert asked[0].level == 0.95
    # A bound at a level errs on its side in half of what the level leaves.
    assert sum((1 - q.level) / 2 for q in asked) < 0.05
    df = planted.table(planted.Law())
    first, third = judge(df, asked[0]), judge(df, asked[2])
    assert third.of_hp("lr").regret.upper > first.of_hp("lr").regret.upper
    assert third.set.level > first.set.level
    assert any("Look 3" in note for note in third.set.notes)
