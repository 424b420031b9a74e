"""Axis values in words."""

from typing import get_args

from mutransfer.analysis.table.axis import AXIS_LABELS, axis_value_text
from mutransfer.words import Axis


def test_every_axis_has_a_label_and_a_value_text() -> None:
    assert set(AXIS_LABELS) == set(get_args(Axis))
    assert axis_value_text("batch_size", 64) == "batch size 64"
    assert axis_value_text("steps", 300) == "300 steps"
