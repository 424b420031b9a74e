"""Shared tables of the analysis tests."""

import pandas as pd
import pytest

from mutransfer.analysis.figures import canvas, figure_set
from mutransfer.analysis.figures.figure_set import figure_data
from mutransfer.analysis.reporting.contents import ReportInputs
from mutransfer.analysis.verdict.judge import Verdict, judge
from tests.analysis import planted


@pytest.fixture(scope="session")
def study() -> pd.DataFrame:
    """The table of a study whose HPs transfer."""
    return planted.table(planted.Law())


@pytest.fixture(scope="session")
def verdict(study: pd.DataFrame) -> Verdict:
    """The verdict on it."""
    return judge(study, planted.question())


@pytest.fixture(scope="session")
def material(study: pd.DataFrame, verdict: Verdict) -> ReportInputs:
    """What its report is made of."""
    asked = planted.question()
    info = {"study": "planted", "commit": "abc"}
    return ReportInputs(run_info=info, df=study, search_at=64, verdict=verdict, question=asked)


@pytest.fixture(scope="session")
def drawn(study: pd.DataFrame, verdict: Verdict) -> dict[str, bytes]:
    """The files of its figures by file name."""
    data = figure_data(study, planted.question(), verdict)
    return canvas.files(figure_set.all_figures(data))
