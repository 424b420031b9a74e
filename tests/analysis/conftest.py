"""Shared tables of the analysis tests."""

import pandas as pd
import pytest

from mutransfer.analysis.verdict.evidence import Fits, gather
from mutransfer.analysis.verdict.judge import Verdict, judge
from tests.analysis import planted


@pytest.fixture(scope="session")
def study() -> pd.DataFrame:
    """The table of a study whose HPs transfer."""
    return planted.table(planted.Law())


@pytest.fixture(scope="session")
def fits(study: pd.DataFrame) -> dict[str, Fits]:
    """Its fitted slices by HP."""
    return gather(study, planted.question())


@pytest.fixture(scope="session")
def verdict(study: pd.DataFrame, fits: dict[str, Fits]) -> Verdict:
    """The verdict on it."""
    return judge(study, planted.question(), fits=fits)
