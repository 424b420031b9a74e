"""Scaling laws from planted exponents, and refusals where the data hold none."""

import numpy as np
import pytest

from mutransfer.analysis.fit.curve import Fit, fit
from mutransfer.analysis.transfer.scaling_law import degradation, scaling
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
        x = np.arange(round(truth) - 3.0, round(truth) + 4.0)
        found = planted.a_slice(
            planted.parabola, log2_opt=truth, noise_sd=noise, n_seeds=3, rng=rng, log2_x=x, width=n
        )
        found.loss[:] += limit + 0.4 * m**-alpha
        fits.append(fit(found))
    return fits


def test_planted_exponents_are_found() -> None:
    found = scaling(ladder())
    assert found.alpha.estimate == pytest.approx(0.7, abs=0.05)
    assert found.beta.estimate == pytest.approx(1.0, abs=0.05)
    assert found.gamma.estimate == pytest.approx(0.0, abs=0.05)
    assert found.kappa.estimate == pytest.approx(0.7 - 2.0, abs=0.15)
    assert found.loss_limit.estimate == pytest.approx(0.5, abs=0.01)
    assert found.useful is True
    assert found.error_octaves == pytest.approx(0.0, abs=0.02)


def test_a_slow_optimum_makes_transfer_useless() -> None:
    found = scaling(ladder(beta=0.15, alpha=0.9))
    assert found.useful is False
    assert found.kappa.estimate > 0


def test_an_optimum_that_drifts_for_ever_has_no_limit() -> None:
    fits = ladder(widths=WIDTHS[:5])
    moving = []
    rng = np.random.default_rng(1)
    for i, f in enumerate(fits):
        x = np.arange(-12.0 - i, -5.0 - i)
        s = planted.a_slice(
            planted.parabola, log2_opt=-8.3 - i, noise_sd=1e-4, n_seeds=3, rng=rng, log2_x=x,
            width=f.slice.axis_value,
        )  # fmt: skip
        moving.append(fit(s))
    found = scaling(moving)
    assert found.beta.estimate is None
    assert "not determined" in found.beta.reason
    assert found.useful is None


def test_three_widths_are_refused_with_a_reason() -> None:
    found = scaling(ladder(widths=WIDTHS[:3]))
    assert found.alpha.estimate is None
    assert "need 4" in found.reason
    assert scaling([]) is None


def test_the_asymptotic_penalty_is_the_difference_of_the_limits() -> None:
    found = degradation(scaling(ladder(limit=0.02)), scaling(ladder()))
    assert found.estimate == pytest.approx(0.02, abs=0.005)
    assert degradation(scaling(ladder(widths=WIDTHS[:3])), scaling(ladder())).reason
