"""What a study runs for its verdict, as numbers."""

from dataclasses import dataclass
from typing import Literal

Check = Literal["slices", "star"]


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
