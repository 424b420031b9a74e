"""Each cause that prevents a PASS, from a table that has nothing else."""

import numpy as np
import pandas as pd
import pytest

from mutransfer.analysis.verdict.judge import judge
from tests.analysis import planted
from tests.analysis.planted import Law
from tests.analysis.verdict.tables import codes, edited, is_set_at_target


def test_a_value_close_to_divergence_never_passes() -> None:
    near = judge(planted.table(Law(diverged_from={512: -8.0})), planted.question())
    assert near.verdict == "INCONCLUSIVE"
    assert "near_divergence" in codes(near)
    far = judge(planted.table(Law(diverged_from={512: -7.0})), planted.question())
    assert far.verdict == "PASS"


def test_a_set_that_diverged_at_the_target_fails(study: pd.DataFrame) -> None:
    rows = is_set_at_target(study) & (study["seed"] == 1)
    judged = judge(edited(study, rows, "diverged"), planted.question())
    assert judged.verdict == "FAIL"
    assert "diverged_at_target" in codes(judged)


@pytest.mark.parametrize("status", ["failed", "pruned"])
def test_a_set_without_a_result_never_passes(study: pd.DataFrame, status: str) -> None:
    rows = is_set_at_target(study)
    judged = judge(edited(study, rows, status), planted.question())
    assert judged.verdict == "INCONCLUSIVE"
    assert "transferred_not_run" in codes(judged)
    gone = judge(study[~rows], planted.question())
    assert gone.verdict == "INCONCLUSIVE"


def test_one_failed_run_in_a_slice_never_passes(study: pd.DataFrame) -> None:
    for width in (64, planted.TARGET):
        there = (study["width"] == width) & (study["arm"] == "mup") & (study["seed"] == 2)
        rows = study.index == study[there].index[0]
        judged = judge(edited(study, rows, "failed"), planted.question())
        assert judged.verdict == "INCONCLUSIVE"
        assert "missing_runs" in codes(judged)


@pytest.mark.parametrize("keep", [0, 1, 2, 3])
def test_too_few_values_never_pass(study: pd.DataFrame, keep: int) -> None:
    there = study["width"] == planted.TARGET
    values = sorted(study[there]["hp.lr"].unique(), key=lambda v: abs(np.log2(v) + 8.3))
    cut = study[~there | study["hp.lr"].isin(values[:keep])]
    assert judge(cut, planted.question()).verdict == "INCONCLUSIVE"


def test_one_seed_never_passes() -> None:
    question = planted.question(seeds=(1,), target_seeds=(1,))
    judged = judge(planted.table(Law(noise_sd=1e-5), question), question)
    assert judged.verdict == "INCONCLUSIVE"
    assert "one_seed" in codes(judged)
