"""Colours, markers and dashes of the figures, for light paper and dark screens.

Every colour has a partner for dark screens, and no two series differ by colour alone. Ordered
values (axis values, position in the network) take viridis, whose lightness rises monotonically:
the order stays visible in grey and for colour-blind readers.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import matplotlib as mpl
from matplotlib.colors import to_hex

INK, SOFT, GRID, PAPER = "#1c1c1c", "#555555", "#e3e3e3", "#ffffff"
RED = "#c1121f"
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
COLOUR_STEPS = 24  # the ordered scale has this many steps, so that each has a dark partner


class Style(NamedTuple):
    """How a series is drawn."""

    colour: str
    marker: str
    dashes: str


_CONTROL = Style("#b35806", "s", "--")
ARMS: Mapping[str, Style] = {
    "mup": Style("#1b4f9c", "o", "-"),
    "sp": _CONTROL,
    "unscaled": _CONTROL,
}


def ordered_colour(fraction: float) -> str:
    """Return the colour at a fraction (0 to 1) of the ordered scale."""
    # The last eighth of viridis is too light on white paper.
    return to_hex(mpl.colormaps["viridis"](0.86 * _rounded(fraction)))


def _ordered_dark_colour(fraction: float) -> str:
    return to_hex(mpl.colormaps["viridis"](0.42 + 0.56 * _rounded(fraction)))


def _rounded(fraction: float) -> float:
    return round(fraction * COLOUR_STEPS) / COLOUR_STEPS


def axis_value_colour(axis_value: int, axis_values: Sequence[int]) -> str:
    """Return the colour of one of the axis values, which are in ascending order."""
    return ordered_colour(axis_values.index(axis_value) / max(len(axis_values) - 1, 1))


def axis_value_marker(axis_value: int, axis_values: Sequence[int]) -> str:
    """Return the marker of one of the axis values, which are in ascending order."""
    return MARKERS[axis_values.index(axis_value) % len(MARKERS)]


_FRACTIONS = [i / COLOUR_STEPS for i in range(COLOUR_STEPS + 1)]
DARK: Mapping[str, str] = {
    INK: "#ececec",
    SOFT: "#b4b4b4",
    GRID: "#3a3a3a",
    PAPER: "#161616",
    RED: "#ff7b72",
    ARMS["mup"].colour: "#7fb2ff",
    ARMS["sp"].colour: "#f2a65a",
    **{ordered_colour(fraction): _ordered_dark_colour(fraction) for fraction in _FRACTIONS},
}


def css_colour(colour: str) -> str:
    """Return the CSS value of a colour: a variable with the colour as its fallback."""
    return f"var(--c{colour[1:]}, {colour})" if colour in DARK else colour


def dark_css() -> str:
    """Return the CSS declarations that give `css_colour` its variables on a dark screen."""
    return " ".join(f"--c{light[1:]}: {dark};" for light, dark in DARK.items())
