"""The inputs of the report on the planted study."""

import pandas as pd
import pytest

from mutransfer.analysis.reporting.contents import ReportInputs
from mutransfer.analysis.verdict.evidence import Fits
from mutransfer.analysis.verdict.judge import Verdict
from tests.analysis import planted


@pytest.fixture(scope="session")
def inputs(study: pd.DataFrame, verdict: Verdict, fits: dict[str, Fits]) -> ReportInputs:
    """The inputs of a finished study with a PASS."""
    return ReportInputs(
        run_info={"study": "planted", "commit": "abc"},
        df=study,
        search_at=64,
        target_at=planted.TARGET,
        cost=verdict.cost,
        verdict=verdict,
        question=planted.question(),
        fits=fits,
    )
