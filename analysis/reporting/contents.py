"""What a report is made of: everything that is known about a study, as far as it has run."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import pandas as pd

from mutransfer.analysis.figures.canvas import Plot
from mutransfer.analysis.figures.convergence import ConvergenceInfo, convergence_plot
from mutransfer.analysis.figures.figure_set import FigureData, all_figures, figure_data
from mutransfer.analysis.reporting.samples import Gallery
from mutransfer.analysis.table.axis import WORDS
from mutransfer.analysis.transfer.speed_up import Convergence
from mutransfer.analysis.verdict.coordcheck import Check
from mutransfer.analysis.verdict.judge import Verdict
from mutransfer.analysis.verdict.question import TransferQuestion
from mutransfer.words import Axis


class Progress(NamedTuple):
    """How far a study is: trials that ended and that are known to be wanted.

    Attributes:
        done: Trials that ended.
        planned: Trials wanted, as far as is known.
        missing: Stages that lack trials, and how many.
        note: What keeps the study from going on.
    """

    done: int
    planned: int
    missing: tuple[tuple[str, int], ...] = ()
    note: str = ""
    finished: bool = False

    @property
    def sentence(self) -> str:
        """How far it is, in words."""
        left = ", ".join(f"{n} of {stage}" for stage, n in self.missing) or "what follows from it"
        text = f"Under way: {self.done} of about {self.planned} trials. Still missing: {left}."
        return f"{text} {self.note}".rstrip()


@dataclass(frozen=True, kw_only=True)
class ReportInputs:
    """All that a report shows.

    Attributes:
        run_info: Provenance by name (study, versions, commit, host, …); ``study`` is the title,
            ``command`` what makes the report again.
        df: The results table, perhaps of a study under way.
        search_at: Place of the search on the axis.
        verdict: The verdict; None as long as there is no slice to judge.
        question: What was asked; None with no verdict.
        progress: How far the study is; None: it is over.
        axis: Along which transfer is asked about.
        gallery: Samples to show beside real images.
        check: The coordinate check, and ``check_text``, what it said.
        convergence: How soon μP is where SP ends, and ``convergence_info``, its curves; None where
            it was not asked for.
    """

    run_info: Mapping[str, Any]
    df: pd.DataFrame
    search_at: int
    verdict: Verdict | None = None
    question: TransferQuestion | None = None
    progress: Progress | None = None
    axis: Axis = "width"
    gallery: Gallery | None = None
    check: Check | None = None
    check_text: str = ""
    convergence: Convergence | None = None
    convergence_info: ConvergenceInfo | None = None

    @cached_property
    def data(self) -> FigureData:
        """The data of the figures."""
        return figure_data(self.df, self.question, self.verdict, self.search_at, self.axis)

    @property
    def one(self) -> str:
        """What the axis is called: width, batch size, and so on."""
        return WORDS[self.axis].one

    @property
    def is_under_way(self) -> bool:
        """Whether trials are still missing."""
        return self.progress is not None and not self.progress.finished


def of_material(material: ReportInputs) -> dict[str, Plot]:
    """Return the plots of a study, that of convergence among them, by file name without suffix."""
    info = material.convergence_info
    return all_figures(material.data) | (
        {} if info is None else {"convergence": convergence_plot(info)}
    )
