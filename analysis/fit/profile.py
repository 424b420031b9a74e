"""The profile of a slice: how well each shape fits with its minimum at each location.

A node is a pair of sides with its minimum at x*. In it the curve is linear in its level and the
sizes a and b of its sides, so that the best curve of a node, the least misfit under a given regret
and the largest regret within a given misfit have closed forms. A profile over nodes gives estimates
and the sets of values that the data do not reject.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from mutransfer.analysis.fit.shapes import library

# Largest distance between locations in a first pass over all shapes, octaves; where that fits
# there are N_FINE times as many.
COARSE, N_FINE = 0.16, 4
# Locations up to this far beyond the outermost values, octaves, unless a wall ends them.
BEYOND = 1.5
# Nodes whose misfit exceeds the least by more than this are left out: no bound reaches so far.
MAX_EXCESS = 60.0
TINY = 1e-12


@dataclass(frozen=True, kw_only=True, eq=False)
class Values:
    """The values that a curve is fitted to.

    Attributes:
        log2_x: (P,) their log2.
        mean: (P,) mean losses.
        precision: (P, P) inverse covariance of the means about a curve of the library.
        start, stop: First and last location of the minimum, log2.
    """

    log2_x: np.ndarray
    mean: np.ndarray
    precision: np.ndarray
    start: float
    stop: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Profile:
    """The nodes that fit, with their normal equations; the level is eliminated from these.

    Attributes:
        pair: (N,) index of the pair in the library.
        location: (N,) log2 of the minimum.
        normal: (5, N) a·a, a·b and b·b terms of the quadratic form in the sizes, and its
            linear terms in a and in b.
        total: Misfit of a constant.
        offset: (2, N) weighted means of the two sides: the level is mean − a·offset[0] −
            b·offset[1].
        mean: Weighted mean of the values.
        mean_variance: Its variance.
        n_values: Number of values.
        locations: (L,) locations of the first pass, ascending, and ``least`` (L,), the
            least misfit at each.
    """

    pair: np.ndarray
    location: np.ndarray
    normal: np.ndarray
    total: float
    offset: np.ndarray
    mean: float
    mean_variance: float
    n_values: int
    locations: np.ndarray
    least: np.ndarray

    def at(self, nodes: np.ndarray) -> "Profile":
        """Return the profile of some of the nodes, a mask or an index."""
        return replace(
            self,
            pair=self.pair[nodes],
            location=self.location[nodes],
            normal=self.normal[:, nodes],
            offset=self.offset[:, nodes],
        )

    @cached_property
    def sizes(self) -> np.ndarray:
        """(2, N) sizes of the sides of the best curve of each node."""
        return self._best[0]

    @cached_property
    def misfit(self) -> np.ndarray:
        """(N,) misfit of that curve: weighted sum of squares."""
        return self._best[1]

    @cached_property
    def least_misfit(self) -> float:
        """The misfit of the best curve of all."""
        return float(self.misfit.min())

    @cached_property
    def level(self) -> np.ndarray:
        """(N,) lowest loss of the best curve of each node."""
        return self.mean - (self.sizes * self.offset).sum(axis=0)

    @cached_property
    def _bounds(self) -> tuple[np.ndarray, np.ndarray]:
        shapes = library()
        return shapes.least[self.pair], shapes.greatest[self.pair]

    @cached_property
    def _determinant(self) -> np.ndarray:
        aa, ab, bb = self.normal[:3]
        determinant = aa * bb - ab**2
        return np.where(determinant > 1e-9 * np.maximum(aa * bb, TINY), determinant, np.nan)

    @cached_property
    def _free(self) -> tuple[np.ndarray, np.ndarray]:
        """(2, N) sizes with no bounds, and their misfit (N,); NaN where a side has no values."""
        aa, ab, bb, a, b = self.normal
        with np.errstate(invalid="ignore"):
            sizes = np.stack([bb * a - ab * b, aa * b - ab * a]) / self._determinant
            return sizes, self.total - sizes[0] * a - sizes[1] * b

    def _in_bounds(self, sizes: np.ndarray) -> np.ndarray:
        least, greatest = self._bounds
        with np.errstate(invalid="ignore"):
            return (
                (sizes[0] > 0) & (sizes[1] >= least * sizes[0]) & (sizes[1] <= greatest * sizes[0])
            )

    @cached_property
    def _edges(self) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], ...]:
        """For each bound of the ratio: the ratio, best a ≥ or < 0, its precision, its misfit."""
        aa, ab, bb, a, b = self.normal
        edges = []
        for ratio in self._bounds:
            precision = np.maximum(aa + 2 * ab * ratio + bb * ratio**2, TINY)
            slope = a + b * ratio
            edges.append((ratio, slope / precision, precision, self.total - slope**2 / precision))
        return tuple(edges)

    @cached_property
    def _best(self) -> tuple[np.ndarray, np.ndarray]:
        free, misfit = self._free
        inside = self._in_bounds(free)
        sizes, best = np.where(inside, free, 0.0), np.where(inside, misfit, self.total)
        for ratio, a, _, edge_misfit in self._edges:
            better = (a > 0) & (edge_misfit < best) & ~inside
            best = np.where(better, edge_misfit, best)
            sizes = np.where(better, np.stack([a, a * ratio]), sizes)
        return sizes, best

    def sides_at(self, log2_x: float) -> np.ndarray:
        """Return the losses of the two sides of each node at a value, (2, N), one of them 0."""
        shapes = library()
        distance = log2_x - self.location
        return np.stack(
            [
                shapes.at(shapes.left[self.pair], -distance),
                shapes.at(shapes.right[self.pair], distance),
            ]
        )

    def mean_curve(self, weight: np.ndarray) -> "MeanCurve":
        """Return the mean of the best curves of all nodes.

        Args:
            weight: (N,) weights of the nodes, of sum 1.
        """
        shapes = library()
        locations, at = np.unique(self.location, return_inverse=True)
        parts = []
        for sign, side, size in zip(
            (-1.0, 1.0), (shapes.left, shapes.right), self.sizes, strict=True
        ):
            # Nodes that share a side and a location are one term: a flat slice has 10⁵ nodes.
            sums = np.bincount(side[self.pair] * locations.size + at, weight * size)
            terms = np.flatnonzero(sums)
            side_of, i = np.divmod(terms, locations.size)
            parts.append((side_of, locations[i], np.full(terms.size, sign), sums[terms]))
        columns = (np.concatenate(column) for column in zip(*parts, strict=True))
        return MeanCurve(float(weight @ self.level), *columns)

    def excess_bounds(self, log2_x: float, room: float) -> tuple[float, float]:
        """Return the least and the largest f(x) − min f of curves that fit, loss.

        The least is 0 where a minimum within half a step of the locations of x fits.

        Args:
            log2_x: The value x.
            room: How much the misfit may exceed the least one.
        """
        side = self.sides_at(log2_x)
        limit = self.least_misfit + room
        fits = self.misfit <= limit
        # On an edge of the bounds the curve has one size.
        low, high = np.where(self.total <= limit, 0.0, np.inf), np.zeros(self.pair.size)
        for ratio, a, precision, misfit in self._edges:
            half = np.sqrt(np.maximum(limit - misfit, 0.0) / precision)
            gain = side[0] + side[1] * ratio
            allowed = (misfit <= limit) & (a + half > 0)
            high = np.where(allowed, np.maximum(high, gain * (a + half)), high)
            low = np.where(allowed, np.minimum(low, gain * np.maximum(a - half, 0.0)), low)
        # Between them: the end of the ellipse of sizes in the direction of the side that holds x.
        free, misfit = self._free
        aa, ab, bb = self.normal[:3]
        with np.errstate(invalid="ignore", divide="ignore"):
            spare = np.maximum(limit - misfit, 0.0) / self._determinant
            on_right = side[1] > 0
            step = np.where(
                on_right,
                np.stack([-ab, aa]) * np.sqrt(spare / np.maximum(aa, TINY)),
                np.stack([bb, -ab]) * np.sqrt(spare / np.maximum(bb, TINY)),
            )
            for sign in (-1.0, 1.0):
                sizes = free + sign * step
                allowed = self._in_bounds(sizes) & (misfit <= limit)
                excess = np.where(allowed, (side * sizes).sum(axis=0), np.nan)
                high = np.fmax(high, excess)
                low = np.fmin(low, excess)
        step = (self.locations[1] - self.locations[0]) / N_FINE
        is_minimum = np.abs(self.location[fits] - log2_x).min() <= step / 2
        return 0.0 if is_minimum else float(low[fits].min()), float(high[fits].max())

    def minimum_bounds(self, room: float, variance: float = 0.0) -> tuple[float, float]:
        """Return the least and the largest min f of curves that fit, loss.

        Args:
            room: How much the misfit may exceed the least one.
            variance: Of a loss that the level is compared with, loss².
        """
        spare = self.least_misfit + room - self.misfit
        fits = spare >= 0
        half = np.sqrt(np.maximum(spare, 0.0) * (self._minimum_variance + variance))
        return float((self.level - half)[fits].min()), float((self.level + half)[fits].max())

    @cached_property
    def _minimum_variance(self) -> np.ndarray:
        """(N,) variance of the level of the best curve of each node."""
        aa, ab, bb = self.normal[:3]
        left, right = self.offset
        with np.errstate(invalid="ignore"):
            free = (bb * left**2 - 2 * ab * left * right + aa * right**2) / self._determinant
        ratio = self.sizes[1] / np.maximum(self.sizes[0], TINY)
        precision = np.maximum(aa + 2 * ab * ratio + bb * ratio**2, TINY)
        edge = (left + ratio * right) ** 2 / precision
        inside = self._in_bounds(self._free[0])
        return self.mean_variance + np.where(inside, free, np.where(self.sizes[0] > 0, edge, 0.0))

    def location_bounds(self, room: float) -> tuple[float, float]:
        """Return the first and the last location of the minimum of curves that fit, log2."""
        at = self.location[self.misfit <= self.least_misfit + room]
        return float(at.min()), float(at.max())


class MeanCurve(NamedTuple):
    """A level and a sum of sides.

    Attributes:
        level: Loss.
        side: (T,) index of a side in the library.
        location: (T,) log2 of where it begins.
        sign: (T,) 1: it lies above its location; −1: below.
        size: (T,) its loss at one octave.
    """

    level: float
    side: np.ndarray
    location: np.ndarray
    sign: np.ndarray
    size: np.ndarray

    def at(self, log2_x: np.ndarray) -> np.ndarray:
        """Return its losses at values, (X,)."""
        distance = self.sign[:, None] * (log2_x - self.location[:, None])
        return self.level + self.size @ library().at(self.side[:, None], distance)


def profile_of(values: Values) -> Profile:
    """Return the profile of values: all shapes on a coarse grid, those that fit on a fine one."""
    n = max(int(np.ceil((values.stop - values.start) / COARSE)), 1)
    grid = Grid.of(values, np.linspace(values.start, values.stop, n * N_FINE + 1))
    n_pairs = library().left.size
    coarse = np.arange(0, n * N_FINE + 1, N_FINE)
    first = grid.profile(np.repeat(np.arange(n_pairs), coarse.size), np.tile(coarse, n_pairs))
    misfit = first.misfit.reshape(n_pairs, coarse.size)
    pair, at = np.nonzero(_widened(misfit <= first.least_misfit + MAX_EXCESS))
    near = coarse[at][:, None] + np.arange(-(N_FINE // 2), N_FINE // 2 + 1)
    inside = (near >= 0) & (near < grid.locations.size)
    fine = grid.profile(np.broadcast_to(pair[:, None], near.shape)[inside], near[inside])
    kept = fine.misfit <= fine.least_misfit + MAX_EXCESS
    return replace(fine.at(kept), locations=grid.locations[coarse], least=misfit.min(axis=0))


def _widened(near: np.ndarray) -> np.ndarray:
    """The mask with the neighbours, along the second axis, of what is in it."""
    wide = near.copy()
    wide[:, 1:] |= near[:, :-1]
    wide[:, :-1] |= near[:, 1:]
    return wide


class Grid(NamedTuple):
    """All sides about all locations, weighted by the values once for all pairs.

    Attributes:
        values: The values.
        locations: (L,) locations.
        left, right: (K, L, P) losses of the sides at the values.
        weighted: (K, L, P) ``left`` times the precision.
        terms: (6, K, L) for each side and location the quadratic, the linear term and the weighted
            mean, on the left and on the right.
    """

    values: Values
    locations: np.ndarray
    left: np.ndarray
    right: np.ndarray
    weighted: np.ndarray
    terms: np.ndarray

    @classmethod
    def of(cls, values: Values, locations: np.ndarray) -> "Grid":
        """Return the sides about locations, log2, (L,)."""
        shapes = library()
        distance = values.log2_x - locations[:, None]
        side = np.arange(len(shapes.sides))[:, None, None]
        weight = values.precision.sum(axis=1)
        centred = values.mean - weight @ values.mean / weight.sum()
        sides = [shapes.at(side, sign * distance) for sign in (-1, 1)]
        weighted = [s @ values.precision for s in sides]
        terms = [
            term
            for s, w in zip(sides, weighted, strict=True)
            for term in (
                np.einsum("klp,klp->kl", w, s) - (s @ weight) ** 2 / weight.sum(),
                w @ centred,
                s @ weight / weight.sum(),
            )
        ]
        return cls(values, locations, sides[0], sides[1], weighted[0], np.stack(terms))

    def profile(self, pair: np.ndarray, at: np.ndarray) -> Profile:
        """Return the profile of nodes, each a pair with its minimum at location ``at``."""
        shapes, values = library(), self.values
        left, right = shapes.left[pair], shapes.right[pair]
        weight = values.precision.sum(axis=1)
        mean = float(weight @ values.mean / weight.sum())
        centred = values.mean - mean
        aa, a, offset_a = self.terms[:3, left, at]
        bb, b, offset_b = self.terms[3:, right, at]
        ab = np.einsum("np,np->n", self.weighted[left, at], self.right[right, at])
        return Profile(
            pair=pair,
            location=self.locations[at],
            normal=np.stack([aa, ab - weight.sum() * offset_a * offset_b, bb, a, b]),
            total=float(centred @ values.precision @ centred),
            offset=np.stack([offset_a, offset_b]),
            mean=mean,
            mean_variance=float(1 / weight.sum()),
            n_values=values.mean.size,
            locations=np.zeros(0),
            least=np.zeros(0),
        )
