"""The fitted slices that a verdict and its figures rest on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from mutransfer.analysis.fit.curve import Fit, fit_slice, fit_slices
from mutransfer.analysis.verdict.question import TransferQuestion


@dataclass(frozen=True, kw_only=True, eq=False)
class Fits:
    """The fitted slices of one HP.

    Attributes:
        hp: The HP.
        ladder: Fits by (arm, axis value), the other HPs at the centre.
        target: Fit at the target, the other HPs at the transferred set; None without one.
    """

    hp: str
    ladder: Mapping[tuple[str, int], Fit]
    target: Fit | None

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
    return {hp: fits_of(df, question, hp) for hp in question.parameters}


def fits_of(df: pd.DataFrame, question: TransferQuestion, hp: str) -> Fits:
    """Return the fitted slices of one HP; see `gather`."""
    arms = ["mup"]
    if question.control is not None and hp in question.control_parameters:
        arms.append(question.control)
    axis_values = sorted({*question.axis_values, question.search_at})
    ladder = {
        (arm, fit.slice.axis_value): fit
        for arm in arms
        for fit in _ladder(df, question, hp, arm, axis_values)
    }
    return Fits(hp=hp, ladder=ladder, target=_target(df, question, hp))


def _ladder(
    df: pd.DataFrame, question: TransferQuestion, hp: str, arm: str, axis_values: Sequence[int]
) -> list[Fit]:
    """The curves of an arm: one family, which shares noise and roughness."""
    slices = [
        question.slice(df, hp, question.center, axis_value, arm, question.seeds)
        for axis_value in axis_values
    ]
    return fit_slices(slices, spacing_log2=question.spacing_log2, families=[0] * len(slices))


def _target(df: pd.DataFrame, question: TransferQuestion, hp: str) -> Fit | None:
    """The target's curve, fitted alone: its regret bound rests on its own values only."""
    if question.transferred is None:
        return None
    slice_ = question.slice(
        df, hp, question.transferred, question.target_at, "mup", question.target_seeds
    )
    return fit_slice(slice_, spacing_log2=question.spacing_log2)
