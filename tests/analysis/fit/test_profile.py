"""The closed forms of a profile against scipy and a fine grid of sizes."""

from functools import cache

import numpy as np
import pytest
from scipy.optimize import brentq, lsq_linear

from mutransfer.analysis.fit.profile import N_FINE, Profile, Values, profile_of
from mutransfer.analysis.fit.shapes import library

X = np.array([-3.0, -2.1, -1.0, -0.2, 0.9, 2.0, 2.8])
Y = 2.0 + 0.01 * np.where(X < 0, X**2, 1.7 * np.abs(X) ** 1.5)
ROOM = 4.0


@cache
def values() -> Values:
    """Values with correlated errors of a hundredth, start and stop beyond them."""
    rng = np.random.default_rng(3)
    mix = rng.normal(0, 0.002, (X.size, X.size))
    precision = np.linalg.inv(1e-4 * np.eye(X.size) + mix @ mix.T)
    return Values(
        log2_x=X,
        mean=Y + rng.normal(0, 0.01, X.size),
        precision=precision,
        start=X[0] - 1.0,
        stop=X[-1] + 1.0,
    )


@cache
def profile() -> Profile:
    return profile_of(values())


@cache
def nodes() -> list[Profile]:
    """Single nodes that fit: some with a ratio within its bounds, some on a bound."""
    rng, whole, shapes = np.random.default_rng(0), profile(), library()
    fits = np.flatnonzero(whole.misfit < whole.least_misfit + 0.9 * ROOM)
    ratio = whole.sizes[1][fits] / whole.sizes[0][fits]
    bounds = shapes.least[whole.pair[fits]], shapes.greatest[whole.pair[fits]]
    is_bound = np.isclose(ratio, bounds[0]) | np.isclose(ratio, bounds[1])
    picked = [rng.choice(fits[is_bound == on], 6, replace=False) for on in (False, True)]
    return [whole.at([i]) for i in np.concatenate(picked)]


def columns(node: Profile) -> np.ndarray:
    """A constant and the sides of the curve at the two bounds of the ratio, (P, 3)."""
    shapes, pair = library(), node.pair[0]
    distance = X - node.location[0]
    left = shapes.at(shapes.left[pair], -distance)
    right = shapes.at(shapes.right[pair], distance)
    return np.stack(
        [np.ones(X.size), *(left + right * r for r in (shapes.least[pair], shapes.greatest[pair]))],
        axis=1,
    )


def least(node: Profile, level: float | None = None) -> tuple[np.ndarray, float]:
    """Level and sizes at the bounds of the ratio of the best curve, and its misfit, by scipy.

    A curve within the bounds is a sum, with sizes ≥ 0, of the two on the bounds.
    """
    root = np.linalg.cholesky(values().precision).T
    design, target = columns(node), values().mean
    if level is not None:
        design, target = design[:, 1:], target - level
    low = [-np.inf, 0, 0][-design.shape[1] :]
    found = lsq_linear(root @ design, root @ target, (low, np.inf), method="bvls", tol=1e-14)
    return found.x, float(2 * found.cost)


def test_curves_levels_and_misfits_are_those_of_least_squares_within_the_bounds() -> None:
    for node in nodes():
        (level, *sizes), misfit = least(node)
        assert node.misfit[0] == pytest.approx(misfit, rel=1e-6)
        assert node.level[0] == pytest.approx(level, abs=1e-6)
        curve = [float((node.sides_at(x) * node.sizes).sum()) for x in X]
        np.testing.assert_allclose(curve, columns(node)[:, 1:] @ sizes, atol=1e-6)
        np.testing.assert_allclose(
            node.mean_curve(np.ones(1)).at(X), node.level + curve, atol=1e-12
        )


def test_the_mean_curve_is_that_of_the_curves_of_all_nodes() -> None:
    weight = np.linspace(0.0, 1.0, profile().pair.size)
    weight /= weight.sum()
    sides = [(profile().sides_at(x) * profile().sizes).sum(axis=0) for x in X]
    expected = [weight @ (profile().level + curve) for curve in sides]
    np.testing.assert_allclose(profile().mean_curve(weight).at(X), expected, atol=1e-12)


def misfits(node: Profile, sizes: np.ndarray) -> np.ndarray:
    """The misfit of a node with sizes at the bounds of its ratio, (M, 2), over its levels, (M,)."""
    precision = values().precision
    residual = values().mean - sizes @ columns(node)[:, 1:].T
    weight = precision.sum(axis=0)
    residual = residual - (residual @ weight / weight.sum())[:, None]
    return np.einsum("mp,pq,mq->m", residual, precision, residual)


def sizes_that_fit(node: Profile, limit: float) -> np.ndarray:
    """The sizes at the bounds of the ratio whose misfit is under a limit, on a grid, (M, 2)."""
    best = least(node)[0][1:]
    grids = [np.linspace(0, 2 * best.sum() + 0.02, 201)] * 2
    for _ in range(3):
        sizes = np.stack(np.meshgrid(*grids), axis=-1).reshape(-1, 2)
        sizes = sizes[misfits(node, sizes) <= limit]
        steps = [grid[1] - grid[0] for grid in grids]
        grids = [
            np.linspace(max(column.min() - step, 0), column.max() + step, 101)
            for column, step in zip(sizes.T, steps, strict=True)
        ]
    return sizes


@pytest.mark.parametrize("log2_x", [-2.4, 0.1, 1.7])
def test_excess_bounds_are_those_of_a_fine_grid_of_sizes(log2_x: float) -> None:
    whole = profile()
    all_ends = []
    # Within half a step of a minimum the least excess is 0.
    for node in (n for n in nodes() if abs(n.location[0] - log2_x) > 0.02):
        sizes = sizes_that_fit(node, whole.least_misfit + ROOM)
        shapes, pair = library(), node.pair[0]
        side = node.sides_at(log2_x)[:, 0]
        gains = side[0] + side[1] * np.array([shapes.least[pair], shapes.greatest[pair]])
        excess = sizes @ gains
        # The room of one node is counted from its own least misfit.
        found = node.excess_bounds(log2_x, whole.least_misfit + ROOM - node.least_misfit)
        error = 0.05 * np.ptp(excess)
        assert found == pytest.approx((excess.min(), excess.max()), abs=error)
        all_ends.append(found)
    bounds = whole.excess_bounds(log2_x, ROOM)
    assert bounds[0] <= min(low for low, _ in all_ends)
    assert bounds[1] >= max(high for _, high in all_ends)
    assert len(all_ends) > 6 and (bounds[0] == 0) == (log2_x == 0.1)


def level_ends(node: Profile, limit: float) -> tuple[float, float]:
    """The levels at which the least misfit of a node is the limit."""
    level = least(node)[0][0]

    def spare(at: float) -> float:
        return least(node, at)[1] - limit

    return brentq(spare, level - 1.0, level), brentq(spare, level, level + 1.0)


def test_minimum_bounds_are_those_of_a_search_over_levels() -> None:
    """Exactly, but where the best sizes are within their bounds and others that fit are not."""
    whole = profile()
    limit = whole.least_misfit + ROOM
    bounds = whole.minimum_bounds(ROOM)
    errors = []
    for node in nodes():
        ends = level_ends(node, limit)
        errors.append(np.subtract(node.minimum_bounds(limit - node.least_misfit), ends))
        assert bounds[0] <= ends[0] + 1e-5 and bounds[1] >= ends[1] - 1e-5
        assert ends[1] - ends[0] > 0.005
    assert np.median(np.abs(errors)) < 1e-5 and np.abs(errors).max() < 5e-4


def test_a_loss_to_compare_with_widens_the_bounds_of_the_level_by_its_variance() -> None:
    node = profile().at([int(profile().misfit.argmin())])
    low, high = node.minimum_bounds(ROOM)
    wide = node.minimum_bounds(ROOM, variance=1e-4)
    plain = ((high - low) / 2) ** 2 / ROOM
    assert ((wide[1] - wide[0]) / 2) ** 2 / ROOM == pytest.approx(plain + 1e-4)


def test_location_bounds_are_the_outermost_locations_at_which_some_shape_fits() -> None:
    whole = profile()
    low, high = whole.location_bounds(ROOM)
    limit = whole.least_misfit + ROOM
    step = (whole.locations[1] - whole.locations[0]) / N_FINE

    def best_at(location: float) -> float:
        """The least misfit over all pairs, from a profile of this location alone."""
        point = profile_of(Values(**{**vars(values()), "start": location, "stop": location}))
        return point.least_misfit

    assert best_at(low) <= limit + 1e-6 and best_at(high) <= limit + 1e-6
    assert best_at(low - step) > limit and best_at(high + step) > limit
    assert whole.location_bounds(2 * ROOM)[0] < low


def test_the_whole_range_is_tried_though_only_what_fits_is_kept() -> None:
    whole = profile()
    assert (whole.locations[0], whole.locations[-1]) == (values().start, values().stop)
    assert whole.least.min() >= whole.least_misfit - 1e-9
    assert whole.least[0] > whole.least_misfit + ROOM
    one = profile_of(Values(**{**vars(values()), "start": 0.5, "stop": 0.5}))
    assert set(one.location) == {0.5}
