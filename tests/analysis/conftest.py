"""Shared tables of the analysis tests."""

import pandas as pd
import pytest

from analysis import figures
from analysis.figure_data import figure_data
from analysis.verdict import Verdict, judge
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
def drawn(study: pd.DataFrame, verdict: Verdict) -> dict[str, bytes]:
    """Its figures, PNG and SVG by file name."""
    data = figure_data(study, planted.question(), verdict)
    return figures.files(figures.all_figures(data))
