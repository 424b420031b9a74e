"""A few of the planted μP mistakes of `benchmarks/seeded_faults.py`, and what detects them."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2]))

from benchmarks import seeded_faults as planted

BY_NAME = {fault.name: fault for fault in planted.FAULTS}
NAMES = ("hidden LR not divided", "multiplier twice", "logits × √m", "embedding taken for hidden")


def test_there_are_enough_faults_and_enough_that_act():
    assert len(planted.FAULTS) >= 20 and sum(fault.acts for fault in planted.FAULTS) >= 12
    assert len(BY_NAME) == len(planted.FAULTS)
    assert {fault.family for fault in planted.FAULTS} == set(planted.DEPTH)


@pytest.mark.parametrize("family", planted.DEPTH)
def test_correct_plans_break_no_invariant_and_have_the_roles_written_by_hand(family):
    assert planted.broken_invariants(family, None) == []
    assert planted.wrong_roles(family, None) == []


@pytest.mark.parametrize(
    "name",
    [
        "decay not scaled",
        "biases decayed",
        "base width mixed up",
        "head dim grows, 1/√d",
        "bias under the multiplier",
    ],
)
def test_invariants_see_what_no_activation_shows(name):
    assert planted.broken_invariants("dit", BY_NAME[name])


@pytest.mark.parametrize("family", planted.DEPTH)
def test_sp_breaks_the_invariants_of_every_family(family):
    """The negative control of the models that break none."""
    start = planted.start_of(family, None)
    broken = planted.invariants.broken_laws(
        lambda arm, *rest: start("sp", *rest),
        base_width=planted.BASE,
        width=planted.WIDTHS[-1],
        lr=2**-7,
    )
    assert len(broken) > 10


@pytest.mark.slow
def test_the_coordinate_check_sees_planted_faults_and_passes_the_correct_model():
    lr = planted.lr_of("dit")
    assert planted.check("dit", None, lr).verdict != "FAIL"
    for name in NAMES:
        assert planted.check("dit", BY_NAME[name], lr).verdict == "FAIL", name
