"""Each planted mistake is seen by the detector that is named for it, and the right way by none."""

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2]))

from benchmarks.planted_own import FAULTS

SLOW = {"coordinate check"}  # a few seconds each
each_fault = pytest.mark.parametrize(
    "fault",
    [pytest.param(f, id=f.name, marks=pytest.mark.slow if f.by in SLOW else ()) for f in FAULTS],
)


def test_every_kind_of_what_people_bring_is_planted():
    kinds = {"init", "fan-in", "tie", "raw parameter", "scheduler", "optimizer", "trainer"}
    assert {fault.kind for fault in FAULTS} == kinds
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)


@each_fault
def test_its_detector_sees_it(fault):
    assert fault.found(True)


@each_fault
def test_the_same_made_right_is_no_finding(fault):
    assert fault.found(False) == []
