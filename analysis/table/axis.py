"""The axes along which transfer is judged, in words.

An axis value is the cell of a row in the column of the axis's name: a width, batch size, number of
steps or depth.
"""

from collections.abc import Mapping
from typing import NamedTuple

from mutransfer.words import Axis


class AxisLabel(NamedTuple):
    """The name of an axis, for one value and for several."""

    singular: str
    plural: str


AXIS_LABELS: Mapping[Axis, AxisLabel] = {
    "width": AxisLabel("width", "widths"),
    "batch_size": AxisLabel("batch size", "batch sizes"),
    "steps": AxisLabel("number of steps", "numbers of steps"),
    "depth": AxisLabel("depth", "depths"),
}


def axis_value_text(axis: Axis, axis_value: int) -> str:
    """Return an axis value in words: width 128, batch size 64, 300 steps, depth 8."""
    if axis == "steps":
        return f"{axis_value} steps"
    return f"{AXIS_LABELS[axis].singular} {axis_value}"
