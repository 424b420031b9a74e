"""The question of a verdict, and the tolerance that decides it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

import pandas as pd

from mutransfer.analysis.fit.optimum import CONFIDENCE
from mutransfer.analysis.table.arguments import plain_number, shown
from mutransfer.analysis.table.axis import AXIS_LABELS, axis_value_text
from mutransfer.analysis.table.slice import Slice, slice_of
from mutransfer.analysis.transfer.star import error_of_look
from mutransfer.words import Axis

ToleranceKind = Literal["rel_loss", "abs_loss", "share_of_width_gain"]


@dataclass(frozen=True, kw_only=True)
class Tolerance:
    """The regret that the user accepts, fixed before any result is seen; independent of noise.

    Attributes:
        kind: ``rel_loss``: a share of the best loss at the target; ``abs_loss``: a loss;
            ``share_of_width_gain``: a share of the best loss at the search minus the best
            loss at the target.
        value: The number, finite and > 0; kept as a plain int or float.
        of: What it is a share of, in sentences: the loss, or a score, of which more is better.

    Raises:
        ValueError: unknown kind, or a value that is no such number.
    """

    kind: ToleranceKind
    value: float
    of: Literal["loss", "score"] = "loss"

    def __post_init__(self) -> None:
        """Refuse an unknown kind and a value that is not a finite number above 0."""
        kinds = get_args(ToleranceKind)
        if not isinstance(self.kind, str) or self.kind not in kinds:
            raise ValueError(
                f"tolerance.kind: one of {', '.join(kinds)}; got {shown(self.kind)}; pick one"
            )
        value = plain_number(self.value)
        if value is None or value <= 0:
            raise ValueError(
                f"tolerance.value: a finite number above 0; got {shown(self.value)}; "
                "choose the loss you can accept"
            )
        object.__setattr__(self, "value", value)

    def in_loss(self, *, target_best: float | None, search_best: float | None) -> float | None:
        """Return the tolerance as a loss; None if a loss that it depends on is missing.

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

    def percents(self, best: float | None) -> float | None:
        """Return the factor from a loss to % of the best loss; None if that is not above 0.

        A score stands in the table with its sign turned: the best one is then below 0.
        """
        positive = best is not None and (best < 0 if self.of == "score" else best > 0)
        return 100 / abs(best) if best is not None and positive else None

    @property
    def text(self) -> str:
        """The tolerance in words."""
        return {
            "rel_loss": f"{100 * self.value:g} % of the best {self.of} at the target",
            "abs_loss": f"{self.value:g} in {self.of}",
            "share_of_width_gain": f"{100 * self.value:g} % of the gain from search to target",
        }[self.kind]


@dataclass(frozen=True, kw_only=True)
class TransferQuestion:
    """All that a verdict depends on besides the table.

    Attributes:
        parameters: Names of the sliced HPs.
        search_at: Axis value of the search; one of ``axis_values``.
        axis_values: Axis values of the ladder.
        target_at: Axis value of the check.
        base_width: Width at which base HPs are defined.
        seeds: Seeds of the ladder slices.
        seeds_at: Seeds of those at single axis values, in place of ``seeds``.
        target_seeds: Seeds of the target slices and of the transferred set there.
        spacing_log2: Lattice step, octaves.
        tolerance: Accepted regret.
        control: Arm of the control: ``sp`` along width, ``unscaled`` along another axis; or None.
        control_parameters: HPs that the control slices too.
        center: All HPs: the values that the ladder slices hold fixed.
        transferred: All HPs of the transferred set; None until it has been chosen.
        transferred_flags: Remarks on single HPs of that set.
        search_best: All HPs of the best search trial.
        defaults: Untuned values by HP whose regret is reported for comparison.
        axis: Axis along which transfer is judged.
        rule: Name of the rule that scales base HPs along it; None: they are kept constant.
        centers: In a table from elsewhere, by HP, arm and axis value: what the slice there holds
            fixed, in place of ``center`` and, at the target, ``transferred``.
        external: The table is from elsewhere: each slice has the seeds that occur in it, and no
            command of ours can add runs.
        paired: A seed means the same at every value (`table.slice.Slice.paired`).
        arm: Arm whose optima are judged; ``sp``: of a table without μP, which can only be
            predicted from.
        production_at: Axis value of the production run, where the regret is predicted too; None:
            not named, or not beyond the target.
        n_interim: Interim analyses before this one: how often trials were added after a verdict
            could have been seen (``--settle``, or more seeds or axis values in the spec).
        check: How the target is checked: by slices of its own, or by the set and a few neighbours,
            whose curve has the ladder's shape (`transfer.star`), in at most ``max_looks`` batches.
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
    centers: Mapping[tuple[str, str, int], Mapping[str, float | None]] = field(default_factory=dict)
    external: bool = False
    paired: bool = True
    n_interim: int = 0
    check: Literal["slices", "star"] = "slices"
    max_looks: int = 3
    arm: Literal["mup", "sp", "unscaled"] = "mup"
    production_at: int | None = None
    seeds_at: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    @property
    def axis_name(self) -> str:
        """The axis in words: width, batch size, number of steps, depth."""
        return AXIS_LABELS[self.axis].singular

    def at(self, axis_value: int) -> str:
        """Return an axis value in words: width 128, 300 steps."""
        return axis_value_text(self.axis, axis_value)

    @property
    def is_scaled(self) -> bool:
        """Whether base HPs are to carry over along the axis: by μP, or by a rule."""
        return self.arm == "mup" and (self.axis in ("width", "params") or self.rule is not None)

    def ladder_seeds(self, axis_value: int) -> tuple[int, ...]:
        """Return the seeds of the ladder's slices at an axis value."""
        return self.seeds_at.get(axis_value, self.seeds)

    def transferred_value(self, hp: str) -> float | None:
        """Return the transferred value of an HP; None without one on the log scale (above 0)."""
        value = (self.transferred or {}).get(hp)
        return value if value is not None and value > 0 else None

    def slice(
        self,
        df: pd.DataFrame,
        hp: str,
        fixed: Mapping[str, float | None],
        axis_value: int,
        arm: str,
        seeds: tuple[int, ...],
    ) -> Slice:
        """Return the slice of an HP at an axis value; see `table.slice.slice_of`.

        A centre of this slice in ``centers`` counts in place of ``fixed``.
        """
        # At the search value a scaling rule has no effect: there both arms share their rows.
        base = None if self.axis == "width" else self.search_at
        return slice_of(
            df,
            hp=hp,
            fixed=self.centers.get((hp, arm, axis_value), fixed),
            axis_value=axis_value,
            arm=arm,
            seeds=None if self.external else seeds,
            axis=self.axis,
            base=base,
            paired=self.paired,
        )

    @property
    def confidence(self) -> float:
        """Confidence level of a bound: 1 − 0.05/2^k after k interim analyses, so 0.95 at first.

        A star has its own for each look (`transfer.star.ERRORS_OF_LOOKS`).

        A bound at this level is a t bound of (1 + level)/2 on one side (`transfer.regret`): it is
        wrong in 2.5 % of the first analyses, in 1.25 % of the second ones and so on, together in
        at most 5 %, however often trials are added.
        """
        if self.check == "star":
            return 1 - error_of_look(self.n_interim, self.max_looks)
        return 1 - (1 - CONFIDENCE) / 2**self.n_interim
