"""Samples of a trained model beside real images, as the report shows them."""

import base64
from collections.abc import Sequence
from typing import NamedTuple


class SamplePair(NamedTuple):
    """A real image and a sample of the same condition, both PNG, and the condition as text."""

    text: str
    real_png: bytes
    drawn_png: bytes

    @property
    def real_url(self) -> str:
        """The real image as a data URL."""
        return _data_url(self.real_png)

    @property
    def drawn_url(self) -> str:
        """The sample as a data URL."""
        return _data_url(self.drawn_png)


class Gallery(NamedTuple):
    """The samples of one trial, and the axis value at which it was trained."""

    trial_id: str
    axis_value: int
    pairs: Sequence[SamplePair]


def _data_url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
