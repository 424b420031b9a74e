"""Scaling laws from planted exponents, and reasons where the data do not determine them."""

import numpy as np
import pytest

from mutransfer.analysis.fit.curve import Fit, fit_slice
from mutransfer.analysis.transfer.scaling_law import degradation, scaling_law
from tests.analysis import planted

WIDTHS = (32, 64, 128, 256, 512, 1024)


def ladder(
    *, alpha: float = 0.7, shift: float = 2.0, beta: float = 1.0, noise: float = 1e-5,
    widths: tuple = WIDTHS, limit: float = 0.0,
) -> list[Fit]:  # fmt: skip
    rng = np.random.default_rng(0)
    fits = []
    for n in widths:
        m = n / widths[0]
        truth = -8.0 - shift * m**-beta
        x = np.arange(round(truth) - 2.0, round(truth) + 2.25, 0.25)
        slice_ = planted.a_slice(
            planted.parabola, log2_opt=truth, noise_sd=noise, n_seeds=3, rng=rng, log2_x=x, width=n
        )
        slice_.loss[:] += limit + 0.4 * m**-alpha
        # A small tolerance: curves are parabolas, so that no misfit need be allowed for.
        fits.append(fit_slice(slice_, tolerance_loss=1e-4))
    return fits


def test_planted_exponents_are_recovered() -> None:
    law = scaling_law(ladder())
    assert law.alpha.estimate == pytest.approx(0.7, abs=0.05)
    assert law.beta.estimate == pytest.approx(1.0, abs=0.05)
    assert law.gamma.estimate == pytest.approx(0.0, abs=0.05)
    assert law.kappa.estimate == pytest.approx(0.7 - 2.0, abs=0.15)
    assert law.loss_limit.estimate == pytest.approx(0.5, abs=0.01)
    assert law.useful is True
    assert law.error_octaves == pytest.approx(0.0, abs=0.02)


def test_a_slow_optimum_makes_transfer_useless() -> None:
    law = scaling_law(ladder(beta=0.15, alpha=0.9, shift=12.0))
    assert law.useful is False
    assert law.kappa.estimate > 0


def test_an_optimum_that_drifts_without_end_has_no_limit() -> None:
    fits = ladder(widths=WIDTHS[:5])
    moving = []
    rng = np.random.default_rng(1)
    for i, f in enumerate(fits):
        x = np.arange(-12.0 - i, -5.0 - i)
        s = planted.a_slice(
            planted.parabola, log2_opt=-8.3 - i, noise_sd=1e-4, n_seeds=3, rng=rng, log2_x=x,
            width=f.slice.axis_value,
        )  # fmt: skip
        moving.append(fit_slice(s))
    law = scaling_law(moving)
    assert law.beta.estimate is None
    assert "not determined" in law.beta.reason
    assert law.useful is None


def test_three_widths_give_a_reason_and_no_exponents() -> None:
    law = scaling_law(ladder(widths=WIDTHS[:3]))
    assert law.alpha.estimate is None
    assert "need 4" in law.reason
    assert scaling_law([]) is None


def test_the_asymptotic_penalty_is_the_difference_of_the_limits() -> None:
    penalty = degradation(scaling_law(ladder(limit=0.02)), scaling_law(ladder()))
    assert penalty.estimate == pytest.approx(0.02, abs=0.005)
    assert degradation(scaling_law(ladder(widths=WIDTHS[:3])), scaling_law(ladder())).reason
