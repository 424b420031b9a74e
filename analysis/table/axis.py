"""The axis along which transfer is asked about. A slice sits at a place on it, all else fixed.

The place of a row stands in the table's column of the axis's name. Where the code speaks of the
width of a slice or an optimum it means its place: the model's width where that is the axis.
"""

from collections.abc import Mapping
from typing import NamedTuple

from mutransfer.words import Axis


class Words(NamedTuple):
    """What an axis is called: one place, several."""

    one: str
    many: str


WORDS: Mapping[Axis, Words] = {
    "width": Words("width", "widths"),
    "batch_size": Words("batch size", "batch sizes"),
    "steps": Words("number of steps", "numbers of steps"),
    "depth": Words("depth", "depths"),
}


def at(axis: Axis, place: int) -> str:
    """Return a place in words: width 128, batch size 64, 300 steps, depth 8."""
    return f"{place} steps" if axis == "steps" else f"{WORDS[axis].one} {place}"
