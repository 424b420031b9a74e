"""Axis values in words."""

from typing import get_args

from mutransfer.analysis.table.axis import AXIS_LABELS, axis_value_text, count_of, count_text
from mutransfer.words import Axis


def test_every_axis_has_a_label_and_a_value_text() -> None:
    assert set(AXIS_LABELS) == set(get_args(Axis))
    assert axis_value_text("batch_size", 64) == "batch size 64"
    assert axis_value_text("steps", 300) == "300 steps"
    assert axis_value_text("params", 124_000_000) == "124M parameters"


def test_a_count_with_a_unit_is_the_number_that_it_stands_for() -> None:
    assert [count_of(t) for t in ("124M", "1.3B", " 70 k ", "1,3b")] == [
        124_000_000,
        1_300_000_000,
        70_000,
        1_300_000_000,
    ]
    assert {count_of(t) for t in ("124", "M", "1,300M", "1e3K", "-1M", "1.2.3M", "")} == {None}
    for count in (7, 512, 70_000, 124_000_000, 1_315_000_000, 18_000_000_000):
        assert count_of(count_text(count)) in (count, None if count < 1000 else count)
    assert count_text(512) == "512"
