"""The fitted slices that a verdict and its figures rest on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from mutransfer.analysis.fit.curve import Fit, fit_slices
from mutransfer.analysis.fit.optimum import optimum
from mutransfer.analysis.table.slice import Slice, log2_of, lowest_loss
from mutransfer.analysis.transfer.prediction import Prediction, predict
from mutransfer.analysis.transfer.star import Star, star_of
from mutransfer.analysis.verdict.question import TransferQuestion


@dataclass(frozen=True, kw_only=True, eq=False)
class Fits:
    """The fitted slices of one HP.

    Attributes:
        hp: The HP.
        ladder: Fits by (arm, axis value), the other HPs at the centre.
        target: Fit at the target, the other HPs at the transferred set; None without one.
        star: What decides where the target is checked by a star: that of all HPs; None where that
            is not so, or where it lacks runs or a curve of the ladder.
    """

    hp: str
    ladder: Mapping[tuple[str, int], Fit]
    target: Fit | None
    star: Star | None = None

    @property
    def has_target_runs(self) -> bool:
        """Whether anything was run at the target."""
        return self.target is not None and bool(self.target.slice.log2_x.size)

    def of_arm(self, arm: str) -> list[Fit]:
        """Return the ladder fits of an arm, in the order of their axis values."""
        return [self.ladder[key] for key in sorted(self.ladder) if key[0] == arm]


def gather(df: pd.DataFrame, question: TransferQuestion) -> dict[str, Fits]:
    """Fit the slices of each HP of a question once, for the verdict and its figures alike.

    Returns:
        The fits by HP, in the order of ``question.parameters``.

    Raises:
        TableError: as `table.slice.slice_of`.
    """
    fits = {hp: fits_of(df, question, hp) for hp in question.parameters}
    return with_star(fits, question) if question.check == "star" else fits


def with_star(fits: Mapping[str, Fits], question: TransferQuestion) -> dict[str, Fits]:
    """Return the fits with the star of all HPs; each has None where there is none."""
    star = _star(fits, question)
    return {hp: replace(of_hp, star=star) for hp, of_hp in fits.items()}


def _star(fits: Mapping[str, Fits], question: TransferQuestion) -> Star | None:
    values = {hp: value for hp in fits if (value := question.transferred_value(hp)) is not None}
    targets = {hp: target for hp in values if (target := fits[hp].target) is not None}
    if not targets:
        return None
    return star_of(
        targets,
        {hp: fits[hp].of_arm(question.arm) for hp in targets},
        {hp: log2_of(values[hp]) for hp in targets},
    )


def fits_of(df: pd.DataFrame, question: TransferQuestion, hp: str) -> Fits:
    """Return the fitted slices of one HP; see `gather`.

    The slices of an arm are one family and share their noise; that of the target is in the first.
    """
    arms: list[str] = [question.arm]
    if question.control is not None and hp in question.control_parameters:
        arms.append(question.control)
    slices = {
        (arm, at): question.slice(df, hp, question.center, at, arm, question.ladder_seeds(at))
        for arm in arms
        for at in sorted({*question.axis_values, question.search_at})
    }
    families = [arms.index(arm) for arm, _ in slices]
    targets = []
    if question.transferred is not None:
        target = question.slice(
            df, hp, question.transferred, question.target_at, question.arm, question.target_seeds
        )
        targets, families = [target], [*families, 0]
    search = slices[question.arm, question.search_at]
    fits = fit_slices(
        [*slices.values(), *targets],
        tolerance_loss=[
            _tolerance_loss(question, s, search, targets) for s in (*slices.values(), *targets)
        ],
        families=families,
    )
    return Fits(
        hp=hp,
        ladder=dict(zip(slices, fits[: len(slices)], strict=True)),
        target=fits[-1] if targets else None,
    )


def _tolerance_loss(
    question: TransferQuestion, slice_: Slice, search: Slice, targets: Sequence[Slice]
) -> float | None:
    """The tolerance at a slice, from the lowest losses as they were measured."""
    of_gain = question.tolerance.kind == "share_of_width_gain"
    best = (lowest_loss(targets[0]) if targets else None) if of_gain else lowest_loss(slice_)
    return question.tolerance.in_loss(target_best=best, search_best=lowest_loss(search))


def predictions_at(
    fits: Mapping[str, Fits], question: TransferQuestion, axis_value: int
) -> dict[str, Prediction | None]:
    """Return what ladder and target, as far as they were run, predict of each HP at an axis value.

    Of μP the transferred value is judged, else the optimum that the fitted law predicts. Bounds
    are summed over the H HPs of a set, so each holds at 1 − 0.05/H. None: too few optima.
    """
    confidence = 1 - (1 - question.confidence) / max(len(fits), 1)
    return {hp: _predicted(of_hp, question, axis_value, confidence) for hp, of_hp in fits.items()}


def _predicted(
    fits: Fits, question: TransferQuestion, axis_value: int, confidence: float
) -> Prediction | None:
    by_axis = {fit.slice.axis_value: fit for fit in fits.of_arm(question.arm) if fit.ok}
    if fits.target is not None and fits.target.ok:
        by_axis.setdefault(question.target_at, fits.target)
    value = question.transferred_value(fits.hp) if question.arm == "mup" else None
    if not by_axis or (question.arm == "mup" and value is None):
        return None
    largest, search = by_axis[max(by_axis)], fits.ladder[question.arm, question.search_at]
    return predict(
        list(by_axis.values()),
        axis_value,
        None if value is None else log2_of(value),
        tolerance_loss=question.tolerance.in_loss(
            target_best=optimum(largest).loss, search_best=optimum(search).loss
        ),
        axis=question.axis,
        scaled=question.is_scaled,
        confidence=confidence,
    )
