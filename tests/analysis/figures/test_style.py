"""Colours and markers: distinguishable in grey, in light and in dark."""

import numpy as np

from mutransfer.analysis.figures import style


def _luminance(colour: str) -> float:
    """Relative luminance, as of WCAG 2.2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def _contrast(colour: str, page: str) -> float:
    low, high = sorted((_luminance(colour), _luminance(page)))
    return (high + 0.05) / (low + 0.05)


def test_series_differ_by_more_than_colour() -> None:
    widths = [16, 32, 64, 128, 256]
    assert len({style.axis_value_marker(w, widths) for w in widths}) == len(widths)
    mup, sp = style.ARMS["mup"], style.ARMS["sp"]
    assert mup.marker != sp.marker and mup.dashes != sp.dashes


def test_axis_values_stay_in_order_in_grey() -> None:
    widths = [16, 32, 64, 128, 256]
    greys = [_luminance(style.axis_value_colour(w, widths)) ** 0.5 for w in widths]
    assert greys == sorted(greys) and min(np.diff(greys)) > 0.08


def test_text_and_lines_stand_out_from_the_page_in_light_and_dark() -> None:
    """Contrast of 4.5 for text, and of 1.5 for every axis value, which has a marker too."""
    pages = (lambda c: c, style.PAPER), (style.DARK.__getitem__, style.DARK[style.PAPER])
    for to_screen, page in pages:
        for text in (style.INK, style.SOFT, style.RED):
            assert _contrast(to_screen(text), page) > 4.5
        lines = [to_screen(style.ordered_colour(i / 4)) for i in range(5)]
        assert min(_contrast(line, page) for line in lines) > 1.5
        assert _contrast(to_screen(style.GRID), page) < 2


def test_every_colour_of_the_ordered_scale_has_a_dark_partner() -> None:
    for fraction in np.linspace(0, 1, 101):
        assert style.css_colour(style.ordered_colour(fraction)).startswith("var(--c")
    assert style.css_colour("#123456") == "#123456"
