"""Samples of a trained model beside real images, as the report shows them."""

import base64
from collections.abc import Sequence
from typing import NamedTuple


class Pair(NamedTuple):
    """A real image and a sample of the same condition, both PNG, and what they are of."""

    text: str
    real_png: bytes
    drawn_png: bytes

    @property
    def real_url(self) -> str:
        """The real image as a URL that needs no file."""
        return _url(self.real_png)

    @property
    def drawn_url(self) -> str:
        """The sample as a URL that needs no file."""
        return _url(self.drawn_png)


class Gallery(NamedTuple):
    """The samples of one trial."""

    trial_id: str
    width: int
    pairs: Sequence[Pair]


def _url(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
