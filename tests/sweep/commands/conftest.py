from pathlib import Path

import pytest

from mutransfer.sweep.run import driver
from mutransfer.sweep.store import rundir
from mutransfer.sweep.store.store import Store
from tests.sweep.conftest import TINY, study_of, write_spec


@pytest.fixture(scope="package")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a spec and a finished run of it; its rows are not to be changed."""
    folder = tmp_path_factory.mktemp("ran")
    write_spec(folder)
    store = Store(str(folder / "runs" / "tiny"))
    rundir.claim(store, study_of(TINY))
    driver.run_inline(driver.State.load(study_of(TINY), store))
    return folder
