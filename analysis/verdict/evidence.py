"""The fitted slices that a verdict rests on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from mutransfer.analysis.fit.curve import Fit, fit, fits
from mutransfer.analysis.verdict.question import TransferQuestion


@dataclass(frozen=True, kw_only=True, eq=False)
class Fits:
    """The fitted slices of one HP.

    Attributes:
        hp: The HP.
        ladder: Fits by (arm, width), the other HPs at the centre.
        target: Fit at the target width, the others at the transferred set; None without one.
    """

    hp: str
    ladder: Mapping[tuple[str, int], Fit]
    target: Fit | None

    def of_arm(self, arm: str) -> list[Fit]:
        """Return the ladder fits of an arm, narrowest first."""
        return [self.ladder[key] for key in sorted(self.ladder) if key[0] == arm]


def gather(df: pd.DataFrame, question: TransferQuestion) -> dict[str, Fits]:
    """Return the evidence for each sliced HP of a question.

    Raises:
        TableError: as `analysis.slices.slice_of`.
    """
    return {hp: evidence_of(df, question, hp) for hp in question.parameters}


def evidence_of(df: pd.DataFrame, question: TransferQuestion, hp: str) -> Fits:
    """Return the evidence for one HP, as `gather`."""
    arms = ["mup"]
    if question.control is not None and hp in question.control_parameters:
        arms.append(question.control)
    axis_values = sorted({*question.axis_values, question.search_at})
    ladder = {
        (arm, axis_value): fitted
        for arm in arms
        for axis_value, fitted in zip(
            axis_values, _ladder(df, question, hp, arm, axis_values), strict=True
        )
    }
    target = None
    if question.transferred is not None:
        asked = (question.transferred, question.target_at, "mup", question.target_seeds)
        found = question.slice(df, hp, *asked)
        target = fit(found, spacing_log2=question.spacing_log2)
    return Fits(hp=hp, ladder=ladder, target=target)


def _ladder(
    df: pd.DataFrame, question: TransferQuestion, hp: str, arm: str, axis_values: Sequence[int]
) -> list[Fit]:
    """The curves of an arm: one family, which shares noise and roughness.

    The target's curve is fitted alone: its regret bound rests on its own values only.
    """
    asked = (arm, question.seeds)
    slices = [
        question.slice(df, hp, question.center, axis_value, *asked) for axis_value in axis_values
    ]
    return fits(slices, spacing_log2=question.spacing_log2, families=[0] * len(slices))
