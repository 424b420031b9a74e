"""What a verdict is asked about, and the slices that answer it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import pandas as pd

from mutransfer.analysis.fit.minimum import LEVEL
from mutransfer.analysis.table.axis import WORDS, at
from mutransfer.analysis.table.slice import Slice, slice_of
from mutransfer.words import Axis

ToleranceKind = Literal["rel_loss", "abs_loss", "share_of_width_gain"]


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """The regret that the user accepts, fixed before looking; it never depends on noise.

    Attributes:
        kind: ``rel_loss``: a share of the best loss at the target; ``abs_loss``: a loss;
            ``share_of_width_gain``: a share of the best loss at the search width minus the
            best loss at the target.
        value: The number, > 0.

    Raises:
        ValueError: unknown kind, or a value not above 0.
    """

    kind: ToleranceKind
    value: float

    def __post_init__(self) -> None:
        """Refuse an unknown kind and a value not above 0."""
        if self.kind not in get_args(ToleranceKind):
            raise ValueError(
                f"tolerance.kind: one of {get_args(ToleranceKind)}; got {self.kind!r}; pick one"
            )
        if not 0 < self.value < float("inf"):
            raise ValueError(
                f"tolerance.value: above 0; got {self.value}; choose the loss you can accept"
            )

    def in_loss(self, *, target_best: float | None, search_best: float | None) -> float | None:
        """Return the tolerance as a loss; None if the losses it rests on are missing.

        A width gain that is not above 0 gives 0: no regret is a small share of it.
        """
        if self.kind == "abs_loss":
            return self.value
        if target_best is None:
            return None
        if self.kind == "rel_loss":
            return self.value * abs(target_best)
        if search_best is None:
            return None
        return self.value * max(search_best - target_best, 0.0)

    @property
    def text(self) -> str:
        """The tolerance in words."""
        return {
            "rel_loss": f"{100 * self.value:g} % of the best loss at the target",
            "abs_loss": f"{self.value:g} in loss",
            "share_of_width_gain": f"{100 * self.value:g} % of what the width gains in loss",
        }[self.kind]


@dataclass(frozen=True, kw_only=True)
class TransferQuestion:
    """Everything a verdict rests on besides the table.

    Attributes:
        parameters: Names of the sliced HPs.
        search_at: Place of the search; one of ``axis_values``.
        axis_values: The ladder: places on the axis.
        target_at: Place of the check.
        base_width: Width at which base HPs are written.
        seeds: Seeds of the ladder slices.
        target_seeds: Seeds of the target slices and of the transferred set there.
        spacing_log2: Lattice step, octaves.
        tolerance: Accepted regret.
        control: The control's arm: ``sp`` along width, ``unscaled`` along another axis; or None.
        control_parameters: HPs that the control slices too.
        center: All HPs: what the ladder slices hold fixed.
        transferred: All HPs of the transferred set, None as long as it is not chosen.
        transferred_flags: Remarks on single HPs of that set.
        search_best: All HPs of the best search trial.
        defaults: Values somebody would take untuned; their regret is told beside.
        axis: Along which transfer is asked about.
        rule: Name of the rule that scales base HPs along it; None: they are kept.
        n_interim: How often more trials were asked for once a verdict could be seen
            (``--settle``, or more seeds or axis values in the spec).
    """

    parameters: tuple[str, ...]
    search_at: int
    axis_values: tuple[int, ...]
    target_at: int
    base_width: int
    seeds: tuple[int, ...]
    target_seeds: tuple[int, ...]
    spacing_log2: float
    tolerance: Tolerance
    center: Mapping[str, float | None]
    control: Literal["sp", "unscaled"] | None = None
    control_parameters: tuple[str, ...] = ()
    transferred: Mapping[str, float | None] | None = None
    transferred_flags: Mapping[str, list[str]] = field(default_factory=dict)
    search_best: Mapping[str, float | None] | None = None
    defaults: Mapping[str, float] = field(default_factory=dict)
    axis: Axis = "width"
    rule: str | None = None
    n_interim: int = 0

    @property
    def one(self) -> str:
        """What the axis is called: width, batch size, and so on."""
        return WORDS[self.axis].one

    def at(self, place: int) -> str:
        """Return a place in words: width 128, 300 steps."""
        return at(self.axis, place)

    def slice(
        self,
        df: pd.DataFrame,
        hp: str,
        fixed: Mapping[str, float | None],
        place: int,
        arm: str,
        seeds: tuple[int, ...],
    ) -> Slice:
        """Return the slice of an HP at a place; see `analysis.slices.slice_of`."""
        # Where base HPs are written a rule does nothing: its arms share the rows of the search.
        base = None if self.axis == "width" else self.search_at
        return slice_of(
            df,
            hp=hp,
            fixed=fixed,
            axis_value=place,
            arm=arm,
            seeds=seeds,
            axis=self.axis,
            base=base,
        )

    @property
    def level(self) -> float:
        """Confidence of a bound: 0.95 at the first look, half the rest at each further one.

        A bound at ``level`` is a t bound of (1 + level)/2 on one side (`transfer.regret`): it is
        wrong in 2.5 % of the first looks, in 1.25 % of the second ones and so on, together in
        at most 5 %, however often more trials are asked for.
        """
        return 1 - (1 - LEVEL) / 2**self.n_interim
