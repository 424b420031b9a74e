"""The inputs of a report: everything that is known about a study, finished or under way."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import pandas as pd

from mutransfer.analysis.figures.canvas import Plot
from mutransfer.analysis.figures.convergence import ConvergenceInfo, convergence_plot
from mutransfer.analysis.figures.figure_set import FigureData, all_figures, figure_data
from mutransfer.analysis.reporting.samples import Gallery
from mutransfer.analysis.table.axis import AXIS_LABELS, axis_value_text
from mutransfer.analysis.transfer.speed_up import ConvergenceResult
from mutransfer.analysis.verdict.coordcheck import Check
from mutransfer.analysis.verdict.cost import Cost
from mutransfer.analysis.verdict.evidence import Fits
from mutransfer.analysis.verdict.judge import Verdict
from mutransfer.analysis.verdict.question import TransferQuestion
from mutransfer.words import Axis


class StudyProgress(NamedTuple):
    """How many trials of a study have ended.

    Attributes:
        done: Trials that ended.
        planned: Trials of the study as far as they are known: a lower bound while it runs, since
            later requests depend on results.
        missing: Stages with missing trials, and the number missing in each.
        note: Why the study cannot continue; empty if it can.
        finished: Nothing is missing.
        flops_left: FLOPs of the missing trials, as far as these are known; None: not counted.
    """

    done: int
    planned: int
    missing: tuple[tuple[str, int], ...] = ()
    note: str = ""
    finished: bool = False
    flops_left: float | None = None

    @property
    def sentence(self) -> str:
        """The progress of an unfinished study in words."""
        missing = ", ".join(f"{n} of {stage}" for stage, n in self.missing) or "the next stages"
        text = f"Under way: {self.done} of about {self.planned} trials. Still missing: {missing}."
        return f"{text} {self.note}".rstrip()


@dataclass(frozen=True, kw_only=True)
class ReportInputs:
    """All that a report shows.

    Attributes:
        run_info: Provenance by name (study, versions, commit, host, …); ``study`` is the title,
            ``command`` reproduces the report.
        df: The results table, of a finished study or one under way.
        search_at: Axis value of the search.
        target_at: Axis value of the target.
        cost: The cost of all trials; None: not known.
        verdict: The verdict; None as long as there is no slice to judge.
        question: The question that was judged; None without a verdict.
        fits: The fitted slices that the verdict rests on, by HP; needed with a question.
        progress: Progress of the study; None: it is finished.
        axis: The axis along which transfer is judged.
        gallery: Samples to show beside real images.
        check: The coordinate check.
        check_text: Its result in words, one line per paragraph.
        convergence: Steps of μP to the final loss of SP; None if the study does not compare them.
        convergence_info: Its validation curves.
        notes: What was assumed of a table from elsewhere, and what it cannot show.
    """

    run_info: Mapping[str, Any]
    df: pd.DataFrame
    search_at: int
    target_at: int | None = None
    cost: Cost | None = None
    verdict: Verdict | None = None
    question: TransferQuestion | None = None
    fits: Mapping[str, Fits] = field(default_factory=dict)
    progress: StudyProgress | None = None
    axis: Axis = "width"
    gallery: Gallery | None = None
    check: Check | None = None
    check_text: str = ""
    convergence: ConvergenceResult | None = None
    convergence_info: ConvergenceInfo | None = None
    notes: tuple[str, ...] = ()

    @cached_property
    def data(self) -> FigureData:
        """The data of the figures."""
        return figure_data(
            self.df, self.question, self.verdict, self.fits, self.search_at, self.axis
        )

    @property
    def axis_name(self) -> str:
        """The name of the axis: width, batch size, and so on."""
        return AXIS_LABELS[self.axis].singular

    def axis_text(self, axis_value: int) -> str:
        """An axis value in words: width 128."""
        return axis_value_text(self.axis, axis_value)

    @property
    def is_external(self) -> bool:
        """Whether the table is from elsewhere: no command of ours can add runs to it."""
        return self.question is not None and self.question.external

    @property
    def is_under_way(self) -> bool:
        """Whether trials are still missing."""
        return self.progress is not None and not self.progress.finished


def all_plots(inputs: ReportInputs) -> dict[str, Plot]:
    """Return the plots of a study, including convergence, by file name without suffix."""
    plots = all_figures(inputs.data)
    if inputs.convergence_info is not None:
        plots["convergence"] = convergence_plot(inputs.convergence_info)
    return plots
