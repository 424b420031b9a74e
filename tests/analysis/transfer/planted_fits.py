"""Planted fits along an axis for the tests of transfer."""

import numpy as np

from mutransfer.analysis.fit.curve import Fit, fit_slice
from mutransfer.analysis.table.slice import Slice
from tests.analysis import planted


def ladder(
    slope: float, seed: int = 0, widths: tuple = planted.WIDTHS, noise: float = 0.001
) -> list[Fit]:
    """Fits of all widths; the optimum moves by ``slope`` octaves per doubling."""
    rng = np.random.default_rng(seed)
    fits = []
    for width in widths:
        truth = -8.3 + slope * np.log2(width / widths[0])
        slice_ = planted.a_slice(
            planted.mild_cubic,
            log2_opt=truth,
            noise_sd=noise,
            n_seeds=2,
            rng=rng,
            log2_x=np.arange(round(truth) - 3.0, round(truth) + 4.0),
            width=width,
        )
        fits.append(fit_slice(slice_))
    return fits


def target(seed: int, noise: float = 0.001, **changes: object) -> Slice:
    """A slice of two seeds with its optimum at −9.3."""
    rng = np.random.default_rng(seed)
    arguments = {"log2_opt": -9.3, "noise_sd": noise, "n_seeds": 2, "rng": rng}
    return planted.a_slice(planted.parabola, **(arguments | changes))
