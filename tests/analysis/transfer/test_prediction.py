"""What a ladder predicts, against planted truth; `benchmarks/prediction` has the rates."""

import dataclasses

import numpy as np
import pytest

from mutransfer.analysis.fit.curve import Fit, fit_slice
from mutransfer.analysis.transfer.prediction import Prediction, location_error, predict
from mutransfer.analysis.transfer.profiled import profiled_optimum
from tests.analysis import planted
from tests.analysis.transfer.planted_fits import ladder

WIDTHS = (32, 64, 128, 256, 512)
LAST, OPTIMUM, TOLERANCE = 512, -8.3, 0.005


def predicted(fits: list[Fit], at: int = 1024, log2_x: float | None = OPTIMUM) -> Prediction:
    found = predict(fits, at, log2_x, tolerance_loss=TOLERANCE)
    assert found is not None
    return found


def test_a_ladder_that_stands_still_bounds_the_regret_beyond_it() -> None:
    for seed in range(3):
        found = predicted(ladder(0.0, seed, WIDTHS, noise=0.0005))
        assert found.holds and found.reasons == ()
        assert found.log2_low < OPTIMUM < found.log2_high
        assert 0 <= found.regret <= found.regret_upper < TOLERANCE
        assert (found.anchor, found.doublings) == (LAST, 1.0)


def test_a_drift_is_followed_and_costs_the_value_that_stayed() -> None:
    found = predicted(ladder(-0.3, 0, WIDTHS, noise=0.0005), 2048)
    truth = OPTIMUM - 0.3 * 6
    assert found.log2_low < truth < found.log2_high
    stayed = predicted(ladder(-0.3, 0, WIDTHS, noise=0.0005), 1024)
    assert not stayed.holds  # 1.5 octaves off: 0.02 of the loss
    own = predict(ladder(-0.3, 0, WIDTHS, noise=0.0005), 1024, None, tolerance_loss=TOLERANCE)
    assert own.regret_upper < 3 * TOLERANCE and own.log2_x is None


def test_the_bound_grows_with_the_distance() -> None:
    fits = ladder(0.05, 0, WIDTHS, noise=0.0005)
    bounds = [predicted(fits, LAST * 2**d).regret_upper for d in (1, 2, 4)]
    assert bounds[0] < bounds[1] < bounds[2]


def test_three_axis_values_promise_nothing() -> None:
    three = predicted(ladder(0.0, 0, WIDTHS[2:], noise=0.0005))
    assert not three.holds and "three promise nothing" in three.reasons[0]
    assert predicted(ladder(0.0, 0, WIDTHS[1:], noise=0.0005)).holds
    assert predict(ladder(0.0, 0, WIDTHS[3:]), 1024, OPTIMUM, tolerance_loss=TOLERANCE) is None


def test_a_ladder_that_does_not_predict_its_own_widest_promises_nothing() -> None:
    fits = ladder(0.0, 0, WIDTHS, noise=0.0005)
    far = dataclasses.replace(ladder(-1.5, 0, WIDTHS[:2], noise=0.0005)[1].slice, axis_value=LAST)
    found = predicted([*fits[:-1], fit_slice(far)])
    assert abs(found.left_out_z) > 1.96 and not found.holds
    assert any("misses the optimum at 512" in reason for reason in found.reasons)
    assert found.log2_high - found.log2_low > 2 * (
        predicted(fits).log2_high - predicted(fits).log2_low
    )


def test_one_seed_promises_nothing() -> None:
    fits = ladder(0.0, 0, WIDTHS, noise=0.0005)
    last = fits[-1].slice
    one = dataclasses.replace(last, loss=last.loss[:, :1], seeds=last.seeds[:1])
    assert any("One seed" in r for r in predicted([*fits[:-1], fit_slice(one)]).reasons)


def test_nothing_is_said_of_values_off_the_curve_or_near_a_divergence() -> None:
    fits = ladder(0.0, 0, WIDTHS, noise=0.0005)
    off = predicted(fits, log2_x=-4.0)
    assert off.regret_upper is None and any("leaves the values" in r for r in off.reasons)
    last = fits[-1].slice
    diverged = last.log2_x > -6.5
    loss = np.where(diverged[:, None], np.nan, last.loss)
    walled = dataclasses.replace(last, loss=loss, diverged=diverged)
    near = predicted([*fits[:-1], fit_slice(walled)], log2_x=-6.5)
    assert any("diverged" in reason for reason in near.reasons)
    assert not predicted([*fits[:-1], fit_slice(walled)], log2_x=-8.3).reasons


def test_a_curve_that_grows_steeper_has_a_larger_bound() -> None:
    rng = np.random.default_rng(0)

    def fits(growth: float) -> list[Fit]:
        return [
            fit_slice(
                planted.a_slice(
                    planted.parabola,
                    log2_opt=OPTIMUM,
                    noise_sd=0.0003,
                    n_seeds=2,
                    rng=rng,
                    log2_x=np.arange(-11.0, -5.0),
                    curvature=0.006 * growth**k,
                    width=width,
                )
            )
            for k, width in enumerate(WIDTHS)
        ]

    even, steeper = predicted(fits(1.0)), predicted(fits(1.3))
    assert even.steepness < 1.3 and steeper.steepness == pytest.approx(1.3**4, rel=0.2)
    assert steeper.regret_upper > 2 * even.regret_upper


def test_the_error_of_an_optimum_among_others_of_its_shape_is_that_of_draws() -> None:
    """Estimates of one shape differ by it; its bias, the same for all, is not in it."""
    fits = [f for seed in range(6) for f in ladder(0.0, seed, WIDTHS, noise=0.001)]
    seen = np.std([profiled_optimum(f).log2_opt for f in fits])
    claimed = np.median([location_error(f) for f in fits])
    assert 0.8 * seen < claimed < 3 * seen
    whole = np.median([np.ptp(f.profile.location_bounds(f.room(0.16))) / 2 for f in fits])
    assert claimed < whole
