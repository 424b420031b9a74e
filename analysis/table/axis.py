"""The axes along which transfer is judged, in words.

An axis value is the cell of a row in the column of the axis's name: a width, batch size, number of
steps, depth or number of parameters.
"""

import re
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
    "params": AxisLabel("number of parameters", "numbers of parameters"),
}

# The units that are written behind a large count.
UNITS: Mapping[str, int] = {"K": 10**3, "M": 10**6, "B": 10**9, "T": 10**12}
_COUNT = re.compile(r"([0-9]+(?:[.,][0-9]+)?)\s*([KMBT])", re.IGNORECASE)


def count_of(text: str) -> int | None:
    """Return the number that a count with a unit stands for: 124M, 1.3B, 1,3B; None for others.

    A comma before three digits could mean thousands or a decimal: such a text is none.
    """
    match = _COUNT.fullmatch(text.strip())
    if match is None or re.search(r",[0-9]{3}$", match[1]):
        return None
    return round(float(match[1].replace(",", ".")) * UNITS[match[2].upper()])


def count_text(count: int) -> str:
    """Return a count with its unit, to four digits: 124M, 1.315B, 512."""
    unit = next((u for u in reversed([*UNITS]) if count >= UNITS[u]), "")
    return f"{count / UNITS.get(unit, 1):.4g}{unit}"


def axis_value_text(axis: Axis, axis_value: int) -> str:
    """Return an axis value in words: width 128, batch size 64, 300 steps, 124M parameters."""
    if axis == "steps":
        return f"{axis_value} steps"
    if axis == "params":
        return f"{count_text(axis_value)} parameters"
    return f"{AXIS_LABELS[axis].singular} {axis_value}"
