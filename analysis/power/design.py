"""What a study runs for its verdict, as numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Check = Literal["slices", "star"]


class SliceDesign(NamedTuple):
    """The values of a slice before it is extended, their distance in octaves, and their seeds."""

    points: int
    spacing_log2: float
    seeds: int


@dataclass(frozen=True, kw_only=True)
class Design:
    """The slices of a study; those of all HPs are alike.

    Attributes:
        n_hps: Number of sliced HPs.
        axis_values: Axis values of the ladder, ascending, with that of the search.
        search_at: Axis value of the search.
        target_at: Axis value of the check.
        points, target_points: Values of a slice of the ladder and at the target, before it is
            extended.
        seeds, target_seeds: Seeds of each value.
        spacing_log2: Lattice step, octaves.
        refine: A value is added half a step on either side of the best one.
        max_extend: Most values that are added on a side until the minimum is bracketed.
        tolerance_rel: Accepted regret, share of the best loss.
        check: How the target is checked: by slices, or by a star, which has no ``target_points``
            and ``target_seeds``.
        max_looks: Most batches of a star.
        at: Slices of the ladder of another size, by axis value.
    """

    n_hps: int
    axis_values: tuple[int, ...]
    search_at: int
    target_at: int
    points: int
    target_points: int
    seeds: int
    target_seeds: int
    spacing_log2: float
    refine: bool
    max_extend: int
    tolerance_rel: float
    check: Check = "slices"
    max_looks: int = 0
    at: Mapping[int, SliceDesign] = field(default_factory=dict)

    def slice_at(self, axis_value: int) -> SliceDesign:
        """Return the slices of the ladder at an axis value."""
        usual = SliceDesign(self.points, self.spacing_log2, self.seeds)
        return self.at.get(axis_value, usual)
