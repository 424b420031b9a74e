"""Slices as trials: which values of one HP are trained, at one axis value, in one arm.

Values lie on the lattice log2(x) = k · spacing, the same for all arms; the spacing of an axis value
is that of the study, or half or twice it and so on (`transfer: {at: …}`). A slice
starts with `points` values around the centre, is extended outwards until its best has two worse
values or a diverged one on each side, and is then refined by half a spacing on both sides of it.
"""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mutransfer.analysis.table.slice import Slice, bracket, slice_of
from mutransfer.sweep.plan import lattice
from mutransfer.sweep.plan.request import HPSet, TrialRequest, complete, trial
from mutransfer.sweep.spec.sections import SliceSize
from mutransfer.sweep.spec.study import Study
from mutransfer.words import Arm, Stage


@dataclass(frozen=True, kw_only=True)
class SlicePlan:
    """One slice: ``hp`` varied around ``centre``, whose other HPs are held fixed."""

    hp: str
    arm: Arm
    axis_value: int
    centre: HPSet
    points: int
    spacing_log2: float
    seeds: tuple[int, ...]
    stage: Stage

    def read(self, study: Study, table: pd.DataFrame) -> Slice:
        """The slice's results, selected by HP values, whichever stage requested them."""
        fixed = {name: value for name, value in complete(self.centre).items() if name != self.hp}
        return slice_of(
            table,
            hp=self.hp,
            fixed=fixed,
            axis_value=self.axis_value,
            arm=self.arm,
            seeds=self.seeds,
            axis=study.axis,
            base=None if study.axis == "width" else study.search_at,
        )


def ladder(study: Study, centre: HPSet) -> list[SlicePlan]:
    """The slices of stage `slices`; the largest axis value first, for it takes longest."""
    transfer = study.transfer
    arms: tuple[tuple[Arm, tuple[str, ...]], ...] = (
        ("mup", transfer.parameters),
        ("unscaled" if transfer.control == "unscaled" else "sp", study.control_parameters),
    )
    return [
        SlicePlan(
            hp=hp,
            arm=arm,
            axis_value=axis_value,
            centre=centre,
            stage="slices",
            **_size(transfer.size_at(axis_value)),
        )
        for axis_value in sorted(transfer.axis_values, reverse=True)
        for arm, hps in arms
        for hp in hps
    ]


def _size(size: SliceSize) -> dict[str, Any]:
    """The fields of a plan that follow from the size of a slice, of which none is None."""
    seeds = tuple(range(1, (size.seeds or 0) + 1))
    return {"points": size.points, "spacing_log2": size.spacing_log2, "seeds": seeds}


def target(study: Study, transferred: HPSet) -> list[SlicePlan]:
    """The slices of stage `target`, through the transferred set, whose trials belong to each.

    No slices where the target is checked by a star.
    """
    if study.target.points is None or study.target.seeds is None:
        return []
    seeds = tuple(range(1, study.target.seeds + 1))
    return [
        SlicePlan(
            hp=hp,
            arm="mup",
            axis_value=study.target_at,
            centre=transferred,
            points=study.target.points,
            spacing_log2=study.transfer.spacing_log2,
            seeds=seeds,
            stage="target",
        )
        for hp in study.transfer.parameters
    ]


def requested_trials(
    study: Study, plan: SlicePlan, table: pd.DataFrame | None, status: Mapping[str, str]
) -> list[TrialRequest]:
    """The trials of the slice, given what has run.

    Args:
        study: The study.
        plan: The slice.
        table: The results; None: request the first values only.
        status: The status of each finished trial, by trial_id.
    """
    left, right = (plan.points - 1) // 2, plan.points // 2
    most_left, most_right = left + study.transfer.max_extend, right + study.transfer.max_extend
    while True:
        values = _lattice(study, plan, left, right)
        requests = _requests_at(study, plan, values)
        if table is None or any(request.trial_id not in status for request in requests):
            return requests
        # Of these values alone: results beyond them must not undo the extension that led there.
        bracketing = bracket(_at_values(plan.read(study, table), values))
        wider_left = left + (bracketing.wants_left and left < most_left)
        wider_right = right + (bracketing.wants_right and right < most_right)
        if _lattice(study, plan, wider_left, wider_right) == values:
            break
        left, right = wider_left, wider_right
    return requests + (_refinement(study, plan, values, table) if study.transfer.refine else [])


def _lattice(study: Study, plan: SlicePlan, left: int, right: int) -> list[float]:
    return lattice.values(
        lattice.nearest(math.log2(plan.centre[plan.hp]), plan.spacing_log2),
        low=-left,
        high=right,
        spacing_log2=plan.spacing_log2,
        limits=study.limits_log2(plan.hp),
    )


def _at_values(results: Slice, log2_values: list[float]) -> Slice:
    """The results at these values alone."""
    rows = [index for x in log2_values if (index := results.index(x)) is not None]
    return dataclasses.replace(
        results,
        log2_x=results.log2_x[rows],
        loss=results.loss[rows],
        diverged=results.diverged[rows],
    )


def _refinement(
    study: Study, plan: SlicePlan, values: list[float], table: pd.DataFrame
) -> list[TrialRequest]:
    """The trials half a spacing on both sides of the best value, within the ends of the slice."""
    results = _at_values(plan.read(study, table), values)
    best = bracket(results).best
    if best is None:
        return []
    spacing = plan.spacing_log2
    at = lattice.nearest(float(results.log2_x[best]), spacing)
    between = (at - spacing / 2, at + spacing / 2)
    return _requests_at(study, plan, [x for x in between if min(values) < x < max(values)])


def _requests_at(study: Study, plan: SlicePlan, log2_values: list[float]) -> list[TrialRequest]:
    return [
        TrialRequest(
            config=trial(
                study,
                axis_value=plan.axis_value,
                arm=plan.arm,
                hps={**plan.centre, plan.hp: lattice.value_at(plan.hp, x)},
                seed=seed,
            ),
            asked_by=plan.stage,
        )
        for x in log2_values
        for seed in plan.seeds
    ]
