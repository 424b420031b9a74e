"""Planted slices for the tests of the fit."""

import numpy as np

from mutransfer.analysis.table.slice import Slice
from tests.analysis import planted


def slices(n: int, *, curve=planted.mild_cubic, noise_sd: float = 0.0005, **options) -> list[Slice]:
    """Slices of three seeds whose optima are a tenth of an octave apart."""
    rng = np.random.default_rng(3)
    return [
        planted.a_slice(
            curve, log2_opt=-9.3 + 0.1 * k, noise_sd=noise_sd, n_seeds=3, rng=rng, **options
        )
        for k in range(n)
    ]


def wavy(u: np.ndarray) -> np.ndarray:
    """Not a valley: its second derivative changes sign several times."""
    return u**2 + 0.8 * np.cos(2.5 * u)
