"""HP values that differ by rounding are one value."""

from collections.abc import Iterator

import numpy as np

from mutransfer.words import SAME_VALUE, round_hp

# Values this close are one: three digits are within 0.5 % of the number that they stand for. The
# first distance joins what was rounded to four digits where values as such are closer than 1 %.
SAME = (0.001, SAME_VALUE)
# From here to 1 a value is told by its distance from 1: 0.99 and 0.999 are two momenta.
NEAR_ONE = 0.9
# Of more values than this, those within one step of `SAME_VALUE` on a log scale are one: a curve
# through 10^5 values shows no more than one through some hundred, and does not fit into memory.
MOST_VALUES = 1000


def one_value(values: np.ndarray) -> np.ndarray:
    """Return for each value the one that stands for it, (N,); null and values ≤ 0 stay.

    Values are rounded to 6 digits first. Those within `SAME` of each other are one where all that
    are linked in this way span no more: values that are as such 0.9 % apart stay distinct, unless
    they are more than `MOST_VALUES`. The one with most digits stands for them, of several the one
    that occurs most often.

    Args:
        values: HP values, (N,).
    """
    distinct, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    rounded = np.array([round_hp(value) for value in distinct.tolist()])
    digits = np.array([_n_digits(value) for value in rounded.tolist()])
    for distance in SAME:
        joined = rounded.copy()
        for group in _groups(rounded, np.log1p(distance) + 1e-12):
            joined[group] = rounded[max(group, key=lambda i: (digits[i], counts[i]))]
        rounded = joined
    if np.unique(rounded).size > MOST_VALUES:
        for where, x in _log_scales(rounded):
            _, first, step = np.unique(
                np.floor(x / np.log1p(SAME_VALUE)), return_index=True, return_inverse=True
            )
            rounded[where] = rounded[where][first][step]
    return rounded[index]


def _groups(values: np.ndarray, distance: float) -> Iterator[np.ndarray]:
    """The indices of ascending values that are one, as far as there are two or more."""
    for where, x in _log_scales(values):
        linked = np.flatnonzero(np.diff(x, prepend=np.nan) <= distance)
        for link in np.split(linked, np.flatnonzero(np.diff(linked) > 1) + 1):
            if link.size and x[link[-1]] - x[link[0] - 1] <= distance:
                yield where[link[0] - 1 : link[-1] + 1]


def _log_scales(values: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The indices of the positive values, far from 1 and near it, with their logarithms."""
    is_near = (values > NEAR_ONE) & (values < 1)
    far, near = np.flatnonzero((values > 0) & ~is_near), np.flatnonzero(is_near)
    yield far, np.log(values[far])
    yield near, -np.log(1 - values[near])


def _n_digits(value: float) -> int:
    """The number of significant digits of a value that has at most 6."""
    return len(f"{value:.5e}".partition("e")[0].rstrip("0.").replace(".", "")) - (value < 0)
