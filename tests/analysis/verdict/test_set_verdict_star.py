"""The verdict by a star: its words, one bound for the set, looks that share the error."""

import dataclasses
from typing import Any

import pytest

from mutransfer.analysis.verdict.evidence import gather
from mutransfer.analysis.verdict.judge import Verdict, judge
from mutransfer.analysis.verdict.question import TransferQuestion
from tests.analysis import planted

STAR: dict[str, Any] = {
    "check": "star",
    "control": None,
    "control_parameters": (),
    "target_seeds": (1,),
    "axis_values": (32, 64, 128),
}


def question(**changes: Any) -> TransferQuestion:
    return planted.question(**(STAR | changes))


def verdict(law: planted.Law, **changes: Any) -> Verdict:
    q = question(**changes)
    return judge(planted.star_table(law, q), q)


def test_a_set_that_carries_over_passes_with_one_seed() -> None:
    found = verdict(planted.Law())
    assert found.verdict == "PASS"
    assert found.set.regret_upper is not None
    assert found.set.tolerance_loss is not None
    assert found.set.regret_upper < found.set.tolerance_loss
    assert all(condition.holds for entry in found.hps for condition in entry.conditions)
    # By slices the same rows are too few.
    by_slices = verdict(planted.Law(), check="slices")
    assert by_slices.verdict == "INCONCLUSIVE"
    assert "one_seed" in {cause.code for cause in by_slices.set.causes}


@pytest.mark.parametrize("shift", [-1.5, 1.5])
def test_an_optimum_that_moves_by_more_than_the_tolerance_fails(shift: float) -> None:
    found = verdict(planted.Law(target_shift=shift))
    assert found.verdict == "FAIL"
    assert found.of_hp("lr").word == "FAIL"
    assert found.of_hp("init_std").word == "PASS"


def test_noise_leaves_it_open() -> None:
    found = verdict(planted.Law(noise_sd=0.02))
    assert found.verdict == "INCONCLUSIVE"


def test_one_bound_holds_for_the_set() -> None:
    q = question()
    fits = gather(planted.star_table(planted.Law(), q), q)
    found = judge(planted.star_table(planted.Law(), q), q, fits=fits)
    each = [entry.regret.upper for entry in found.hps if entry.regret]
    assert found.set.confidence == q.confidence
    assert found.set.regret_upper is not None
    # Bounds are interpolated between regrets an eighth of the tolerance apart.
    assert 0.9 * max(each) <= found.set.regret_upper <= 1.1 * sum(each)
    assert fits["lr"].star is fits["init_std"].star is not None


def test_looks_share_the_error() -> None:
    errors = [1 - question(n_interim=n).confidence for n in range(30)]
    assert sum(errors) == pytest.approx(0.05)
    # A slice of its own halves what is left at each.
    slices = dataclasses.replace(question(), check="slices")
    assert slices.confidence == pytest.approx(0.95)


def test_a_side_without_runs_gives_no_bound() -> None:
    q = question()
    found = judge(planted.star_table(planted.Law(), q, shares=(-1.0, -0.5)), q)
    assert found.verdict == "INCONCLUSIVE"
    assert {"no_star"} == {cause.code for cause in found.set.causes}
    assert found.set.regret_upper is None


def test_a_transferred_value_that_diverges_fails() -> None:
    found = verdict(planted.Law(diverged_from={planted.TARGET: planted.LR_OPT - 0.1}))
    assert found.verdict == "FAIL"
    assert "diverged_at_target" in {cause.code for cause in found.set.causes}


def test_a_neighbour_that_diverges_is_a_wall() -> None:
    found = verdict(planted.Law(diverged_from={planted.TARGET: planted.LR_OPT + 0.9}))
    assert found.verdict == "PASS"
    law = planted.Law(diverged_from={planted.TARGET: planted.LR_OPT + 0.35})
    near = judge(planted.star_table(law, question(), shares=(-1.0, -0.5, 0.4, 1.0)), question())
    assert near.verdict == "INCONCLUSIVE"
    assert "near_divergence" in {cause.code for cause in near.set.causes}
