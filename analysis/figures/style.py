"""Colours, markers and dashes of the figures, for paper and for a dark screen.

Every colour has a partner for dark screens; no two series differ by colour alone. Places on an
ordered scale (widths, depth in the network) take viridis, whose lightness rises steadily: it
stays in order in grey and for colour-blind readers.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.colors import to_hex

INK, SOFT, GRID, PAPER = "#1c1c1c", "#555555", "#e3e3e3", "#ffffff"
RED = "#c1121f"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
STEPS = 24  # places on an ordered scale


class Look(NamedTuple):
    """How a series is drawn."""

    colour: str
    marker: str
    dashes: str


_CONTROL = Look("#b35806", "s", "--")
ARMS: Mapping[str, Look] = {
    "mup": Look("#1b4f9c", "o", "-"),
    "sp": _CONTROL,
    "unscaled": _CONTROL,
}


def ordered(place: float) -> str:
    """Return the colour of a place from 0 to 1 on an ordered scale."""
    # The last eighth of viridis is too light on white paper.
    return to_hex(mpl.colormaps["viridis"](0.86 * _step(place)))


def _step(place: float) -> float:
    return round(place * STEPS) / STEPS


def of_width(width: int, widths: Sequence[int]) -> str:
    """Return the colour of one of the widths, which are in order."""
    return ordered(widths.index(width) / max(len(widths) - 1, 1))


def marker_of(width: int, widths: Sequence[int]) -> str:
    """Return the marker of one of the widths."""
    return MARKERS[widths.index(width) % len(MARKERS)]


def _dark_ordered(place: float) -> str:
    return to_hex(mpl.colormaps["viridis"](0.42 + 0.56 * _step(place)))


DARK: Mapping[str, str] = {
    INK: "#ececec",
    SOFT: "#b4b4b4",
    GRID: "#3a3a3a",
    PAPER: "#161616",
    RED: "#ff7b72",
    ARMS["mup"].colour: "#7fb2ff",
    ARMS["sp"].colour: "#f2a65a",
    **{ordered(i / STEPS): _dark_ordered(i / STEPS) for i in range(STEPS + 1)},
}


def variable(colour: str) -> str:
    """Return the CSS value of a colour: itself, or its partner where the page is dark."""
    return f"var(--c{colour[1:]}, {colour})" if colour in DARK else colour


def dark_css() -> str:
    """Return the CSS declarations that `variable` reads on a dark screen."""
    return " ".join(f"--c{light[1:]}: {dark};" for light, dark in DARK.items())
