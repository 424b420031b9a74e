"""HP values that differ by rounding are one value; values that are apart stay apart."""

import numpy as np
import pytest

from mutransfer.analysis.table.one_value import MOST_VALUES, one_value

LATTICE = 2.0 ** np.arange(-14, -4)


@pytest.mark.parametrize("digits", [3, 4, 5])
def test_rounded_values_are_the_value_that_was_rounded(digits: int) -> None:
    rounded = np.array([float(f"{x:.{digits}g}") for x in LATTICE])
    assert len({*rounded, *LATTICE}) > len(LATTICE)  # the control
    joined = one_value(np.concatenate([rounded, LATTICE]))
    np.testing.assert_allclose(joined, np.tile(LATTICE, 2), rtol=1e-5)


def test_values_within_one_percent_are_one() -> None:
    rng = np.random.default_rng(0)
    values = np.repeat(LATTICE, 6) * rng.uniform(0.9955, 1.0045, 6 * len(LATTICE))
    joined = one_value(values).reshape(-1, 6)
    assert (joined == joined[:, :1]).all() and len(np.unique(joined)) == len(LATTICE)


@pytest.mark.parametrize(
    "values",
    [
        1e-3 * 1.009 ** np.arange(40),  # dense as such
        2.0 ** (np.arange(-40, 0) / 4),
        np.array([1e-3, 1.02e-3]),
        np.array([0.9, 0.95, 0.99, 0.995, 0.999, 0.9999]),  # momenta
        np.array([-1.0, -1.001, 0.0]),
    ],
)
def test_values_that_are_apart_stay_distinct(values: np.ndarray) -> None:
    np.testing.assert_allclose(one_value(values), values, rtol=1e-5)
    assert len(np.unique(one_value(values))) == len(values)


def test_values_rounded_to_four_digits_are_one_where_others_are_closer_than_one_percent() -> None:
    dense = 1e-3 * 1.009 ** np.arange(12)
    values = np.concatenate([dense, [float(f"{x:.4g}") for x in dense]])
    assert len(np.unique(one_value(values))) == len(dense)


def test_null_stays_null_and_order_is_kept() -> None:
    values = np.array([0.002, np.nan, 0.001, 0.00100001])
    joined = one_value(values)
    assert joined[0] == 0.002 and np.isnan(joined[1]) and joined[2] == joined[3]
    assert one_value(np.array([])).size == 0


def test_very_many_values_become_some_hundred_and_move_by_two_percent_at_most() -> None:
    values = 2.0 ** np.random.default_rng(0).uniform(-12, -4, 10 * MOST_VALUES)
    joined = one_value(values)
    assert len(np.unique(joined)) < MOST_VALUES
    np.testing.assert_allclose(joined, values, rtol=0.0202)
