"""Nothing was run at the target: PREDICTED at best, from the ladder alone."""

import numpy as np
import pandas as pd
import pytest

from mutransfer.analysis.table.table import TableError
from mutransfer.analysis.verdict.external import TableResult, judge_table

TARGET = 2048


def ladder(
    drift: float = 0.0, *, arm: str = "mup", n_widths: int = 5, noise: float = 0.001
) -> pd.DataFrame:
    """A table whose optimum of lr moves from 2^-8.3 at width 64; an octave off costs 2 %."""
    rng = np.random.default_rng(0)
    rows = []
    for k in range(n_widths):
        optimum = -8.3 + drift * k
        for x in round(optimum) + np.arange(-3, 4):
            loss = 0.5 + 0.01 * (x - optimum) ** 2 + noise * rng.normal(size=2)
            seeds = enumerate(loss, 1)
            rows += [(arm, 64 * 2**k, seed, 2.0**x, value) for seed, value in seeds]
    return pd.DataFrame(rows, columns=["arm", "width", "seed", "hp.lr", "val_loss"])


def judged(table: pd.DataFrame, tolerance: float = 0.01, target: int = TARGET) -> TableResult:
    return judge_table(table, target_at=target, tolerance={"rel_loss": tolerance})


def test_a_ladder_that_stands_still_is_predicted_with_its_figures() -> None:
    result = judged(ladder())
    verdict = result.full_verdict
    assert result.verdict == "PREDICTED" and result.hps[0].word == "PREDICTED"
    assert result.sentence.startswith("PREDICTED: at width 2048, where nothing was run")
    assert "Predicted optimum: lr 0.003" in result.sentence
    (lr,) = verdict.predictions
    assert lr.axis_values == (64, 128, 256, 512, 1024) and lr.axis_value == TARGET
    assert verdict.set.regret_upper == lr.regret_upper < verdict.set.tolerance_loss
    assert [c.code for c in verdict.set.causes] == ["no_target_runs"]
    assert not result.hps[0].conditions and result.hps[0].target is None


def test_a_stricter_tolerance_or_fewer_widths_are_inconclusive() -> None:
    strict = judged(ladder(noise=0.003), tolerance=0.003)
    assert strict.verdict == "INCONCLUSIVE"
    assert strict.full_verdict.set.causes[0].code == "prediction_uncertain"
    three = judged(ladder(n_widths=3))
    assert three.verdict == "INCONCLUSIVE" and "three promise nothing" in three.sentence
    assert three.full_verdict.predictions[0].regret_upper is not None


def test_a_drift_under_mup_is_not_predicted_to_hold() -> None:
    result = judged(ladder(-0.4))
    assert result.verdict == "INCONCLUSIVE"
    lr = result.full_verdict.predictions[0]
    assert lr.log2_low < -8.3 - 0.4 * 5 < lr.log2_high


def test_without_mup_the_fitted_law_is_judged() -> None:
    table = ladder(-0.8, arm="sp")
    result = judged(table)
    (lr,) = result.full_verdict.predictions
    assert result.verdict == "PREDICTED" and lr.arm == "sp" and lr.log2_x is None
    assert lr.log2_low < -8.3 - 0.8 * 5 < lr.log2_high
    drift = {law.name: law for law in lr.laws}["drift"]
    assert drift.weight > 0.9 and drift.coefficient == pytest.approx(-0.8, abs=0.1)
    assert result.hps[0].drift_sp.estimate == pytest.approx(-0.8, abs=0.1)
    assert "mup" in " ".join(result.caveats) and "set of predicted optima" in result.sentence
    # At a width that was run there is nothing to judge without μP, as before.
    with pytest.raises(TableError, match="arm mup"):
        judged(table, target=1024)


def test_a_target_with_rows_is_checked_and_not_predicted() -> None:
    result = judged(ladder(), target=1024)
    assert result.verdict == "PASS" and result.full_verdict.predictions == ()
