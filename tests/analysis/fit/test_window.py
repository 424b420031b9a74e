"""The window: the values near the best one, up to the nearest diverged ones."""

import dataclasses

import numpy as np

from mutransfer.analysis.fit.window import window_of
from tests.analysis.fit.planted_slices import slices

X = np.arange(-15.0, -4.0)


def test_the_window_reaches_four_octaves_or_two_steps() -> None:
    (slice_,) = slices(1, log2_x=X)
    assert window_of(slice_, 1.0, None).center == -9.0
    np.testing.assert_array_equal(X[window_of(slice_, 1.0, None).near], np.arange(-13.0, -4.0))
    assert window_of(slice_, 3.0, None).near.all()


def test_the_window_ends_before_a_diverged_value_though_others_beyond_finished() -> None:
    (slice_,) = slices(1, log2_x=X)
    diverged = X == -7.0
    loss = np.where(diverged[:, None], np.nan, slice_.loss)
    window = window_of(dataclasses.replace(slice_, loss=loss, diverged=diverged), 1.0, None)
    assert X[window.near].max() == -8.0
    assert np.isfinite(window.means[X == -6.0]).all()


def test_a_pinned_value_is_not_on_the_curve() -> None:
    (slice_,) = slices(1, log2_x=X)
    window = window_of(slice_, 1.0, -10.0)
    assert window.kept[X == -10.0].all()
    np.testing.assert_array_equal(window.on_curve, window.kept & (X != -10.0))
    np.testing.assert_array_equal(window_of(slice_, 1.0, -10.5).on_curve, window.kept)
