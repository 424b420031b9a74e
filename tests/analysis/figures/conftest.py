"""The files of the figures of the planted study."""

import pandas as pd
import pytest

from mutransfer.analysis.figures import canvas
from mutransfer.analysis.figures.figure_set import all_figures, figure_data
from mutransfer.analysis.verdict.evidence import Fits
from mutransfer.analysis.verdict.judge import Verdict
from tests.analysis import planted


@pytest.fixture(scope="session")
def figure_files(study: pd.DataFrame, verdict: Verdict, fits: dict[str, Fits]) -> dict[str, bytes]:
    """The files of all figures by file name."""
    return canvas.files(all_figures(figure_data(study, planted.question(), verdict, fits)))
