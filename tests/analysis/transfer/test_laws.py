"""Laws of the optimum: planted ones are found, and what cannot be told apart is not told apart."""

import numpy as np
import pytest
from scipy import stats

from mutransfer.analysis.transfer.laws import (
    SCATTERS,
    AveragedLaw,
    Law,
    Mixture,
    Point,
    averaged_law,
    laws_of,
)

WIDTHS = (32, 64, 128, 256, 512)


def fitted(optima: np.ndarray, error: float = 0.05, *, widths: tuple = WIDTHS) -> AveragedLaw:
    points = [Point(w, x, error) for w, x in zip(widths, optima, strict=True)]
    return averaged_law(points, laws_of("width", scaled=True))


def weights(law: AveragedLaw) -> dict[str, float]:
    return {one.name: one.weight for one in law.laws()}


@pytest.mark.parametrize(
    ("name", "optima"),
    [
        ("constant", np.full(5, -8.0)),
        ("drift", -8.0 + 0.4 * np.arange(5)),
        ("limit", -8.0 - 3.0 * 2.0 ** -np.arange(5)),
    ],
)
def test_the_planted_law_has_the_most_weight(name: str, optima: np.ndarray) -> None:
    found = weights(fitted(optima))
    assert max(found, key=found.__getitem__) == name
    assert sum(found.values()) == pytest.approx(1)


def test_its_coefficients_are_found_in_their_units() -> None:
    drift = {one.name: one for one in fitted(-8.0 + 0.4 * np.arange(5)).laws()}["drift"]
    assert drift.coefficient == pytest.approx(0.4, abs=0.02)
    assert drift.log2_level == pytest.approx(-8.0, abs=0.05)
    limit = {one.name: one for one in fitted(-8.0 - 3.0 * 2.0 ** -np.arange(5)).laws()}["limit"]
    assert limit.coefficient == pytest.approx(-3.0, abs=0.1)
    assert limit.log2_level == pytest.approx(-8.0, abs=0.05)


def test_one_law_with_one_scatter_is_bayesian_regression() -> None:
    """The closed form agrees with a grid over level and coefficient."""
    law, x = Law("drift", False, 0.3), np.array([-8.0, -7.9, -7.6])
    points = [Point(w, y, 0.1) for w, y in zip(WIDTHS, x, strict=False)]
    averaged = averaged_law(points, [law])
    level, slope = np.meshgrid(np.linspace(-10, -6, 801), np.linspace(-1.5, 1.5, 601))
    prior = stats.norm.pdf(slope, 0, 0.3)
    for component, scatter in zip(averaged.components, SCATTERS, strict=True):
        sd = np.hypot(0.1, scatter)
        weight = prior * np.prod(
            [stats.norm.pdf(y, level + slope * k, sd) for k, y in enumerate(x)], axis=0
        )
        # The normal density's own constants are the same for all laws and scatters.
        evidence = weight.sum() * (4 / 800) * (3 / 600) * (2 * np.pi)
        assert component.log_evidence == pytest.approx(np.log(evidence), abs=1e-3)
        assert component.mean[1] == pytest.approx((weight * slope).sum() / weight.sum(), abs=1e-3)


def test_what_three_optima_leave_open_widens_with_the_distance() -> None:
    def lengths(law: AveragedLaw) -> list[float]:
        ends = [law.at(512 * 2**d) for d in (1, 2, 4)]
        return [m.quantile(0.975) - m.quantile(0.025) for m in ends]

    three = lengths(fitted(np.full(3, -8.0), widths=WIDTHS[2:]))
    six = lengths(fitted(np.full(6, -8.0), widths=(16, *WIDTHS)))
    assert three[0] < three[1] < three[2]
    assert all(a > 1.5 * b for a, b in zip(three, six, strict=True))


def test_optima_that_scatter_have_a_wider_prediction() -> None:
    scattered = np.array([-8.3, -7.7, -8.3, -7.7, -8.3])
    still, wild = (fitted(x).at(1024) for x in (np.full(5, -8.0), scattered))
    assert wild.quantile(0.975) - wild.quantile(0.5) > 2 * (
        still.quantile(0.975) - still.quantile(0.5)
    )


def test_steps_and_batch_size_have_a_power_law_and_no_limit() -> None:
    for axis in ("steps", "batch_size"):
        names = [law.name for law in laws_of(axis, scaled=True)]
        assert names == ["constant", "power law"]
    wide, narrow = (laws_of("width", scaled=s)[1].sd for s in (False, True))
    assert wide > narrow


def test_a_quantile_is_that_of_the_mixture() -> None:
    mixture = Mixture(np.array([0.3, 0.7]), np.array([-1.0, 2.0]), np.array([0.5, 1.0]))
    for share in (0.01, 0.3, 0.5, 0.99):
        x = mixture.quantile(share)
        below = 0.3 * stats.norm.cdf(x, -1, 0.5) + 0.7 * stats.norm.cdf(x, 2, 1)
        assert below == pytest.approx(share, abs=1e-9)
    wider = mixture.with_error(2.0)
    assert wider.sd == pytest.approx([np.hypot(0.5, 2), np.hypot(1, 2)])
