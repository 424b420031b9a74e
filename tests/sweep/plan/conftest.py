import pytest

from tests.sweep.conftest import TINY, study_of
from tests.sweep.planted import play


@pytest.fixture(scope="session")
def played():
    """Decisions, table and plan of the tiny study, run to its end with a parabola."""
    return play(study_of(TINY))
