"""What a study derives from its sections."""

import math

import pytest

from tests.sweep.axis_studies import AXES, text_of
from tests.sweep.conftest import TINY, study_of


def test_the_search_and_the_target_are_among_the_axis_values(tiny):
    assert (tiny.axis, tiny.search_at, tiny.target_at) == ("width", 16, 32)
    assert tiny.axis_values == (8, 16, 32)


@pytest.mark.parametrize(
    ("axis", "expected"),
    [("batch_size", (16, 128)), ("steps", (6, 48)), ("depth", (1, 8))],
    ids=AXES,
)
def test_along_another_axis_the_search_is_where_model_and_training_are(axis, expected):
    study = study_of(text_of(axis))
    assert (study.search_at, study.target_at) == expected
    assert study.search.width == 16


def test_the_control_slices_what_mup_slices_unless_there_is_none(tiny):
    assert tiny.transfer.control == "sp" and tiny.control_parameters == ("lr",)
    without = study_of(TINY.replace(",\n      control: sp", ""))  # the default
    assert without.control_parameters == ()
    assert study_of(text_of("depth")).transfer.control == "none"  # the default off the width


def test_hard_limits_are_infinite_unless_declared():
    limited = study_of(TINY.replace("max: 2^-5}", "max: 2^-5, hard_max: 2^-4}"))
    assert limited.limits_log2("lr") == (-math.inf, -4.0)
    assert limited.limits_log2("init_std") == (-math.inf, math.inf)
